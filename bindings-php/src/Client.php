<?php

declare(strict_types=1);

namespace Katalys;

use Katalys\Internal\Handle;
use Katalys\Internal\Outcome;
use Psr\Log\LoggerInterface;

/**
 * Reports orders of one site.
 *
 *     $client = new Katalys\Client('abcd.com');
 *     $client->updateOrder('1001', ['order_status' => 'paid']);
 *
 * Making one is cheap: clients with equal settings share their connections, and under php-fpm
 * each worker process keeps them from one web request to the next.
 *
 * @phpstan-import-type Fields from OrderFields
 */
final class Client
{
    use ClientOptions;

    private Handle $handle;
    private ?LoggerInterface $logger;

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
    private function open(#[\SensitiveParameter] array $options, ?LoggerInterface $logger): void
    {
        $this->handle = new Handle($options);
        $this->logger = $logger;
    }

    private function send(
        int $call,
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] array $fields,
    ): Receipt {
        if ($this->logger !== null) {
            $call |= Handle::LOGGED;
        }
        $answer = $this->handle->call($call, $orderId, $fields);
        if ($answer[0] === '=') {
            [$attempts, $elapsed] = \explode(' ', $answer);

            return new Receipt((int) \substr($attempts, 1), (float) $elapsed);
        }
        $outcome = new Outcome($answer);
        if ($this->logger !== null) {
            $outcome->log($this->logger);
        }
        if ($outcome->failed()) {
            throw $outcome->exception();
        }

        return $outcome->receipt();
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
