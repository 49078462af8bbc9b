<?php

/**
 * Generated from the core's tables by `make generate`; change core/src/error.rs instead.
 */

declare(strict_types=1);

namespace Katalys;

/**
 * Why a call failed; the base class of all exceptions of this package.
 */
class KatalysException extends \RuntimeException
{
    /**
     * @param string $message What happened, and how to fix it where that is possible. Contains no customer
     * data.
     * @param string $errorCode The stable code, the same in every language.
     * @param bool $retryable Whether the same call may succeed later without any change.
     * @param int $attempts Number of requests that were made.
     * @param int|null $ticket Number of the update in the outbox, if it was accepted before the call
     * failed: it will be sent, or is a dead letter. Do not send it again.
     *
     * @internal Created by the package.
     */
    public function __construct(
        string $message,
        public readonly string $errorCode,
        public readonly bool $retryable = false,
        public readonly int $attempts = 0,
        ?\Throwable $previous = null,
        public readonly ?int $ticket = null,
    ) {
        parent::__construct($message, 0, $previous);
    }

    /**
     * The stable code, the same in every language; getCode() is PHP's own number, which is 0.
     */
    public function getErrorCode(): string
    {
        return $this->errorCode;
    }

    public function isRetryable(): bool
    {
        return $this->retryable;
    }

    public function getAttempts(): int
    {
        return $this->attempts;
    }

    public function getTicket(): ?int
    {
        return $this->ticket;
    }
}
