<?php

declare(strict_types=1);

namespace Katalys\Tests\Fpm;

use Katalys\Tests\Support\Program;
use Katalys\Tests\Support\Receiver;
use PHPUnit\Framework\TestCase;

require_once __DIR__ . '/Shop.php';

/**
 * A shop in production: nginx, php-fpm, ffi.enable=preload and the package's preload file.
 */
final class FpmTest extends TestCase
{
    private ?Shop $shop = null;

    protected function tearDown(): void
    {
        $this->shop?->close();
    }

    public function testEachWorkerKeepsItsConnectionFromRequestToRequest(): void
    {
        $this->shop = new Shop(workers: 2, requestsPerWorker: 0);
        $endpoint = Receiver::get()->endpoint('204');
        $workers = [];
        for ($number = 0; $number < 40; $number++) {
            $workers[] = $this->update($endpoint->url, "1-$number");
        }
        $connections = array_column($endpoint->records(40), 'connection');
        self::assertCount(40, $connections);
        self::assertSame(count(array_unique($workers)), count(array_unique($connections)));
        self::assertLessThanOrEqual(2, count(array_unique($connections)));
    }

    public function testWorkersThatAreReplacedMakeOneConnectionEach(): void
    {
        $this->shop = new Shop(workers: 2, requestsPerWorker: 5);
        $endpoint = Receiver::get()->endpoint('204');
        $workers = [];
        for ($number = 0; $number < 60; $number++) {
            $workers[] = $this->update($endpoint->url, "2-$number");
        }
        self::assertGreaterThanOrEqual(12, count(array_unique($workers)));
        $connections = array_column($endpoint->records(60), 'connection');
        self::assertCount(60, $connections, 'each update was received once');
        self::assertSame(count(array_unique($workers)), count(array_unique($connections)));
        self::assertSame(max(array_count_values($workers)), max(array_count_values($connections)));
    }

    public function testAReloadLosesNothing(): void
    {
        $this->shop = new Shop(workers: 2, requestsPerWorker: 0);
        $endpoint = Receiver::get()->endpoint('204');
        $before = $this->update($endpoint->url, '3-before');
        $this->shop->reload();
        $after = $this->update($endpoint->url, '3-after');
        self::assertNotSame($before, $after);
        self::assertCount(2, $endpoint->records(2));
    }

    public function testManyRequestsAtOnceAreAllReceived(): void
    {
        $this->shop = new Shop(workers: 8, requestsPerWorker: 20);
        $endpoint = Receiver::get()->endpoint('204');
        $answers = $this->shop->requestAtOnce(
            array_map(static fn(int $number) => ['endpoint' => $endpoint->url, 'order' => "4-$number"], range(1, 200)),
        );
        $kinds = array_count_values(array_map(static fn(array $answer) => $answer['class'] ?? 'received', $answers));
        self::assertSame(['received' => 200], $kinds);
        $orders = array_map(
            static fn(array $record) => json_decode($record['body'], true)['order_id'],
            $endpoint->records(200),
        );
        self::assertCount(200, array_unique($orders));
        $workers = array_unique(array_column($answers, 'worker'));
        self::assertCount(count($workers), array_unique(array_column($endpoint->records(), 'connection')));
    }

    public function testAnUpdateThatIsRefusedReachesThePageAsAnException(): void
    {
        $this->shop = new Shop(workers: 1, requestsPerWorker: 0);
        $answer = $this->shop->request(['endpoint' => Receiver::get()->endpoint('404')->url, 'order' => '5']);
        self::assertSame('Katalys\RejectedException', $answer['class']);
        self::assertSame(404, $answer['status']);
        $answer = $this->shop->request(['endpoint' => Receiver::get()->endpoint('204')->url, 'order' => '']);
        self::assertSame('Katalys\ValidationException', $answer['class']);
    }

    public function testFfiThatIsOffIsOneClearException(): void
    {
        $this->shop = new Shop(workers: 1, requestsPerWorker: 0, settings: ['ffi.enable' => '0']);
        $this->expectSetting('ffi.enable is off; set ffi.enable=preload, opcache.enable=1');
    }

    /** Root starts PHP, as with Debian's php-fpm, so opcache.preload_user is required. */
    public function testTheSettingsThatTheMessageNamesWork(): void
    {
        $none = ['ffi.enable' => '', 'opcache.enable' => '', 'opcache.preload' => '', 'opcache.preload_user' => ''];
        $this->shop = new Shop(workers: 1, requestsPerWorker: 0, settings: $none);
        $message = $this->shop->request(['endpoint' => 'http://127.0.0.1:9/', 'order' => '1'])['message'];
        preg_match('/; set (.+?) in /', $message, $advice);
        preg_match_all('/([a-z_.]+)=([^\s,]+)/', $advice[1], $settings);
        $expected = ['ffi.enable', 'opcache.enable', 'opcache.preload', 'opcache.preload_user'];
        self::assertSame($expected, $settings[1]);
        $first = $this->shop;
        $this->shop = new Shop(workers: 1, requestsPerWorker: 0, settings: array_combine(...array_slice($settings, 1)));
        $first->close();
        $this->update(Receiver::get()->endpoint('204')->url, '8');
    }

    public function testAPreloadedReleaseThatIsGoneIsNamed(): void
    {
        $this->shop = new Shop(workers: 1, requestsPerWorker: 0);
        $endpoint = Receiver::get()->endpoint('204');
        $this->update($endpoint->url, '9');
        $this->shop->deploy();
        $this->update($endpoint->url, '9');
        $this->shop->removeFirstRelease();
        $answer = $this->shop->request(['endpoint' => $endpoint->url, 'order' => '9']);
        self::assertSame('Katalys\ConfigException', $answer['class']);
        $start = "PHP still runs this package from {$this->shop->package}, which is no longer there";
        self::assertStringStartsWith($start, $answer['message']);
        self::assertStringEndsWith("in {$this->shop->iniFile} and restart PHP (php-fpm, Apache)", $answer['message']);
    }

    public function testAMissingPreloadFileIsOneClearException(): void
    {
        $this->shop = new Shop(workers: 1, requestsPerWorker: 0, settings: ['opcache.preload' => '']);
        $this->expectSetting('ffi.enable=preload allows FFI only in preloaded code, which this is not; set');
    }

    public function testFfiForAllCodeNeedsNoPreloadFile(): void
    {
        $settings = ['ffi.enable' => '1', 'opcache.preload' => ''];
        $this->shop = new Shop(workers: 1, requestsPerWorker: 0, settings: $settings);
        $endpoint = Receiver::get()->endpoint('204');
        $this->update($endpoint->url, '6');
        $this->update($endpoint->url, '7');
        self::assertCount(1, array_unique(array_column($endpoint->records(2), 'connection')));
    }

    private function expectSetting(string $start): void
    {
        $answer = $this->shop->request(['endpoint' => 'http://127.0.0.1:9/', 'order' => '1']);
        self::assertSame('Katalys\ConfigException', $answer['class']);
        self::assertStringStartsWith($start, $answer['message']);
        self::assertStringContainsString("opcache.preload={$this->shop->package}/preload.php", $answer['message']);
        self::assertStringContainsString(" in {$this->shop->iniFile} and restart PHP;", $answer['message']);
    }

    /** Sends one update through the shop's page, and returns the worker's process id. */
    private function update(string $endpoint, string $order): int
    {
        $answer = $this->shop->request(['endpoint' => $endpoint, 'order' => $order]);
        self::assertSame(1, $answer['attempts'] ?? null, json_encode($answer));

        return $answer['worker'];
    }
}
