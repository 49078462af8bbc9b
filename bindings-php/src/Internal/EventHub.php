<?php

declare(strict_types=1);

namespace Katalys\Internal;

/**
 * Passes the events of an outbox to the listeners of all clients that share it. The library collects
 * them until they are read here, since its threads cannot call PHP.
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

    public function notify(): void
    {
        $collected = $this->handle->events();
        if ($collected === null) {
            return;
        }
        $listeners = $this->living();
        foreach ($collected['lost'] > 0 ? $listeners : [] as $listener) {
            $listener->onLoss($collected['lost']);
        }
        foreach ($collected['events'] as $event) {
            foreach ($listeners as $listener) {
                $listener->onEvent($event);
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
