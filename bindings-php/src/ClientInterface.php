<?php

declare(strict_types=1);

namespace Katalys;

/**
 * What a client does; for code that is given one, so that its tests may give it another.
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
     * Reports what became of an order, and waits until the endpoint has it.
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
     * Reports an order as a whole, with the fields the endpoint requires of it, and waits until
     * the endpoint has it. Without an order_time, the time of this call is sent.
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
     * Puts what became of an order into the outbox, and returns when it is safe on disk. It is
     * sent in the background, after the earlier updates of the same order.
     *
     * @param string|int|\Stringable|\BackedEnum|null $orderId Exactly the value given on the
     * Thank-You page.
     * @param Fields|\Traversable<string, mixed> $fields
     *
     * @throws ValidationException if the update is invalid; it was not accepted.
     * @throws OutboxFullException if the outbox holds as much as it may.
     * @throws OutboxException if it cannot be written.
     * @throws ConfigException on a client without an outbox.
     */
    public function enqueueUpdate(
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] iterable $fields = [],
    ): Ticket;

    /**
     * Puts an order as a whole into the outbox, with the fields the endpoint requires of it, as
     * enqueueUpdate() does. Without an order_time, the time of this call is sent.
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
     * Waits until every update is delivered or a dead letter, by whatever process.
     *
     * @param int|float $timeout Up to how many seconds; 0 or more.
     *
     * @return int How many updates are left.
     *
     * @throws OutboxException
     */
    public function flush(int|float $timeout): int;

    /**
     * Ends the delivery of all clients of this process with the same settings: no further request is
     * made, and this waits for those in flight. The rest stays in the file for the next
     * client. A script need not call it at its end. Does nothing on a client without an outbox.
     *
     * @param int|float $timeout Up to how many seconds to wait; 0 or more.
     *
     * @return int How many updates are left.
     *
     * @throws OutboxException
     */
    public function close(int|float $timeout): int;

    /**
     * The dead letters after this number, in order.
     *
     * @param int $after The number of the last one of the page before.
     * @param int $limit At most so many are returned.
     *
     * @return list<DeadLetter>
     *
     * @throws OutboxException
     */
    public function deadLetters(int $after = 0, int $limit = 1000): array;

    /**
     * Puts a dead letter back into its order's lane, at its old place.
     *
     * @return bool Whether there is one of that number.
     *
     * @throws OutboxException
     */
    public function replay(int $id): bool;

    /**
     * Removes a dead letter for good; it is counted.
     *
     * @return bool Whether there is one of that number.
     *
     * @throws OutboxException
     */
    public function discard(int $id): bool;

    /**
     * Changes fields of a dead letter, all others staying as they are; null takes one out. It
     * stays a dead letter until it is replayed.
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
