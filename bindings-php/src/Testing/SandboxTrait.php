<?php

declare(strict_types=1);

namespace Katalys\Testing;

use PHPUnit\Framework\Attributes\After;
use PHPUnit\Framework\Attributes\Before;

// When PHPUnit loads the first test case that has the trait, which is before it runs any test.
Sandbox::contain();

/**
 * For a PHPUnit test case: a stand-in for Katalys' endpoint, one per process, empty at the beginning
 * of each test, that clients report to whose `endpoint` is not on this machine. For the rest of the
 * test run, such clients reach nothing, and no outbox of the shop's own is opened.
 */
trait SandboxTrait
{
    private string|false $endpointBefore = false;

    protected function sandbox(): Sandbox
    {
        return Sandbox::shared();
    }

    /**
     * Asserts that these fields of an order are exactly so, within some seconds.
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
