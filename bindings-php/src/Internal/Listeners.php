<?php

declare(strict_types=1);

namespace Katalys\Internal;

use Katalys\Event;
use Katalys\Problem;
use Psr\Log\LoggerInterface;

/**
 * Who is told of the events and errors of one client: its logger, its onEvent, and PHP's error log
 * where there is no logger. None of them can make a call fail: what they throw goes to the error log.
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
     * Passes on what has happened since the last time.
     */
    public function tell(): void
    {
        $this->hub?->tell();
        // A logger hears of dead letters as events.
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
     * @param array<string, mixed> $event
     */
    public function hear(array $event): void
    {
        if ($this->logger !== null) {
            $context = \array_diff_key($event, ['level' => 0, 'message' => 0]);
            $this->try(fn() => $this->logger->log($event['level'], $event['message'], $context));
        }
        if ($this->onEvent !== null) {
            $this->try(fn() => ($this->onEvent)(new Event(
                $event['kind'],
                $event['id'],
                $event['order'],
                $event['attempts'],
                $event['status'],
                $event['code'],
            )));
        }
    }

    public function miss(int $lost): void
    {
        $message = '{lost} events of the outbox were lost: too many came between two calls';
        $this->try(fn() => $this->logger?->warning($message, ['lost' => $lost]));
    }

    /**
     * Calls a listener. The first exception of each client is logged; its message is not, since it may
     * hold anything.
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
                    . 'what it throws from now on is not logged');
            }

            return false;
        }
    }
}
