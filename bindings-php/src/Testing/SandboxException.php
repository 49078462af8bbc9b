<?php

declare(strict_types=1);

namespace Katalys\Testing;

/**
 * The sandbox could not be started (getCode() is 0), or refused a call; getCode() is then the HTTP
 * status: 404 for an unknown order, 408 when a wait times out.
 */
final class SandboxException extends \RuntimeException
{
}
