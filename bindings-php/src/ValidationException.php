<?php

/**
 * Generated from the core's tables by `make generate`; change core/src/error.rs instead.
 */

declare(strict_types=1);

namespace Katalys;

/**
 * The update is invalid and was not sent.
 *
 * Code: `validation`.
 */
final class ValidationException extends KatalysException
{
    /**
     * @param string $message What happened, and how to fix it where that is possible. Contains no customer
     * data.
     * @param string $errorCode The stable code, the same in every language.
     * @param bool $retryable Whether the same call may succeed later without any change.
     * @param int $attempts Number of requests that were made.
     * @param list<Problem> $problems Everything that is wrong with the update, errors and warnings.
     * @param int|null $ticket Number of the update in the outbox, if it was accepted before the call
     * failed: it will be sent, or is a dead letter. Do not send it again.
     *
     * @internal Created by the package.
     */
    public function __construct(
        string $message,
        string $errorCode,
        bool $retryable,
        int $attempts,
        public readonly array $problems,
        ?int $ticket = null,
        ?\Throwable $previous = null,
    ) {
        parent::__construct($message, $errorCode, $retryable, $attempts, $previous, $ticket);
    }

    /**
     * @return list<Problem>
     */
    public function getProblems(): array
    {
        return $this->problems;
    }
}
