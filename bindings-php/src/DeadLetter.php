<?php

declare(strict_types=1);

namespace Katalys;

/**
 * An update that will not be sent unless it is replayed.
 */
final class DeadLetter
{
    /**
     * @param int $id The update's number, as on its ticket.
     * @param string $orderId The order's id.
     * @param string $siteId The site it was reported for.
     * @param string $payload What was sent, as JSON. Customer data.
     * @param int|null $status The HTTP status with which the endpoint refused it.
     * @param 'rejected'|'interrupted'|'expired' $code Refused by the endpoint; sending it never
     * finished, three times; or older than maxAge.
     * @param string $reason What happened, for people, without customer data.
     * @param \DateTimeImmutable $diedAt When that was, in UTC.
     *
     * @internal Made by the package.
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
     * The payload is customer data, which a dump should not show.
     *
     * @return array<string, mixed>
     */
    public function __debugInfo(): array
    {
        return ['payload' => \strlen($this->payload) . ' bytes'] + \get_object_vars($this);
    }
}
