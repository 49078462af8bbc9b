<?php

/**
 * Generated from the core's tables by `make generate`; change core/src/config/wait.rs instead.
 */

declare(strict_types=1);

namespace Katalys;

/**
 * The defaults of a client's methods.
 */
final class Defaults
{
    /** How long flush() and close() wait, in seconds. */
    public const WAIT = 10.0;

    /** Maximum number of dead letters that one call returns. */
    public const PAGE = 1000;
}
