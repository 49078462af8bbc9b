<?php

/**
 * Generated from the core's tables by `make generate`; change core/src/error.rs instead.
 */

declare(strict_types=1);

namespace Katalys;

/**
 * There was no answer within the time limit. With a ticket, the update is in the outbox and will be
 * sent; do not send it again.
 *
 * Codes: `timeout`, `timeout_pending`.
 */
final class TimeoutException extends KatalysException
{
}
