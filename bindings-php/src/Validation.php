<?php

declare(strict_types=1);

namespace Katalys;

/**
 * The result of a check without sending.
 */
final class Validation
{
    /**
     * @param string|null $payload The exact bytes that would be sent, unless there is an error
     * among the problems.
     * @param list<Problem> $problems Everything that was found, errors and warnings.
     *
     * @internal Made by the package.
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
     * The payload is customer data, which a dump should not show.
     *
     * @return array<string, mixed>
     */
    public function __debugInfo(): array
    {
        $bytes = $this->payload === null ? null : \strlen($this->payload);

        return ['bytes' => $bytes, 'problems' => $this->problems];
    }
}
