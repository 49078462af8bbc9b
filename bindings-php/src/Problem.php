<?php

declare(strict_types=1);

namespace Katalys;

/**
 * One thing that is wrong with an order update, where it is, and how to fix it.
 */
final class Problem
{
    public const ERROR = 'error';
    public const WARNING = 'warning';

    /**
     * @param string $path What the caller wrote: `sale_amount`, `discounts[1].amount`.
     * @param string $code The rule that was broken, such as `amount_format`; the same in every
     * language and version.
     * @param string $message A whole sentence, without anything the customer entered.
     * @param 'error'|'warning' $severity Whether it stops the call.
     *
     * @internal Made by the package.
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
