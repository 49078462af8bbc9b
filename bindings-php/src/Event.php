<?php

/**
 * Generated from the core's tables by `make generate`; change core/src/results.rs instead.
 */

declare(strict_types=1);

namespace Katalys;

/**
 * Something happened to an update of the outbox, or to the outbox itself. Holds no customer data.
 */
final class Event
{
    /**
     * @param string $kind What happened. `accepted`: the update is in the outbox. `delivered`: the
     * endpoint has received the update. `retried`: an attempt failed; another one follows.
     * `dead_lettered`: the update will not be sent unless it is replayed. `discarded`: a dead letter was
     * removed for good. `failed`: the outbox cannot be read or written, so nothing is delivered; `code`
     * says why.
     * @param int $id Number of the update, as on its ticket; 0 for `failed`.
     * @param string $order Sixteen hexadecimal digits, the same for all updates of one order; with
     * `eventOrderIds` as `plain`, the order's id. Empty for `failed`.
     * @param int $attempts Number of requests made so far; 0 if none was made.
     * @param int|null $status HTTP status that led to it, if any.
     * @param string|null $code Why: the code of the error, or of the dead letter.
     *
     * @internal Created by the package.
     */
    public function __construct(
        public readonly string $kind,
        public readonly int $id,
        public readonly string $order,
        public readonly int $attempts,
        public readonly ?int $status,
        public readonly ?string $code,
    ) {
    }
}
