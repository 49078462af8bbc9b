<?php

declare(strict_types=1);

namespace Katalys\Testing;

use PHPUnit\Framework\Attributes\After;
use PHPUnit\Framework\Attributes\Before;

// PHPUnit loads the first test case with the trait before it runs any test.
Sandbox::contain();

/**
 * For a PHPUnit test case: a local substitute for Katalys' endpoint, one per process, which is empty
 * at the beginning of each test. It receives the requests of all clients whose `endpoint` is on another
 * machine. In the rest of the test run, such clients send nothing, and the shop's outbox is not opened.
 */
trait SandboxTrait
{
    private string|false $endpointBefore = false;

    protected function sandbox(): Sandbox
    {
        return Sandbox::shared();
    }

    /**
     * Asserts that an order has exactly these values, within some seconds.
     *
     * @param array<string, mixed> $fields As they are sent, such as `line_item_1_title`.
     */
    protected function assertOrder(string|int $orderId, array $fields, float $timeout = 5): void
    {
        try {
            $order = $this->sandbox()->waitFor($orderId, $fields['order_status'] ?? null, timeout: $timeout);
        } catch (SandboxException $exception) {
            self::fail("order $orderId: {$exception->getMessage()}");
        }
        $actual = [];
        foreach (\array_keys($fields) as $name) {
            $actual[$name] = $order['fields'][$name] ?? null;
        }
        self::assertSame($fields, $actual, "order $orderId");
    }

    /**
     * @internal
     *
     * @before
     */
    #[Before]
    public function beginWithAnEmptySandbox(): void
    {
        $this->sandbox()->clear();
        $this->endpointBefore = \getenv('KATALYS_ENDPOINT');
        \putenv("KATALYS_ENDPOINT={$this->sandbox()->endpoint}");
    }

    /**
     * @internal
     *
     * @after
     */
    #[After]
    public function leaveTheSandbox(): void
    {
        $before = $this->endpointBefore;
        \putenv($before === false ? 'KATALYS_ENDPOINT' : "KATALYS_ENDPOINT=$before");
    }
}
