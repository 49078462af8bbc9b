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
use Psr\Log\LoggerInterface;

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
     * Logs each kind of warning the first time it occurs.
     */
    public function log(LoggerInterface $logger): void
    {
        foreach ($this->problems as $index => $problem) {
            if ($this->all['problems'][$index]['first']) {
                $logger->warning($problem->message, [
                    'code' => $problem->code,
                    'path' => $problem->path,
                ]);
            }
        }
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

        return match ($this->all['class']) {
            'ConfigError' => new ConfigException(...$common),
            'ValidationError' => new ValidationException(...$common, problems: $this->problems),
            'RejectedError' => new RejectedException(
                ...$common,
                status: $this->all['status'],
                retryAfter: $this->all['retry_after'],
            ),
            'TransportError' => new TransportException(...$common),
            'TimeoutError' => new TimeoutException(...$common),
            'OutboxError' => new OutboxException(...$common),
            'OutboxFullError' => new OutboxFullException(...$common),
            default => new KatalysException(...$common),
        };
    }
}
