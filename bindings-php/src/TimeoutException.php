<?php

declare(strict_types=1);

namespace Katalys;

/**
 * There was no answer within the time limit: code timeout, or timeout_pending where the update is in the
 * outbox, as number `ticket`, and will be sent; do not send it again.
 */
final class TimeoutException extends KatalysException
{
}
