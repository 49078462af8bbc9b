<?php

declare(strict_types=1);

namespace Katalys\Tests\Fpm;

use Katalys\Tests\Support\Endpoint;
use Katalys\Tests\Support\Program;
use Katalys\Tests\Support\Receiver;
use PHPUnit\Framework\TestCase;

require_once __DIR__ . '/Shop.php';

/**
 * A shop whose workers share one outbox.
 */
final class OutboxFpmTest extends TestCase
{
    private const ORDERS = 12;

    private ?Shop $shop = null;

    protected function tearDown(): void
    {
        $this->shop?->close();
    }

    public function testDeliveryContinuesBetweenRequests(): void
    {
        $this->shop = new Shop(workers: 1, requestsPerWorker: 0);
        $endpoint = Receiver::get()->endpoint('503', '204');
        $answer = $this->shop->request($this->query($endpoint, 1));
        self::assertSame(1, $answer['ticket'] ?? null, json_encode($answer));
        self::assertCount(2, $endpoint->records(2), 'it was retried while the shop had no request');
        $user = posix_getuid() === 0 ? 'www-data' : posix_getpwuid(posix_getuid())['name'];
        self::assertSame("$user 600", $this->shop->outboxRights());
    }

    /** The working folder is that of the site, which nginx serves. */
    public function testARelativePathIsRefused(): void
    {
        $this->shop = new Shop(workers: 1, requestsPerWorker: 0);
        $answer = $this->shop->request(['file' => 'katalys.db'] + $this->query(Receiver::get()->endpoint('204'), 1));
        self::assertSame('Katalys\ConfigException', $answer['class'] ?? $answer);
        self::assertStringStartsWith('outbox must be an absolute path under a web server', $answer['message']);
        self::assertSame([], glob($this->shop->package . '/../site/katalys.db*'));
    }

    public function testWorkersThatAreReplacedLoseNothing(): void
    {
        $this->shop = new Shop(workers: 6, requestsPerWorker: 3);
        $endpoint = $this->faulty();
        $numbers = range(1, 200);
        $answers = $this->shop->requestAtOnce(array_map(fn(int $number) => $this->query($endpoint, $number), $numbers));
        $tickets = array_combine($numbers, array_map(static fn(array $answer) => $answer['ticket'] ?? null, $answers));
        self::assertNotContains(null, $tickets, json_encode($answers));
        self::assertGreaterThanOrEqual(66, count(array_unique(array_column($answers, 'worker'))));
        $this->assertDelivered($endpoint, $tickets);
    }

    /** Without the setting, php-fpm kills its workers immediately, and the update is sent a second time. */
    public function testAReloadWithATimeLimitFinishesRequestsInFlight(): void
    {
        $this->shop = new Shop(workers: 1, requestsPerWorker: 0, master: 'process_control_timeout = 10s');
        $endpoint = Receiver::get()->endpoint('slow=1500', '204');
        self::assertSame(1, $this->shop->request($this->query($endpoint, 1))['ticket'] ?? null);
        self::assertCount(1, $endpoint->records(1), 'the request is in flight');
        $this->shop->reload();
        $this->assertDelivered($endpoint, [1 => 1]);
        self::assertCount(1, $endpoint->records());
    }

    public function testWorkersThatAreKilledLoseNothing(): void
    {
        $this->shop = new Shop(workers: 6, requestsPerWorker: 0);
        $endpoint = $this->faulty();
        $tickets = [];
        foreach (array_chunk(range(1, 320), 40) as $numbers) {
            $hasKilled = false;
            $answers = $this->shop->tryAtOnce(
                array_map(fn(int $number) => $this->query($endpoint, $number), $numbers),
                function () use (&$hasKilled): void {
                    if (!$hasKilled) {
                        $this->shop->killWorker();
                        $hasKilled = true;
                    }
                },
            );
            foreach ($answers as $index => $answer) {
                if (isset($answer['ticket'])) {
                    $tickets[$numbers[$index]] = $answer['ticket'];
                }
            }
        }
        self::assertGreaterThanOrEqual(250, count($tickets));
        $this->assertDelivered($endpoint, $tickets);
    }

