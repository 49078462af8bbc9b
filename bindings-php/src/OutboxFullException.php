<?php

declare(strict_types=1);

namespace Katalys;

/**
 * The outbox holds as much as capacityRows or capacityBytes allow; the update was not accepted.
 */
final class OutboxFullException extends KatalysException
{
}
