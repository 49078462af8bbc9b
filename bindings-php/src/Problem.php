<?php

/**
 * Generated from the core's tables by `make generate`; change core/src/results.rs instead.
 */

declare(strict_types=1);

namespace Katalys;

/**
 * One thing that is wrong or suspicious, where it is, and how to fix it.
 */
final class Problem
{
    public const ERROR = 'error';
    public const WARNING = 'warning';

    /**
     * @param string $path Where it is, as the caller wrote it: `sale_amount`, `discounts[1].amount`.
     * @param string $code The rule that was broken.
     * @param string $message A sentence that says how to fix it. Holds no customer data.
     * @param 'error'|'warning' $severity `error` stops the call; `warning` is part of the result.
     *
     * @internal Created by the package.
     */
    public function __construct(
        public readonly string $path,
        public readonly string $code,
        public readonly string $message,
        public readonly string $severity,
    ) {
    }

    public function isError(): bool
    {
        return $this->severity === self::ERROR;
    }
}
