<?php

/**
 * Generated from the core's tables by `make generate`; change core/src/error.rs instead.
 */

declare(strict_types=1);

namespace Katalys;

/**
 * The client cannot be created from these settings.
 *
 * Codes: `config_missing`, `config_invalid`, `config_unknown`.
 */
final class ConfigException extends KatalysException
{
}
