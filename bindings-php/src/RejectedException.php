<?php

declare(strict_types=1);

namespace Katalys;

/**
 * The endpoint answered, but not with 204: code rejected, unavailable, not_confirmed or redirected.
 */
final class RejectedException extends KatalysException
{
    /**
     * @param int $status The HTTP status of the last answer.
     * @param float|null $retryAfter How many seconds the endpoint asked to wait.
     * @param int|null $ticket The number of the dead letter, on a client with an outbox.
     *
     * @internal Made by the package.
     */
    public function __construct(
        string $message,
        string $errorCode,
        bool $retryable,
        int $attempts,
        public readonly int $status,
        public readonly ?float $retryAfter,
        ?int $ticket = null,
    ) {
        parent::__construct($message, $errorCode, $retryable, $attempts, ticket: $ticket);
    }

    public function getStatus(): int
    {
        return $this->status;
    }

    public function getRetryAfter(): ?float
    {
        return $this->retryAfter;
    }
}
