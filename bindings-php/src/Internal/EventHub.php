<?php

declare(strict_types=1);

namespace Katalys\Internal;

/**
 * Hands the events of an outbox to the listeners of all clients that share it. The library keeps them
 * until this asks, since PHP cannot be called from the library's threads.
 *
 * @internal
 */
final class EventHub
{
    /** @var array<int, \WeakReference<self>> by the library's client */
    private static array $hubs = [];

    /** @var list<\WeakReference<Listeners>> */
    private array $listeners = [];

    private function __construct(private Handle $handle)
    {
        $handle->observe();
    }

    public function __destruct()
    {
        unset(self::$hubs[$this->handle->id()]);
    }

    /**
     * The hub of the library's client behind a handle; it lives as long as its listeners.
     */
    public static function of(Handle $handle): self
    {
        $id = $handle->id();
        $hub = (self::$hubs[$id] ?? null)?->get();
        if ($hub === null) {
            $hub = new self($handle);
            self::$hubs[$id] = \WeakReference::create($hub);
        }

        return $hub;
    }

    public function add(Listeners $listeners): void
    {
        $this->listeners[] = \WeakReference::create($listeners);
    }

    public function tell(): void
    {
        $news = $this->handle->events();
        if ($news === null) {
            return;
        }
        $listeners = $this->living();
        foreach ($news['lost'] > 0 ? $listeners : [] as $listener) {
            $listener->miss($news['lost']);
        }
        foreach ($news['events'] as $event) {
            foreach ($listeners as $listener) {
                $listener->hear($event);
            }
        }
    }

    /**
     * @return list<Listeners>
     */
    private function living(): array
    {
        $living = \array_filter($this->listeners, static fn(\WeakReference $one) => $one->get() !== null);
        $this->listeners = \array_values($living);

        return \array_map(static fn(\WeakReference $one) => $one->get(), $this->listeners);
    }
}
