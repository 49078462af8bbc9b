<?php

declare(strict_types=1);

namespace Katalys\Tests;

use Katalys\Tests\Support\Program;
use Katalys\Tests\Support\Receiver;
use PHPUnit\Framework\TestCase;

/**
 * The effects of a client on its process; each test runs in a separate process.
 */
final class ProcessTest extends TestCase
{
    public function testBothSidesOfAForkHaveTheirOwnConnections(): void
    {
        $endpoint = Receiver::get()->endpoint('204');
        $output = Program::output($this->client($endpoint->url) . '
            $client->updateOrder("parent", []);
            for ($child = 0; $child < 3; $child++) {
                $pid = pcntl_fork();
                if ($pid === 0) {
                    if ($child > 0) {
                        $client->updateOrder("child", []);
                        $client->updateOrder("child", []);
                    }
                    exit(0);
                }
                pcntl_waitpid($pid, $status);
                echo pcntl_wexitstatus($status);
                $client->updateOrder("parent", []);
            }
        ');
        self::assertSame('000', $output);
        $records = $endpoint->records(8);
        $connections = [];
        foreach ($records as $record) {
            $side = json_decode($record['body'], true)['order_id'];
            $connections[$side][] = $record['connection'];
        }
        self::assertCount(1, array_unique($connections['parent']), 'the parent kept its connection');
        self::assertCount(4, $connections['child']);
        self::assertCount(2, array_unique($connections['child']), 'each child made one');
        self::assertSame([], array_intersect($connections['parent'], $connections['child']));
    }

    public function testASignalDoesNotEndACall(): void
    {
        $endpoint = Receiver::get()->endpoint('slow=1500');
        $output = Program::output($this->client($endpoint->url) . '
            $signals = 0;
            pcntl_async_signals(true);
            pcntl_signal(SIGALRM, function () use (&$signals) { $signals++; });
            pcntl_alarm(1);
            $receipt = $client->updateOrder("1", []);
            echo $receipt->attempts, " ", $signals;
        ');
        self::assertSame('1 1', $output);
    }

    public function testAnExitWithinADestructorOrAShutdownFunctionStillSends(): void
    {
        $endpoint = Receiver::get()->endpoint('204');
        $output = Program::output($this->client($endpoint->url) . '
            register_shutdown_function(function () use ($client) {
                echo $client->updateOrder("shutdown", [])->attempts;
            });
            $GLOBALS["late"] = new class ($client) {
                public function __construct(private $client) {}
                public function __destruct() { echo $this->client->updateOrder("destructor", [])->attempts; }
            };
            exit(0);
        ');
        self::assertSame('11', $output);
        self::assertCount(2, $endpoint->records(2));
    }

    public function testOnlyTheLookUpOfANameStartsAThread(): void
    {
        $endpoint = Receiver::get()->endpoint('204');
        $output = Program::output($this->client($endpoint->url) . '
            $threads = fn() => count(glob("/proc/self/task/*"));
            $client->validateUpdate("1", []);
            $client->updateOrder("1", []);
            echo $threads();
        ');
        self::assertSame('1', $output);
    }

    public function testTheLibraryIsOpenedQuickly(): void
    {
        $output = Program::output('
            $began = hrtime(true);
            new Katalys\Client("abcd.com");
            echo (hrtime(true) - $began) / 1e6;
        ');
        self::assertLessThan(100, (float) $output, 'milliseconds');
    }

    private function client(string $endpoint): string
    {
        return "\$client = new Katalys\\Client('abcd.com', endpoint: '$endpoint');";
    }
}
