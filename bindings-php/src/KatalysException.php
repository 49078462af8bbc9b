<?php

declare(strict_types=1);

namespace Katalys;

/**
 * Why a call failed; every exception of this package is one of these.
 */
class KatalysException extends \RuntimeException
{
    /**
     * @param string $message What happened, and how to fix it where that is possible. Holds no
     * customer data.
     * @param string $errorCode The stable code, such as `config_invalid`.
     * @param bool $retryable Whether the same call may succeed later without any change.
     * @param int $attempts How many requests were made.
     * @param int|null $ticket The update's number in the outbox, if it was accepted before a waiting call
     * failed: it will be sent, or is a dead letter. Do not send it again.
     *
     * @internal Made by the package.
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

    public function getTicket(): ?int
    {
        return $this->ticket;
    }
}
