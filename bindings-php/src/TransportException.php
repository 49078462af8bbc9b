<?php

/**
 * Generated from the core's tables by `make generate`; change core/src/error.rs instead.
 */

declare(strict_types=1);

namespace Katalys;

/**
 * There was no answer.
 *
 * Codes: `dns`, `connect`, `disconnected`, `certificate`, `tls`, `protocol`, `proxy`.
 */
final class TransportException extends KatalysException
{
}
