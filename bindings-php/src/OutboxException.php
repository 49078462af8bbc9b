<?php

/**
 * Generated from the core's tables by `make generate`; change core/src/error.rs instead.
 */

declare(strict_types=1);

namespace Katalys;

/**
 * The outbox cannot be used, or the update was not accepted.
 *
 * Codes: `outbox_failed`, `outbox_corrupt`, `outbox_newer`, `outbox_foreign`, `outbox_moved`,
 * `outbox_outcome_unknown`.
 */
class OutboxException extends KatalysException
{
}
