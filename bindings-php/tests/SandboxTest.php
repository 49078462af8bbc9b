<?php

declare(strict_types=1);

namespace Katalys\Tests;

use Katalys\Client;
use Katalys\RejectedException;
use Katalys\Testing\Sandbox;
use Katalys\Testing\SandboxException;
use Katalys\Testing\SandboxTrait;
use Katalys\Tests\Support\Program;
use PHPUnit\Framework\AssertionFailedError;
use PHPUnit\Framework\TestCase;

/**
 * The trait in this test case, and sandboxes in other processes.
 */
final class SandboxTest extends TestCase
{
    use SandboxTrait;

    private const START = 'echo (new Katalys\Testing\Sandbox())->orders()["total"];';

    public function testAnOrderAndItsUpdates(): void
    {
        $client = new Client('abcd.com');
        $client->updateOrder('a/b ü', ['order_status' => 'paid', 'sale_amount' => '25.670']);
        $client->updateOrder('a/b ü', ['order_status' => 'refunded']);
        $this->assertOrder('a/b ü', ['sale_amount' => '25.670', 'order_status' => 'refunded']);
        $statuses = array_column(array_column($this->sandbox()->order('a/b ü')['updates'], 'payload'), 'order_status');
        self::assertSame(['paid', 'refunded'], $statuses);
        self::assertSame('404 there is no such order', $this->refusal(fn() => $this->sandbox()->order('a')));
        self::assertSame('404 there is no such order', $this->refusal(fn() => $this->sandbox()->order('../orders')));
    }

    /** @depends testAnOrderAndItsUpdates */
    public function testEachTestBeginsWithNothing(): void
    {
        self::assertSame(0, $this->sandbox()->orders()['total']);
    }

    public function testAnAssertionThatFailsSaysHow(): void
    {
        (new Client('abcd.com'))->updateOrder(1001, ['order_status' => 'paid']);
        $failures = [
            'order 1001: the wait timed out: the order\'s status is "paid", and its updates are 1' =>
                ['order_status' => 'refunded'],
            'order 1002: the wait timed out: there is no such order' => ['order_status' => 'paid'],
            'are identical' => ['currency' => 'USD', 'sale_amount' => null, 'note' => '1'],
        ];
        foreach ($failures as $message => $fields) {
            $order = str_contains($message, '1002') ? 1002 : 1001;
            try {
                $this->assertOrder($order, $fields, timeout: 0.1);
            } catch (AssertionFailedError $failure) {
                self::assertStringContainsString($message, $failure->getMessage());
                continue;
            }
            self::fail("$message was not noticed");
        }
    }

    public function testOrdersOfTwoSitesAreDistinct(): void
    {
        (new Client('abcd.com'))->updateOrder(1001, ['order_status' => 'paid']);
        (new Client('other.com'))->updateOrder(1001, ['order_status' => 'cancelled']);
        $refusal = $this->refusal(fn() => $this->sandbox()->order(1001));
        self::assertSame('409 several sites have an order with this id; select one with site_id', $refusal);
        self::assertSame('cancelled', $this->sandbox()->order(1001, 'other.com')['fields']['order_status']);
        $found = $this->sandbox()->orders(['status' => 'paid', 'warnings' => false]);
        self::assertSame(['abcd.com'], array_column($found['orders'], 'site_id'));
        self::assertStringContainsString('colour', $this->refusal(fn() => $this->sandbox()->orders(['colour' => 1])));
    }

    public function testItWaitsForWhatAnOutboxDeliversInTheBackground(): void
    {
        $this->sandbox()->fault(['latency' => 200]);
        $client = new Client('abcd.com', outbox: Program::folder() . '/katalys.db');
        $client->enqueueUpdate('1001', ['order_status' => 'paid']);
        $client->enqueueUpdate('1001', ['order_status' => 'refunded']);
        $this->assertOrder('1001', ['order_status' => 'refunded']);
        self::assertCount(2, $this->sandbox()->waitFor('1001', updates: 2)['updates']);
        $timedOut = fn() => $this->sandbox()->waitFor('1001', status: 'cancelled', timeout: 0.2);
        self::assertStringStartsWith('408 the wait timed out', $this->refusal($timedOut));
    }

    public function testFaultsAndTheStream(): void
    {
        $client = new Client('abcd.com', timeout: 5);
        $start = $this->sandbox()->updates()['cursor'];
        self::assertSame(503, $this->sandbox()->fault(['status' => 503, 'next' => 2])['status']);
        self::assertSame(3, $client->updateOrder('1001', [])->attempts);
        $page = $this->sandbox()->updates($start);
        self::assertSame([503, 503, 204], array_column($page['updates'], 'status'));
        self::assertSame([], $this->sandbox()->updates($page['cursor'])['updates']);
        $this->sandbox()->fault(['status' => 400, 'order_id' => '1001']);
        try {
            $client->updateOrder('1001', []);
            self::fail('it was accepted');
        } catch (RejectedException $rejection) {
            self::assertSame(400, $rejection->status);
        }
        $this->sandbox()->clearFaults();
        $client->updateOrder('1001', []);
        self::assertStringContainsString('latency', $this->refusal(fn() => $this->sandbox()->fault(['latenzy' => 1])));
    }

