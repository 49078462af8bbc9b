<?php

declare(strict_types=1);

namespace Katalys\Testing;

/**
 * The sandbox could not be started (getCode() is 0), or refused a call; getCode() is then the HTTP
 * status: 404 for an order that is not there, 408 for one that was waited for in vain.
 */
final class SandboxException extends \RuntimeException
{
}
