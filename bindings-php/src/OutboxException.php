<?php

declare(strict_types=1);

namespace Katalys;

/**
 * The outbox could not be read or written: code outbox_failed, outbox_corrupt, outbox_newer,
 * outbox_foreign or outbox_moved. An update that was to be kept was not accepted.
 */
final class OutboxException extends KatalysException
{
}
