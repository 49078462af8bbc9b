<?php

declare(strict_types=1);

namespace Katalys;

/**
 * The client cannot be made from these settings; the message says which, and how to fix it.
 */
final class ConfigException extends KatalysException
{
}
