<?php

declare(strict_types=1);

namespace Katalys\Internal;

use Katalys\ConfigException;
use Katalys\KatalysException;
use Katalys\OutboxException;
use Katalys\OutboxFullException;
use Katalys\Problem;
use Katalys\Receipt;
use Katalys\RejectedException;
use Katalys\Ticket;
use Katalys\TimeoutException;
use Katalys\TransportException;
use Katalys\Validation;
use Katalys\ValidationException;

/**
 * A detailed answer of the library: "!" and one JSON object.
 *
 * @internal
 */
final class Outcome
{
    /** @var array<string, mixed> */
    private array $all;
    /** @var list<Problem> */
    private array $problems = [];

    public function __construct(#[\SensitiveParameter] string $answer)
    {
        $this->all = \json_decode(\substr($answer, 1), true, 8, \JSON_THROW_ON_ERROR);
        foreach ($this->all['problems'] as $problem) {
            $this->problems[] = new Problem(
                $problem['path'],
                $problem['code'],
                $problem['message'],
                $problem['severity'],
            );
        }
    }

    public function failed(): bool
    {
        return $this->all['code'] !== 'ok';
    }

    /**
     * Those of the warnings whose kind occurs for the first time.
     *
     * @return list<Problem>
     */
    public function newWarnings(): array
    {
        $isNew = fn(int $index) => $this->all['problems'][$index]['first'];

        return \array_values(\array_filter($this->problems, $isNew, \ARRAY_FILTER_USE_KEY));
    }

    public function receipt(): Receipt
    {
        return new Receipt($this->all['attempts'], $this->all['elapsed'], $this->problems);
    }

    public function ticket(): Ticket
    {
        return new Ticket($this->all['ticket'], $this->problems);
    }

    public function validation(): Validation
    {
        if ($this->failed() && $this->all['code'] !== 'validation') {
            throw $this->exception();
        }

        return new Validation($this->all['payload'], $this->problems);
    }

    public function exception(): KatalysException
    {
        $common = [
            $this->all['message'],
            $this->all['code'],
            $this->all['retryable'],
            $this->all['attempts'],
        ];
        $ticket = $this->all['ticket'];

        return match ($this->all['class']) {
            'ConfigError' => new ConfigException(...$common),
            'ValidationError' => new ValidationException(...$common, problems: $this->problems),
            'RejectedError' => new RejectedException(
                ...$common,
                status: $this->all['status'],
                retryAfter: $this->all['retry_after'],
                ticket: $ticket,
            ),
            'TransportError' => new TransportException(...$common, ticket: $ticket),
            'TimeoutError' => new TimeoutException(...$common, ticket: $ticket),
            'OutboxError' => new OutboxException(...$common, ticket: $ticket),
            'OutboxFullError' => new OutboxFullException(...$common),
            default => new KatalysException(...$common, ticket: $ticket),
        };
    }
}
