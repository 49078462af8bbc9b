<?php

declare(strict_types=1);

namespace Katalys;

use Katalys\Internal\Handle;
use Katalys\Internal\Listeners;
use Katalys\Internal\Outcome;
use Katalys\Internal\Results;
use Psr\Log\LoggerInterface;

/**
 * Reports orders of one site.
 *
 *     $client = new Katalys\Client('abcd.com');
 *     $client->updateOrder('1001', ['order_status' => 'paid']);
 *
 * Creating a client is cheap: clients with equal settings share their connections, and each worker
 * process of php-fpm keeps them between web requests. With an outbox, delivery continues in between.
 */
final class Client implements ClientInterface
{
    use ClientOptions;

    private Handle $handle;
    private ?LoggerInterface $logger;
    private Listeners $listeners;

    /**
     * Passes the events of the outbox to the listeners. The library keeps its client.
     */
    public function __destruct()
    {
        if (isset($this->listeners)) {
            $this->listeners->notify();
        }
    }

    public function updateOrder(
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] iterable $fields = [],
    ): Receipt {
        return $this->send(Handle::UPDATE, $orderId, $fields);
    }

    public function reportOrder(
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] iterable $fields = [],
    ): Receipt {
        return $this->send(Handle::REPORT, $orderId, $fields);
    }

    public function enqueueUpdate(
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] iterable $fields = [],
    ): Ticket {
        return $this->enqueue(Handle::UPDATE, $orderId, $fields);
    }

    public function enqueueReport(
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] iterable $fields = [],
    ): Ticket {
        return $this->enqueue(Handle::REPORT, $orderId, $fields);
    }

    public function validateUpdate(
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] iterable $fields = [],
    ): Validation {
        return $this->validate(Handle::UPDATE, $orderId, $fields);
    }

    public function validateReport(
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] iterable $fields = [],
    ): Validation {
        return $this->validate(Handle::REPORT, $orderId, $fields);
    }

    public function stats(): Stats
    {
        return Results::make('Stats', $this->notifying(fn() => $this->handle->stats()));
    }

    public function flush(int|float $timeout = Defaults::WAIT): int
    {
        return $this->notifying(fn() => $this->handle->flush($timeout, closes: false));
    }

    public function close(int|float $timeout = Defaults::WAIT): int
    {
        return $this->notifying(fn() => $this->handle->flush($timeout, closes: true));
    }

    public function deadLetters(int $after = 0, int $limit = Defaults::PAGE): array
    {
        $make = static fn(array $fields) => Results::make('DeadLetter', $fields);

        return \array_map($make, $this->handle->deadLetters($after, $limit));
    }

    public function replay(int $id): bool
    {
        return $this->handle->deadLetter(Handle::REPLAY, $id);
    }

    public function discard(int $id): bool
    {
        return $this->handle->deadLetter(Handle::DISCARD, $id);
    }

    public function edit(int $id, #[\SensitiveParameter] iterable $fields): bool
    {
        return $this->handle->deadLetter(Handle::EDIT, $id, $fields);
    }

    /**
     * Called by the constructor, which is generated from the core's table of settings.
     *
     * @param array<string, mixed> $options
     */
    private function open(
        #[\SensitiveParameter] array $options,
        ?LoggerInterface $logger,
        ?callable $onEvent,
    ): void {
        $this->handle = new Handle($options);
        $this->logger = $logger;
        $this->listeners = new Listeners($this->handle, $logger, $onEvent);
    }

    private function send(
        int $call,
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] iterable $fields,
    ): Receipt {
        $answer = $this->call($call, $orderId, $fields);
        if ($answer[0] === '=') {
            return Results::receipt(\substr($answer, 1));
        }

        return $this->result($answer);
    }

    private function enqueue(
        int $call,
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] iterable $fields,
    ): Ticket {
        $answer = $this->call($call | Handle::ENQUEUE, $orderId, $fields);
        if ($answer[0] === '#') {
            return Results::ticket(\substr($answer, 1));
        }

        return $this->result($answer);
    }

    private function call(
        int $call,
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] iterable $fields,
    ): string {
        if ($this->logger !== null) {
            $call |= Handle::LOGGED;
        }
        $answer = $this->handle->call($call, $orderId, $fields);
        // After the call: a listener cannot prevent that the update is accepted.
        $this->listeners->notify();

        return $answer;
    }

    /**
     * Makes a call, and then passes events to the listeners.
     */
    private function notifying(\Closure $call): mixed
    {
        try {
            return $call();
        } finally {
            $this->listeners->notify();
        }
    }

    private function result(#[\SensitiveParameter] string $answer): object
    {
        $outcome = new Outcome($answer);
        $this->listeners->warn($outcome->newWarnings);

        return $outcome->unwrap();
    }

    private function validate(
        int $call,
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] iterable $fields,
    ): Validation {
        $answer = $this->handle->call($call | Handle::VALIDATE, $orderId, $fields);
        if ($answer[0] === '{') {
            return new Validation($answer);
        }

        return (new Outcome($answer))->unwrap();
    }
}
