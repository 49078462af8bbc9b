<?php

declare(strict_types=1);

namespace Katalys;

/**
 * The outbox has the update: it will reach the endpoint, whatever becomes of this process.
 */
final class Ticket
{
    /**
     * @param int $id The update's number; numbers rise in the order of acceptance.
     * @param list<Problem> $warnings What was suspicious, or was left out.
     *
     * @internal Made by the package.
     */
    public function __construct(
        public readonly int $id,
        public readonly array $warnings = [],
    ) {
    }
}