    public function testAForkedChildNeitherEndsItNorKeepsIt(): void
    {
        $output = Program::output('
            $sandbox = Katalys\Testing\Sandbox::shared();
            if (pcntl_fork() === 0) {
                exit(0);
            }
            pcntl_wait($status);
            echo $sandbox->orders()["total"];
            $child = pcntl_fork();
            if ($child === 0) {
                sleep(60);
                exit(0);
            }
            $sandbox->close();
            posix_kill($child, SIGKILL);
            try {
                $sandbox->orders();
            } catch (Katalys\Testing\SandboxException $exception) {
                echo " ", $exception->getCode(), " ", $exception->getMessage();
            }
            echo " ", Katalys\Testing\Sandbox::shared()->orders()["total"];
        ');
        self::assertSame('0 0 this sandbox was closed; Sandbox::shared() starts another one 0', $output);
    }

    /**
     * A shop whose settings name production, with pending updates in its outbox: no test reaches either,
     * without the trait (which runs first) or with it, nor does a process that a test starts.
     */
    public function testProductionIsOutOfReachForTheWholeRun(): void
    {
        $folder = Program::folder();
        $settings = "'abcd.com', endpoint: 'https://production.invalid/v2', outbox: '$folder/shop.db'";
        $this->uncontained("(new Katalys\\Client($settings, deliver: false))->enqueueUpdate('waits', []);");
        $before = $this->uncontained("echo json_encode((new Katalys\\Client($settings, deliver: false))->stats());");
        $this->assertPhpunitPasses($folder, [
            'bootstrap.php' => "Katalys\\Testing\\Sandbox::contain();
                \$GLOBALS['shop'] = new Katalys\\Client($settings, timeout: 5);",
            'FirstTest.php' => 'final class FirstTest extends PHPUnit\Framework\TestCase {
                public function testWithoutTheTrait(): void {
                    $this->expectException(Katalys\ConfigException::class);
                    $this->expectExceptionMessage("tests must not reach production.invalid");
                    (new Katalys\Client("abcd.com", endpoint: "https://production.invalid/"))->updateOrder("1");
                }
            }',
            'SecondTest.php' => 'final class SecondTest extends PHPUnit\Framework\TestCase {
                use Katalys\Testing\SandboxTrait;
                public function testWithTheTrait(): void {
                    $GLOBALS["shop"]->enqueueUpdate("of the test", ["order_status" => "paid"]);
                    $this->assertOrder("of the test", ["order_status" => "paid"]);
                    self::assertSame(1, $this->sandbox()->orders()["total"]);
                }
                public function testAProcessThatATestStarts(): void {
                    exec(PHP_BINARY . " ' . "$folder/child.php" . '", $output, $code);
                    self::assertSame([0, ["1"]], [$code, $output]);
                    $this->assertOrder("of the child", []);
                }
            }',
            'child.php' => "require '" . KATALYS_PACKAGE . "/autoload.php';
                echo (new Katalys\\Client($settings, timeout: 5))->updateOrder('of the child')->attempts;",
        ]);
        $after = $this->uncontained("echo json_encode((new Katalys\\Client($settings, deliver: false))->stats());");
        $counters = static fn(string $stats) => array_slice(array_values(json_decode($stats, true)), 0, 6);
        self::assertSame([1, 0, 1, 0, 0, 0], $counters($before));
        self::assertSame([1, 0, 1, 0, 0, 0], $counters($after));
    }

    public function testAClientThatOpenedTheShopsOutboxTooEarlyStopsTheRun(): void
    {
        $folder = Program::folder();
        $said = $this->phpunit($folder, [
            'bootstrap.php' => "new Katalys\\Client('abcd.com', outbox: '$folder/shop.db', deliver: false);",
            'AnyTest.php' => 'final class AnyTest extends PHPUnit\Framework\TestCase {
                use Katalys\Testing\SandboxTrait;
                public function testAny(): void { echo "it ran"; }
            }',
        ]);
        self::assertStringContainsString('call Katalys\Testing\Sandbox::contain() first in the bootstrap', $said);
        self::assertStringNotContainsString('it ran', $said);
    }

    public function testAKilledRunnerLeavesNoSandboxBehind(): void
    {
        $code = 'require ' . var_export(KATALYS_PACKAGE . '/autoload.php', true) . ';
            $sandbox = new Katalys\Testing\Sandbox();
            echo $sandbox->url, "\n";
            sleep(60);
        ';
        $process = proc_open([PHP_BINARY, '-r', $code], [1 => ['pipe', 'w']], $pipes);
        $port = (int) parse_url(trim((string) fgets($pipes[1])), PHP_URL_PORT);
        self::assertTrue(Program::listens($port));
        proc_terminate($process, SIGKILL);
        proc_close($process);
        Program::waitFor('its end', fn() => !Program::listens($port));
    }

    public function testTheSearchForTheCommand(): void
    {
        $package = Program::copyOfPackage();
        $vendor = dirname($package) . '/vendor';
        mkdir("$vendor/katalys", recursive: true);
        rename($package, "$vendor/katalys/katalys");
        $real = (string) getenv('KATALYS_COMMAND');
        $places = [
            'given' => $this->program("$vendor/given", $real),
            'environment' => $this->program("$vendor/environment", $real),
            'vendor' => $this->program("$vendor/bin", $real),
            'path' => $this->program("$vendor/path", $real),
        ];
        $environment = 'putenv("KATALYS_COMMAND=' . $places['environment'] . '");';
        $path = 'putenv("KATALYS_COMMAND"); putenv("PATH=' . dirname($places['path']) . '");';
        $start = fn(string $before, string $argument = '') => $this->whoStarted(
            "$before new Katalys\\Testing\\Sandbox($argument);",
            "$vendor/katalys/katalys",
            $vendor,
        );
        self::assertSame('given', $start($environment, "'{$places['given']}'"));
        self::assertSame('environment', $start($environment));
        self::assertSame('bin', $start($path));
        unlink($places['vendor']);
        self::assertSame('path', $start($path));
        unlink($places['path']);
        $try = 'try { ' . self::START . ' } catch (Katalys\Testing\SandboxException $e) { echo $e->getMessage(); }';
        $said = Program::output($path . $try, package: "$vendor/katalys/katalys");
        self::assertStringStartsWith('the katalys command is not installed: pip install katalys-cli', $said);
    }

    /**
     * @testWith ["exit 3"]
     *           ["echo '[]'"]
     *           ["echo hello; exec sleep 60"]
     */
    public function testAProgramThatIsNoSandbox(string $text): void
    {
        $program = Program::folder() . '/katalys';
        file_put_contents($program, "#!/bin/sh\n$text\n");
        self::assertStringContainsString('not a program', $this->refusal(fn() => new Sandbox($program)));
        chmod($program, 0755);
        self::assertStringContainsString('did not start a sandbox', $this->refusal(fn() => new Sandbox($program)));
    }

    public function testTheTestOfTheReadmePasses(): void
    {
        $readme = (string) file_get_contents(KATALYS_PACKAGE . '/README.md');
        preg_match('~^```php\n(<\?php\n[^`]*SandboxTrait[^`]*)^```~m', $readme, $found);
        $file = Program::folder() . '/RefundTest.php';
        file_put_contents($file, $found[1]);
        $phpunit = ['phpunit', '--bootstrap', KATALYS_PACKAGE . '/autoload.php', '--no-configuration', $file];
        $process = proc_open($phpunit, [1 => ['pipe', 'w'], 2 => STDERR], $pipes);
        $output = stream_get_contents($pipes[1]);
        self::assertSame(0, proc_close($process), $output);
        self::assertStringContainsString('OK (1 test', $output);
    }

    /** @param array<string, string> $files */
    private function assertPhpunitPasses(string $folder, array $files): void
    {
        self::assertMatchesRegularExpression('~^OK \(\d+ tests?~m', $said = $this->phpunit($folder, $files), $said);
    }

    /**
     * Runs a project's tests in a process that does not inherit this one's containment.
     *
     * @param array<string, string> $files
     */
    private function phpunit(string $folder, array $files): string
    {
        $load = "require '" . KATALYS_PACKAGE . "/autoload.php';\n";
        foreach ($files as $name => $code) {
            file_put_contents("$folder/$name", "<?php\n" . ($name === 'bootstrap.php' ? $load : '') . $code);
        }
        $command = ['phpunit', '--no-configuration', '--bootstrap', "$folder/bootstrap.php", $folder];
        $environment = array_diff_key(getenv(), ['KATALYS_TEST_DIR' => 0, 'KATALYS_ENDPOINT' => 0]);
        $process = proc_open($command, [1 => ['pipe', 'w'], 2 => ['redirect', 1]], $pipes, null, $environment);
        $said = (string) stream_get_contents($pipes[1]);
        proc_close($process);

        return $said;
    }

    /** Runs code as the shop itself does. */
    private function uncontained(string $code): string
    {
        $contained = getenv('KATALYS_TEST_DIR');
        putenv('KATALYS_TEST_DIR');
        try {
            return Program::output($code);
        } finally {
            putenv("KATALYS_TEST_DIR=$contained");
        }
    }

    /** A program in a folder that starts the real one, and leaves its folder's name in the file `started`. */
    private function program(string $folder, string $real): string
    {
        mkdir($folder);
        $text = "#!/bin/sh\necho " . basename($folder) . ' > ' . dirname($folder) . "/started\nexec $real \"$@\"\n";
        file_put_contents("$folder/katalys", $text);
        chmod("$folder/katalys", 0755);

        return "$folder/katalys";
    }

    private function whoStarted(string $code, string $package, string $vendor): string
    {
        Program::output($code, package: $package);

        return trim((string) file_get_contents("$vendor/started"));
    }

    private function refusal(callable $call): string
    {
        try {
            $call();
        } catch (SandboxException $exception) {
            return "{$exception->getCode()} {$exception->getMessage()}";
        }

        return 'it was not refused';
    }
}
