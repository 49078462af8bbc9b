<?php

declare(strict_types=1);

namespace Katalys;

/**
 * The endpoint has the update.
 */
final class Receipt
{
    /**
     * @param int $attempts How many requests it took.
     * @param float $elapsed How many seconds it took, from the call to the answer.
     * @param list<Problem> $warnings What was suspicious, or was left out.
     *
     * @internal Made by the package.
     */
    public function __construct(
        public readonly int $attempts,
        public readonly float $elapsed,
        public readonly array $warnings = [],
    ) {
    }
}