    /** @return array<string, array{array<string, string>}> */
    public function waysToLoad(): array
    {
        return [
            'ffi.enable=1' => [['ffi.enable' => '1', 'opcache.preload' => '']],
            'ffi.enable=1 and a preload file' => [['ffi.enable' => '1']],
        ];
    }

    /**
     * A worker then has the library of each release that it has served, and all of them share the outbox;
     * a status page reads it with another SQLite.
     *
     * @dataProvider waysToLoad
     *
     * @param array<string, string> $settings
     */
    public function testReleasesThatAreSwitchedUnderLoadLoseNothing(array $settings): void
    {
        $this->shop = new Shop(workers: 3, requestsPerWorker: 0, settings: $settings);
        $endpoint = Receiver::get()->endpoint('204', 'slow=20', '204');
        $tickets = [];
        foreach (array_chunk(range(1, 600), 60) as $round => $numbers) {
            $queries = array_map(fn(int $number) => $this->query($endpoint, $number), $numbers);
            $isDeployed = false;
            $deploy = function () use (&$isDeployed): void {
                if (!$isDeployed) {
                    $this->shop->deploy();
                    $isDeployed = true;
                }
            };
            $status = array_fill(0, 10, ['status' => '1'] + $queries[0]);
            $answers = $this->shop->tryAtOnce([...$queries, ...$status], $round % 3 === 1 ? $deploy : static fn() => 0);
            foreach ($answers as $index => $answer) {
                if (isset($numbers[$index])) {
                    $tickets[$numbers[$index]] = $answer['ticket'] ?? json_encode($answer);
                } else {
                    self::assertIsInt($answer['pending'] ?? $answer);
                }
            }
        }
        $sorted = array_values($tickets);
        sort($sorted);
        self::assertSame(range(1, 600), $sorted, 'each ticket was given once');
        $this->assertDelivered($endpoint, $tickets);
        self::assertCount(600, $endpoint->records(), 'nothing was sent twice');
    }

    /**
     * Every update with a ticket was received, those of each order in the order of their tickets.
     *
     * @param array<int, int> $tickets by the update's number
     */
    private function assertDelivered(Endpoint $endpoint, array $tickets): void
    {
        $answer = [];
        // A request may reach a worker that has not delivered yet.
        Program::waitFor('all updates to be delivered', function () use ($endpoint, &$answer): bool {
            $answer = $this->shop->request($this->query($endpoint, 0) + ['flush' => '2']);

            return ($answer['left'] ?? null) === 0;
        });
        $stats = $answer['stats'];
        $counters = [$stats['delivered'], $stats['pending'], $stats['dead'], $stats['discarded']];
        self::assertSame([$stats['accepted'], 0, 0, 0], $counters);
        self::assertGreaterThanOrEqual(count($tickets), $stats['accepted']);
        asort($tickets);
        $expected = [];
        foreach (array_keys($tickets) as $number) {
            $expected[$number % self::ORDERS][] = $number;
        }
        $received = [];
        foreach ($endpoint->records() as $record) {
            $number = (int) (json_decode((string) $record['body'], true)['number'] ?? 0);
            $order = $number % self::ORDERS;
            $received[$order] ??= [];
            if (isset($tickets[$number]) && end($received[$order]) !== $number) {
                $received[$order][] = $number;
            }
        }
        ksort($expected);
        ksort($received);
        self::assertSame($expected, $received);
    }

    /** Every third request fails, in various ways, until the intended number has failed. */
    private function faulty(): Endpoint
    {
        $faults = ['503', 'reset-before', 'reset-after', 'close', '200', 'garbage'];
        $steps = [];
        for ($fault = 0; $fault < 30; $fault++) {
            array_push($steps, '204', 'slow=20', $faults[$fault % count($faults)]);
        }

        return Receiver::get()->endpoint(...$steps, ...['204']);
    }

    /** @return array<string, string> */
    private function query(Endpoint $endpoint, int $number): array
    {
        return [
            'endpoint' => $endpoint->url,
            'outbox' => '1',
            'order' => 'order-' . $number % self::ORDERS,
            'number' => (string) $number,
        ];
    }
}
