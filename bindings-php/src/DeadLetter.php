<?php

/**
 * Generated from the core's tables by `make generate`; change core/src/results.rs instead.
 */

declare(strict_types=1);

namespace Katalys;

/**
 * An update that will not be sent unless it is replayed.
 */
final class DeadLetter
{
    /**
     * @param int $id Number of the update, as on its ticket.
     * @param string $orderId The order's id.
     * @param string $siteId The site it was reported for.
     * @param string $payload What was sent, as JSON. Customer data.
     * @param int|null $status HTTP status, if the endpoint refused the update.
     * @param string $code `rejected` (by the endpoint), `interrupted` (three attempts never finished) or
     * `expired` (older than `maxAge`).
     * @param string $reason A description of what happened. Holds no customer data.
     * @param \DateTimeImmutable $diedAt When it became a dead letter.
     *
     * @internal Created by the package.
     */
    public function __construct(
        public readonly int $id,
        public readonly string $orderId,
        public readonly string $siteId,
        public readonly string $payload,
        public readonly ?int $status,
        public readonly string $code,
        public readonly string $reason,
        public readonly \DateTimeImmutable $diedAt,
    ) {
    }

    /**
     * Customer data does not appear in dumps, only its size.
     *
     * @return array<string, mixed>
     */
    public function __debugInfo(): array
    {
        return [
            'id' => $this->id,
            'orderId' => '(' . \strlen($this->orderId) . ' bytes)',
            'siteId' => $this->siteId,
            'payload' => '(' . \strlen($this->payload) . ' bytes)',
            'status' => $this->status,
            'code' => $this->code,
            'reason' => $this->reason,
            'diedAt' => $this->diedAt,
        ];
    }
}
