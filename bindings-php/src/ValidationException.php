<?php

declare(strict_types=1);

namespace Katalys;

/**
 * The update cannot be right, and was not sent.
 */
final class ValidationException extends KatalysException
{
    /**
     * @param list<Problem> $problems Everything that is wrong, errors and warnings.
     *
     * @internal Made by the package.
     */
    public function __construct(
        string $message,
        string $errorCode,
        bool $retryable,
        int $attempts,
        public readonly array $problems,
    ) {
        parent::__construct($message, $errorCode, $retryable, $attempts);
    }

    /**
     * @return list<Problem>
     */
    public function getProblems(): array
    {
        return $this->problems;
    }
}
