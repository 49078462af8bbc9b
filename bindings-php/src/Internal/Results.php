<?php

/**
 * Generated from the core's tables by `make generate`; change core/src/results.rs instead.
 */

declare(strict_types=1);

namespace Katalys\Internal;

use Katalys\ConfigException;
use Katalys\DeadLetter;
use Katalys\Event;
use Katalys\KatalysException;
use Katalys\OutboxException;
use Katalys\OutboxFullException;
use Katalys\Problem;
use Katalys\Receipt;
use Katalys\RejectedException;
use Katalys\Stats;
use Katalys\Ticket;
use Katalys\TimeoutException;
use Katalys\TransportException;
use Katalys\Validation;
use Katalys\ValidationException;

/**
 * Creates results and exceptions from the library's answers.
 *
 * @internal
 */
final class Results
{
    /** Classes, by the core's names. */
    private const CLASSES = [
        'Problem' => Problem::class,
        'Receipt' => Receipt::class,
        'Ticket' => Ticket::class,
        'Validation' => Validation::class,
        'Stats' => Stats::class,
        'DeadLetter' => DeadLetter::class,
        'Event' => Event::class,
        'ConfigError' => ConfigException::class,
        'ValidationError' => ValidationException::class,
        'RejectedError' => RejectedException::class,
        'TransportError' => TransportException::class,
        'TimeoutError' => TimeoutException::class,
        'OutboxError' => OutboxException::class,
        'OutboxFullError' => OutboxFullException::class,
        'InternalError' => KatalysException::class,
    ];

    private const LISTS_OF_PROBLEMS = ['problems', 'warnings'];
    private const TIMES = ['diedAt'];

    /**
     * @param array<string, mixed> $fields by the names of the constructor's arguments
     */
    public static function make(string $class, #[\SensitiveParameter] array $fields): object
    {
        foreach (self::LISTS_OF_PROBLEMS as $name) {
            if (isset($fields[$name])) {
                $fields[$name] = self::problems($fields[$name]);
            }
        }
        foreach (self::TIMES as $name) {
            if (isset($fields[$name])) {
                $fields[$name] = \DateTimeImmutable::createFromFormat('U.u', \sprintf('%.6F', $fields[$name]));
            }
        }
        $class = self::CLASSES[$class] ?? KatalysException::class;

        return new $class(...$fields);
    }

    /**
     * @param list<array<string, string>> $all
     *
     * @return list<Problem>
     */
    public static function problems(array $all): array
    {
        return \array_map(static fn(array $fields) => new Problem(...$fields), $all);
    }

    /**
     * A result without warnings, from its fields with spaces between.
     */
    public static function receipt(string $fields): Receipt
    {
        [$attempts, $elapsed] = \explode(' ', $fields);

        return new Receipt(attempts: (int) $attempts, elapsed: (float) $elapsed);
    }

    /**
     * A result without warnings, from its fields with spaces between.
     */
    public static function ticket(string $fields): Ticket
    {
        [$id] = \explode(' ', $fields);

        return new Ticket(id: (int) $id);
    }
}
