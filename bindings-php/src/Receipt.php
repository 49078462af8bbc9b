<?php

/**
 * Generated from the core's tables by `make generate`; change core/src/results.rs instead.
 */

declare(strict_types=1);

namespace Katalys;

/**
 * The endpoint has received the update.
 */
final class Receipt
{
    /**
     * @param int $attempts Number of requests it took; 0 if another process delivered the update.
     * @param float $elapsed Time from the call to the answer, in seconds.
     * @param list<Problem> $warnings Suspicious fields, and fields that were left out.
     *
     * @internal Created by the package.
     */
    public function __construct(
        public readonly int $attempts,
        public readonly float $elapsed,
        public readonly array $warnings = [],
    ) {
    }
}
