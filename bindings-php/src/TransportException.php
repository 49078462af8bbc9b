<?php

declare(strict_types=1);

namespace Katalys;

/**
 * There was no answer: code dns, connect, disconnected, certificate, tls, protocol or proxy.
 */
final class TransportException extends KatalysException
{
}
