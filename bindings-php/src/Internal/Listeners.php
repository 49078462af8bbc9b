<?php

declare(strict_types=1);

namespace Katalys\Internal;

use Katalys\Problem;
use Psr\Log\LoggerInterface;

/**
 * Passes the events and errors of one client to its logger and its onEvent, or to PHP's error log if
 * there is no logger. None of them can make a call fail: their exceptions go to the error log.
 *
 * @internal
 */
final class Listeners
{
    private ?\Closure $onEvent;
    private ?EventHub $hub = null;
    private bool $hasFailed = false;

    public function __construct(
        private Handle $handle,
        private ?LoggerInterface $logger,
        ?callable $onEvent,
    ) {
        $this->onEvent = $onEvent === null ? null : \Closure::fromCallable($onEvent);
        if ($logger !== null || $onEvent !== null) {
            $this->hub = EventHub::of($handle);
            $this->hub->add($this);
        }
    }

    /**
     * Passes on the events and errors since the last call.
     */
    public function notify(): void
    {
        $this->hub?->notify();
        // A logger receives dead letters as events.
        foreach ($this->handle->errors(withEvents: $this->logger === null) as $message) {
            if ($this->logger === null || !$this->try(fn() => $this->logger->error($message))) {
                \error_log("katalys: $message");
            }
        }
    }

    /**
     * @param list<Problem> $warnings
     */
    public function warn(array $warnings): void
    {
        foreach ($this->logger === null ? [] : $warnings as $problem) {
            $context = ['code' => $problem->code, 'path' => $problem->path];
            $this->try(fn() => $this->logger->warning($problem->message, $context));
        }
    }

    /**
     * @param array{level: string, message: string, fields: array<string, mixed>} $event
     */
    public function onEvent(array $event): void
    {
        $fields = $event['fields'];
        if ($this->logger !== null) {
            $this->try(fn() => $this->logger->log($event['level'], $event['message'], $fields));
        }
        if ($this->onEvent !== null) {
            $this->try(fn() => ($this->onEvent)(Results::make('Event', $fields)));
        }
    }

    public function onLoss(int $lost): void
    {
        $message = '{lost} events of the outbox were dropped: too many occurred between two calls';
        $this->try(fn() => $this->logger?->warning($message, ['lost' => $lost]));
    }

    /**
     * Calls a listener. The first exception of each client is logged, without its message, which may
     * contain anything.
     */
    private function try(\Closure $call): bool
    {
        try {
            $call();

            return true;
        } catch (\Throwable $thrown) {
            if (!$this->hasFailed) {
                $this->hasFailed = true;
                $where = \basename($thrown->getFile()) . ':' . $thrown->getLine();
                \error_log('katalys: a logger or event listener threw ' . $thrown::class . " ($where); "
                    . 'further exceptions are not logged');
            }

            return false;
        }
    }
}
