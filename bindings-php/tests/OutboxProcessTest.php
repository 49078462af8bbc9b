<?php

declare(strict_types=1);

namespace Katalys\Tests;

use Katalys\Tests\Support\Endpoint;
use Katalys\Tests\Support\Program;
use Katalys\Tests\Support\Receiver;
use PHPUnit\Framework\TestCase;

/**
 * The outbox at the end of a process.
 */
final class OutboxProcessTest extends TestCase
{
    private string $file;

    protected function setUp(): void
    {
        $this->file = Program::folder() . '/katalys.db';
    }

    public function testTheEndOfTheScriptFinishesRequestsInFlightAndLeavesTheRest(): void
    {
        $endpoint = Receiver::get()->endpoint('slow=600', '204');
        Program::output($this->client($endpoint, 'workers: 1') . '
            for ($order = 0; $order < 5; $order++) { $client->enqueueUpdate("$order", []); }
            while ($client->stats()->inFlight === 0) { usleep(1000); }
            usleep(100_000); // The request is made.
        ');
        $sent = count($endpoint->records(1));
        self::assertLessThan(5, $sent);
        $before = $this->client($endpoint, 'deliver: false') . ' $before = $client->stats();';
        $left = Program::output($before . $this->client($endpoint) . '
            echo $before->inFlight, $before->delivered, " ", $client->flush(10);
        ');
        self::assertSame("0$sent 0", $left, 'the request in flight is settled, and nothing is leased');
        $orders = $this->orders($endpoint, 5);
        sort($orders);
        self::assertSame(['0', '1', '2', '3', '4'], $orders, 'each was received once');
    }

    public function testAnEndpointThatHangsDoesNotBlockTheEnd(): void
    {
        $endpoint = Receiver::get()->endpoint('hang', '204');
        $began = microtime(true);
        // The request lasts longer than a process waits at its end.
        Program::output($this->client($endpoint, 'workers: 1, timeout: 20') . '
            $client->enqueueUpdate("hangs", []);
            $client->enqueueUpdate("waits", []);
            $client->enqueueUpdate("hangs", ["order_status" => "paid"]);
        ');
        self::assertLessThan(10, microtime(true) - $began);
        self::assertCount(1, $endpoint->records(1));
        $left = Program::output($this->client($endpoint) . '
            $ends = microtime(true) + 10;
            while ($client->flush(0.1) > 2 && microtime(true) < $ends) { }
            echo $client->stats()->delivered;
        ');
        self::assertSame('1', $left, 'another order is delivered while the first is still leased');
        self::assertSame(['hangs', 'waits'], $this->orders($endpoint, 2));
    }

    public function testBothSidesOfAForkDeliver(): void
    {
        $endpoint = Receiver::get()->endpoint('slow=200', '204');
        $output = Program::output($this->client($endpoint) . '
            $client->enqueueUpdate("1", ["order_status" => "pending"]);
            foreach (["silent", "uses"] as $child) {
                $pid = pcntl_fork();
                if ($pid === 0) {
                    if ($child === "uses") { $client->enqueueUpdate("1", ["order_status" => "paid"]); }
                    exit(0);
                }
                pcntl_waitpid($pid, $status);
                echo pcntl_wexitstatus($status);
            }
            $client->enqueueUpdate("1", ["order_status" => "refunded"]);
            echo $client->flush(20), $client->stats()->delivered;
        ');
        self::assertSame('0003', $output);
        $bodies = array_column($endpoint->records(3), 'body');
        $statuses = array_map(static fn(string $body) => json_decode($body)->order_status, $bodies);
        self::assertSame(['pending', 'paid', 'refunded'], $statuses);
    }

    public function testAKilledProcessLosesNothing(): void
    {
        $endpoint = Receiver::get()->endpoint('hang', '204');
        try {
            Program::output($this->client($endpoint, 'timeout: 2') . '
                for ($number = 0; $number < 20; $number++) {
                    $client->enqueueUpdate((string) ($number % 4), ["number" => "$number"]);
                }
                posix_kill(getmypid(), SIGKILL);
            ');
            self::fail('it was not killed');
        } catch (\RuntimeException) {
        }
        $output = Program::output($this->client($endpoint) . '
            echo $client->flush(40), " ", implode(" ", array_slice(array_values((array) $client->stats()), 0, 6));
        ');
        self::assertSame('0 20 20 0 0 0 0', $output);
        $sequences = [];
        foreach ($endpoint->records(20) as $record) {
            $fields = json_decode($record['body'], true);
            $sequences[$fields['order_id']][] = (int) $fields['number'];
        }
        ksort($sequences);
        foreach ($sequences as $order => $numbers) {
            $expected = range($order, $order + 16, 4);
            self::assertSame($expected, array_values(array_unique($numbers)), "order $order");
        }
        self::assertCount(4, $sequences);
    }

    public function testNoThreadIsStartedBeforeTheFirstUpdate(): void
    {
        $endpoint = Receiver::get()->endpoint('204');
        $output = Program::output($this->client($endpoint) . '
            $client->stats();
            echo count(glob("/proc/self/task/*"));
        ');
        self::assertSame('1', $output);
    }

    private function client(Endpoint $endpoint, string $settings = ''): string
    {
        $given = "endpoint: '$endpoint->url', outbox: '$this->file', $settings";

        return "\$client = new Katalys\\Client('abcd.com', $given);";
    }

    /** @return list<string> */
    private function orders(Endpoint $endpoint, int $wait): array
    {
        return array_map(
            static fn(array $record) => json_decode($record['body'], true)['order_id'],
            $endpoint->records($wait),
        );
    }
}
