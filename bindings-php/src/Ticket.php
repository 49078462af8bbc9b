<?php

/**
 * Generated from the core's tables by `make generate`; change core/src/results.rs instead.
 */

declare(strict_types=1);

namespace Katalys;

/**
 * The outbox has accepted the update: it will be sent even if this process ends.
 */
final class Ticket
{
    /**
     * @param int $id Number of the update; numbers rise in the order of acceptance.
     * @param list<Problem> $warnings Suspicious fields, and fields that were left out.
     *
     * @internal Created by the package.
     */
    public function __construct(
        public readonly int $id,
        public readonly array $warnings = [],
    ) {
    }
}
