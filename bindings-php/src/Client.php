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
 * each worker process keeps them from one web request to the next. With an outbox, delivery goes
 * on in between.
 *
 * @phpstan-import-type Fields from OrderFields
 */
final class Client
{
    use ClientOptions;

    private Handle $handle;
    private ?LoggerInterface $logger;
    private ?Listeners $listeners = null;

    /**
     * Tells of what has happened in the outbox up to now. The client of the library lives on.
     */
    public function __destruct()
    {
        $this->listeners?->tell();
    }

    /**
     * Reports what became of an order, and waits until the endpoint has it.
     *
     * @param string|int|\Stringable|\BackedEnum|null $orderId Exactly the value given on the
     * Thank-You page.
     * @param Fields $fields The order's fields; see OrderFields.
     *
     * @throws ValidationException if the update cannot be right.
     * @throws RejectedException if the endpoint answers with anything but 204.
     * @throws TransportException if there is no answer.
     * @throws TimeoutException if there is none within the time limit.
     */
    public function updateOrder(
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] array $fields = [],
    ): Receipt {
        return $this->send(Handle::UPDATE, $orderId, $fields);
    }

    /**
     * Reports an order as a whole, with the fields the endpoint requires of it, and waits until
     * the endpoint has it. Without an order_time, the time of this call is sent.
     *
     * @param string|int|\Stringable|\BackedEnum|null $orderId Exactly the value given on the
     * Thank-You page.
     * @param Fields $fields The order's fields; see OrderFields.
     *
     * @throws ValidationException if the report cannot be right.
     * @throws RejectedException if the endpoint answers with anything but 204.
     * @throws TransportException if there is no answer.
     * @throws TimeoutException if there is none within the time limit.
     */
    public function reportOrder(
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] array $fields = [],
    ): Receipt {
        return $this->send(Handle::REPORT, $orderId, $fields);
    }

    /**
     * Puts what became of an order into the outbox, and returns when it is safe on disk. It is
     * sent in the background, after the earlier updates of the same order.
     *
     * @param string|int|\Stringable|\BackedEnum|null $orderId Exactly the value given on the
     * Thank-You page.
     * @param Fields $fields The order's fields; see OrderFields.
     *
     * @throws ValidationException if the update cannot be right.
     * @throws OutboxFullException if the outbox holds as much as it may.
     * @throws OutboxException if it cannot be written.
     * @throws ConfigException on a client without an outbox.
     */
    public function enqueueUpdate(
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] array $fields = [],
    ): Ticket {
        return $this->enqueue(Handle::UPDATE, $orderId, $fields);
    }

    /**
     * Puts an order as a whole into the outbox, with the fields the endpoint requires of it, as
     * enqueueUpdate() does. Without an order_time, the time of this call is sent.
     *
     * @param string|int|\Stringable|\BackedEnum|null $orderId Exactly the value given on the
     * Thank-You page.
     * @param Fields $fields The order's fields; see OrderFields.
     *
     * @throws ValidationException if the report cannot be right.
     * @throws OutboxFullException if the outbox holds as much as it may.
     * @throws OutboxException if it cannot be written.
     * @throws ConfigException on a client without an outbox.
     */
    public function enqueueReport(
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] array $fields = [],
    ): Ticket {
        return $this->enqueue(Handle::REPORT, $orderId, $fields);
    }

    /**
     * What happened to all updates of the outbox.
     *
     * @throws OutboxException if it cannot be read.
     * @throws ConfigException on a client without an outbox, as from all methods below.
     */
    public function stats(): Stats
    {
        $stats = $this->handle->stats();

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

    /**
     * Waits until every update is delivered or a dead letter, by whatever process.
     *
     * @param int|float $timeout The most seconds to wait.
     *
     * @return int How many updates are left.
     *
     * @throws OutboxException
     */
    public function flush(int|float $timeout): int
    {
        $left = $this->handle->flush($timeout, closes: false);
        $this->listeners?->tell();

        return $left;
    }

    /**
     * Ends the delivery of all clients of this process with the same settings: nothing new is
     * sent, and what is on its way comes to its end. The rest stays in the file for the next
     * client. There is no need for it at the end of a script.
     *
     * @param int|float $timeout The most seconds to wait for what is on its way.
     *
     * @return int How many updates are left.
     *
     * @throws OutboxException
     */
    public function close(int|float $timeout): int
    {
        $left = $this->handle->flush($timeout, closes: true);
        $this->listeners?->tell();

        return $left;
    }

    /**
     * The dead letters after this number, in order.
     *
     * @param int $after The number of the last one of the page before.
     * @param int $limit The most to return.
     *
     * @return list<DeadLetter>
     *
     * @throws OutboxException
     */
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

    /**
     * Puts a dead letter back into its order's lane, at its old place.
     *
     * @return bool Whether there is one of that number.
     *
     * @throws OutboxException
     */
    public function replay(int $id): bool
    {
        return $this->handle->deadLetter(Handle::REPLAY, $id);
    }

    /**
     * Removes a dead letter for good; it is counted.
     *
     * @return bool Whether there is one of that number.
     *
     * @throws OutboxException
     */
    public function discard(int $id): bool
    {
        return $this->handle->deadLetter(Handle::DISCARD, $id);
    }

    /**
     * Changes fields of a dead letter, all others staying as they are; null takes one out. It
     * stays a dead letter until it is replayed.
     *
     * @param Fields $fields
     *
     * @return bool Whether there is one of that number.
     *
     * @throws ValidationException if the update cannot be right with these fields.
     * @throws OutboxException
     */
    public function edit(int $id, #[\SensitiveParameter] array $fields): bool
    {
        return $this->handle->deadLetter(Handle::EDIT, $id, $fields);
    }

    /**
     * Checks what updateOrder() would send, and sends nothing.
     *
     * @param string|int|\Stringable|\BackedEnum|null $orderId
     * @param Fields $fields
     */
    public function validateUpdate(
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] array $fields = [],
    ): Validation {
        return $this->validate(Handle::UPDATE, $orderId, $fields);
    }

    /**
     * Checks what reportOrder() would send, and sends nothing.
     *
     * @param string|int|\Stringable|\BackedEnum|null $orderId
     * @param Fields $fields
     */
    public function validateReport(
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] array $fields = [],
    ): Validation {
        return $this->validate(Handle::REPORT, $orderId, $fields);
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
        if ($logger !== null || $onEvent !== null) {
            $this->listeners = new Listeners($this->handle, $logger, $onEvent);
        }
    }

    private function send(
        int $call,
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] array $fields,
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
        #[\SensitiveParameter] array $fields,
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
        #[\SensitiveParameter] array $fields,
    ): string {
        // Before the call, so that a listener that throws does not hide what came of it.
        $this->listeners?->tell();
        if ($this->logger !== null) {
            $call |= Handle::LOGGED;
        }

        return $this->handle->call($call, $orderId, $fields);
    }

    private function outcome(#[\SensitiveParameter] string $answer): Outcome
    {
        $outcome = new Outcome($answer);
        if ($this->logger !== null) {
            $outcome->log($this->logger);
        }
        if ($outcome->failed()) {
            throw $outcome->exception();
        }

        return $outcome;
    }

    private function validate(
        int $call,
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] array $fields,
    ): Validation {
        $answer = $this->handle->call($call | Handle::VALIDATE, $orderId, $fields);
        if ($answer[0] === '{') {
            return new Validation($answer);
        }

        return (new Outcome($answer))->validation();
    }
}
