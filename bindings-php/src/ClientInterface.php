<?php

declare(strict_types=1);

namespace Katalys;

/**
 * The methods of a client, for code whose tests replace it.
 *
 * `$fields` are the fields of an order by name; see OrderFields. Lists (`line_items`, `discounts`) and
 * their records may be arrays or any Traversable. An exception of an iterator is passed on, and then
 * nothing was sent.
 *
 * @phpstan-import-type Fields from OrderFields
 */
interface ClientInterface
{
    /**
     * Reports the state of an order, and waits until the endpoint has received it.
     *
     * @param string|int|\Stringable|\BackedEnum|null $orderId Exactly the value given on the
     * Thank-You page.
     * @param Fields|\Traversable<string, mixed> $fields
     *
     * @throws ValidationException if the update is invalid; it was not sent.
     * @throws RejectedException if the endpoint answers with anything but 204.
     * @throws TransportException if there is no answer.
     * @throws TimeoutException if there is none within the time limit. With an outbox, the code is
     * timeout_pending and `ticket` the update's number: it will be sent, so do not send it again.
     */
    public function updateOrder(
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] iterable $fields = [],
    ): Receipt;

    /**
     * Reports a whole order, with the fields that the endpoint requires, and waits until the endpoint
     * has received it. Without an order_time, the time of this call is sent.
     *
     * @param string|int|\Stringable|\BackedEnum|null $orderId Exactly the value given on the
     * Thank-You page.
     * @param Fields|\Traversable<string, mixed> $fields
     *
     * @throws KatalysException as updateOrder() does.
     */
    public function reportOrder(
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] iterable $fields = [],
    ): Receipt;

    /**
     * Puts an update into the outbox, and returns once it is stored on disk. It is sent in the
     * background, after the earlier updates of the same order.
     *
     * @param string|int|\Stringable|\BackedEnum|null $orderId Exactly the value given on the
     * Thank-You page.
     * @param Fields|\Traversable<string, mixed> $fields
     *
     * @throws ValidationException if the update is invalid; it was not accepted.
     * @throws OutboxFullException if the outbox has reached its capacity.
     * @throws OutboxException if it cannot be written.
     * @throws ConfigException on a client without an outbox.
     */
    public function enqueueUpdate(
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] iterable $fields = [],
    ): Ticket;

    /**
     * Puts a whole order into the outbox, with the fields that the endpoint requires, like
     * enqueueUpdate(). Without an order_time, the time of this call is sent.
     *
     * @param string|int|\Stringable|\BackedEnum|null $orderId Exactly the value given on the
     * Thank-You page.
     * @param Fields|\Traversable<string, mixed> $fields
     *
     * @throws KatalysException as enqueueUpdate() does.
     */
    public function enqueueReport(
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] iterable $fields = [],
    ): Ticket;

    /**
     * Checks what updateOrder() would send, and sends nothing.
     *
     * @param string|int|\Stringable|\BackedEnum|null $orderId
     * @param Fields|\Traversable<string, mixed> $fields
     */
    public function validateUpdate(
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] iterable $fields = [],
    ): Validation;

    /**
     * Checks what reportOrder() would send, and sends nothing.
     *
     * @param string|int|\Stringable|\BackedEnum|null $orderId
     * @param Fields|\Traversable<string, mixed> $fields
     */
    public function validateReport(
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] iterable $fields = [],
    ): Validation;

    /**
     * Counters of the outbox, of all processes that share it.
     *
     * @throws OutboxException if it cannot be read.
     * @throws ConfigException on a client without an outbox, as from all methods below but close().
     */
    public function stats(): Stats;

    /**
     * Waits until every update is delivered, by any process, or a dead letter.
     *
     * @param int|float $timeout In seconds, from 0 to 366 days. Client has a default, Defaults::WAIT.
     *
     * @return int The number of updates that are left.
     *
     * @throws OutboxException
     */
    public function flush(int|float $timeout): int;

    /**
     * Ends the delivery of all clients of this process with the same settings: no further request is
     * made, and this waits for those in flight. Pending updates stay in the file for the next client. A
     * script need not call it at its end. Does nothing on a client without an outbox.
     *
     * @param int|float $timeout In seconds, from 0 to 366 days. Client has a default, Defaults::WAIT.
     *
     * @return int The number of updates that are left.
     *
     * @throws OutboxException
     */
    public function close(int|float $timeout): int;

    /**
     * The dead letters after this number, in order.
     *
     * @param int $after The number of the last dead letter on the previous page.
     * @param int $limit The size of a page.
     *
     * @return list<DeadLetter>
     *
     * @throws OutboxException
     */
    public function deadLetters(int $after = 0, int $limit = Defaults::PAGE): array;

    /**
     * Puts a dead letter back into its order's lane, at its original place.
     *
     * @return bool Whether there is one of that number.
     *
     * @throws OutboxException
     */
    public function replay(int $id): bool;

    /**
     * Removes a dead letter, and counts it as discarded.
     *
     * @return bool Whether there is one of that number.
     *
     * @throws OutboxException
     */
    public function discard(int $id): bool;

    /**
     * Changes fields of a dead letter; all others keep their values, and null removes one. It remains a
     * dead letter until it is replayed.
     *
     * @param Fields|\Traversable<string, mixed> $fields
     *
     * @return bool Whether there is one of that number.
     *
     * @throws ValidationException if the update is invalid with these fields.
     * @throws OutboxException
     */
    public function edit(int $id, #[\SensitiveParameter] iterable $fields): bool;
}
