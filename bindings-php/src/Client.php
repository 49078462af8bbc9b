<?php

declare(strict_types=1);

namespace Katalys;

use Katalys\Internal\Handle;
use Katalys\Internal\Listeners;
use Katalys\Internal\Outcome;
use Psr\Log\LoggerInterface;

/**
 * Reports orders of one site.
 *
 *     $client = new Katalys\Client('abcd.com');
 *     $client->updateOrder('1001', ['order_status' => 'paid']);
 *
 * Making one is cheap: clients with equal settings share their connections, and under php-fpm
 * each worker process keeps them from one web request to the next. With an outbox, delivery
 * continues in between.
 */
final class Client implements ClientInterface
{
    use ClientOptions;

    private Handle $handle;
    private ?LoggerInterface $logger;
    private Listeners $listeners;

    /**
     * Tells the listeners what has happened in the outbox until now. The library keeps its client.
     */
    public function __destruct()
    {
        if (isset($this->listeners)) {
            $this->listeners->tell();
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
        $stats = $this->told(fn() => $this->handle->stats());

        return new Stats(
            $stats['accepted'],
            $stats['delivered'],
            $stats['pending'],
            $stats['in_flight'],
            $stats['dead'],
            $stats['discarded'],
            $stats['oldest_pending_seconds'],
        );
    }

    public function flush(int|float $timeout): int
    {
        return $this->told(fn() => $this->handle->flush($timeout, closes: false));
    }

    public function close(int|float $timeout): int
    {
        return $this->told(fn() => $this->handle->flush($timeout, closes: true));
    }

    public function deadLetters(int $after = 0, int $limit = 1000): array
    {
        $letters = [];
        foreach ($this->handle->deadLetters($after, $limit) as $letter) {
            $diedAt = \DateTimeImmutable::createFromFormat('U.u', \sprintf('%.6F', $letter['died_at']));
            $letters[] = new DeadLetter(
                $letter['id'],
                $letter['order_id'],
                $letter['site_id'],
                $letter['payload'],
                $letter['status'],
                $letter['code'],
                $letter['reason'],
                $diedAt,
            );
        }

        return $letters;
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
            [$attempts, $elapsed] = \explode(' ', $answer);

            return new Receipt((int) \substr($attempts, 1), (float) $elapsed);
        }

        return $this->outcome($answer)->receipt();
    }

    private function enqueue(
        int $call,
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] iterable $fields,
    ): Ticket {
        $answer = $this->call($call | Handle::ENQUEUE, $orderId, $fields);
        if ($answer[0] === '#') {
            return new Ticket((int) \substr($answer, 1));
        }

        return $this->outcome($answer)->ticket();
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
        // After the call: the update is accepted, whatever a listener does.
        $this->listeners->tell();

        return $answer;
    }

    /**
     * The result of a call, after which the listeners are told.
     */
    private function told(\Closure $call): mixed
    {
        try {
            return $call();
        } finally {
            $this->listeners->tell();
        }
    }

    private function outcome(#[\SensitiveParameter] string $answer): Outcome
    {
        $outcome = new Outcome($answer);
        $this->listeners->warn($outcome->newWarnings());
        if ($outcome->failed()) {
            throw $outcome->exception();
        }

        return $outcome;
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

        return (new Outcome($answer))->validation();
    }
}
