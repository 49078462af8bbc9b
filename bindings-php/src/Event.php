<?php

declare(strict_types=1);

namespace Katalys;

/**
 * Something happened in this process to an update of the outbox, or to the outbox itself. Holds no
 * customer data.
 */
final class Event
{
    /**
     * @param string $kind `accepted` (it is in the outbox), `delivered` (the endpoint has it),
     * `retried` (an attempt failed, another one follows), `dead_lettered` (it will not be sent
     * unless it is replayed), `discarded` (a dead letter was removed for good) or `failed` (the outbox
     * cannot be read or written, so nothing is delivered).
     * @param int $id The update's number, as on its ticket; 0 for `failed`.
     * @param string $order Sixteen hexadecimal digits, the same for all updates of one order; with
     * eventOrderIds 'plain', the order's id. Empty for `failed`.
     * @param int $attempts How many requests were made so far; 0 where none was.
     * @param int|null $status The HTTP status that led to it.
     * @param string|null $code Why: the code of the error, or the dead letter's.
     *
     * @internal Made by the package.
     */
    public function __construct(
        public readonly string $kind,
        public readonly int $id,
        public readonly string $order,
        public readonly int $attempts,
        public readonly ?int $status,
        public readonly ?string $code,
    ) {
    }
}
