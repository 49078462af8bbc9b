<?php

declare(strict_types=1);

namespace Katalys;

/**
 * There was no answer within the time limit.
 */
final class TimeoutException extends KatalysException
{
}
