<?php

/**
 * Generated from the core's tables by `make generate`; change core/src/error.rs instead.
 */

declare(strict_types=1);

namespace Katalys;

/**
 * The outbox has reached its capacity; the update was not accepted.
 *
 * Code: `outbox_full`.
 */
final class OutboxFullException extends OutboxException
{
}
