<?php

/**
 * Generated from the core's tables by `make generate`; change core/src/results.rs instead.
 */

declare(strict_types=1);

namespace Katalys;

/**
 * The result of a check without sending.
 */
final class Validation
{
    /**
     * @param string|null $payload The exact bytes that would be sent; missing if there is an error among
     * the problems.
     * @param list<Problem> $problems Everything that was found, errors and warnings.
     *
     * @internal Created by the package.
     */
    public function __construct(
        public readonly ?string $payload,
        public readonly array $problems = [],
    ) {
    }

    /**
     * Whether the update would be sent.
     */
    public function isValid(): bool
    {
        return $this->payload !== null;
    }

    /**
     * Customer data does not appear in dumps, only its size.
     *
     * @return array<string, mixed>
     */
    public function __debugInfo(): array
    {
        return [
            'payload' => $this->payload === null ? null : '(' . \strlen($this->payload) . ' bytes)',
            'problems' => $this->problems,
        ];
    }
}
