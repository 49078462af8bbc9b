<?php

declare(strict_types=1);

namespace Katalys\Internal;

use Katalys\Event;
use Psr\Log\LoggerInterface;

/**
 * Hands on what happens in the outbox. The library keeps it until this asks for it, since PHP
 * cannot be called from the library's threads.
 *
 * @internal
 */
final class Listeners
{
    private ?\Closure $onEvent;

    public function __construct(
        private Handle $handle,
        private ?LoggerInterface $logger,
        ?callable $onEvent,
    ) {
        $this->onEvent = $onEvent === null ? null : \Closure::fromCallable($onEvent);
        $handle->observe();
    }

    public function tell(): void
    {
        $news = $this->handle->events();
        if ($news === null) {
            return;
        }
        if ($news['lost'] > 0) {
            $this->logger?->warning('{lost} events of the outbox were lost: too many came between two calls', [
                'lost' => $news['lost'],
            ]);
        }
        foreach ($news['events'] as $event) {
            $context = \array_diff_key($event, ['level' => 0, 'message' => 0]);
            $this->logger?->log($event['level'], $event['message'], $context);
            if ($this->onEvent !== null) {
                ($this->onEvent)(new Event(
                    $event['kind'],
                    $event['id'],
                    $event['order'],
                    $event['attempts'],
                    $event['status'],
                    $event['code'],
                ));
            }
        }
    }
}
