<?php

declare(strict_types=1);

namespace Katalys\Tests;

use Katalys\Client;
use Katalys\ConfigException;
use Katalys\KatalysException;
use Katalys\Receipt;
use Katalys\RejectedException;
use Katalys\Tests\Support\Receiver;
use Katalys\Tests\Support\Shared;
use PHPUnit\Framework\TestCase;

final class ScenariosTest extends TestCase
{
    private const KNOWN_KEYS = [
        'name', 'why', 'steps', 'target', 'endpoint', 'options', 'env', 'calls', 'only', 'expect',
    ];
    private const CALL_EXPECTATIONS = [
        'receipt', 'error', 'code', 'status', 'retryable', 'retry_after', 'setting', 'constructed',
    ];
    private const RUN_EXPECTATIONS = [
        'requests', 'connections', 'via', 'headers', 'body', 'at_least_seconds', 'within_seconds',
    ];

    /** @var array<string, mixed> */
    private static array $defaults;
    private string $run;

    public static function setUpBeforeClass(): void
    {
        self::$defaults = Shared::scenarios()['defaults'];
    }

    protected function tearDown(): void
    {
        foreach (array_keys(self::$defaults['env']) as $name) {
            putenv($name);
        }
    }

    /** @return array<string, array{array<string, mixed>}> */
    public function scenarios(): array
    {
        return Shared::byName(Shared::scenarios()['scenarios']);
    }

    /**
     * @dataProvider scenarios
     *
     * @param array<string, mixed> $scenario
     */
    public function testScenario(array $scenario): void
    {
        self::assertSame([], array_diff(array_keys($scenario), self::KNOWN_KEYS), 'unknown key');
        $expectations = [...self::CALL_EXPECTATIONS, ...self::RUN_EXPECTATIONS];
        self::assertSame([], array_diff(array_keys($scenario['expect']), $expectations), 'unknown expectation');
        $receiver = Receiver::get();
        $this->run = bin2hex(random_bytes(8));
        $scenario = $this->fill($scenario);
        $target = $scenario['target'] ?? self::$defaults['target'];
        $options = $this->options($scenario, $target);
        foreach (array_merge(self::$defaults['env'], $scenario['env'] ?? []) as $name => $value) {
            putenv($value === null ? $name : "$name=$value");
        }
        $before = $receiver->connections($target);
        $began = microtime(true);
        $this->makeCalls($scenario, $options);
        $elapsed = microtime(true) - $began;
        $expect = $scenario['expect'];
        self::assertGreaterThanOrEqual($expect['at_least_seconds'] ?? 0, $elapsed);
        self::assertLessThanOrEqual($expect['within_seconds'] ?? 60, $elapsed);
        $endpoint = $options['endpoint'] ?? $scenario['env']['KATALYS_ENDPOINT'] ?? '';
        $this->checkRecords($endpoint, $expect);
        if (count($scenario['calls'] ?? self::$defaults['calls']) === 1) {
            $bodies = array_filter(array_column(Receiver::get()->records($this->run), 'body'));
            self::assertLessThanOrEqual(1, count(array_unique($bodies)), 'a retry said something else');
        }
        if (isset($expect['connections'])) {
            $this->compare('connections', $expect['connections'], $receiver->connections($target) - $before);
        }
    }

    /**
     * @param array<string, mixed> $scenario
     *
     * @return array<string, mixed>
     */
    private function options(array $scenario, string $target): array
    {
        $options = array_merge(self::$defaults['options'], $scenario['options'] ?? []);
        if (!array_key_exists('endpoint', $scenario)) {
            $address = Receiver::get()->address($target);
            if ($address === null) {
                self::markTestSkipped("no $target here");
            }
            $options['endpoint'] = implode('/', [$address, 'run', $this->run, ...$scenario['steps']]);
        } else {
            $options['endpoint'] = $scenario['endpoint'];
        }

        return array_filter($options, static fn ($value) => $value !== null);
    }

    /**
     * @param array<string, mixed> $scenario
     * @param array<string, mixed> $options
     */
    private function makeCalls(array $scenario, array $options): void
    {
        $expect = $scenario['expect'];
        try {
            $client = new Client(...Shared::arguments($options));
        } catch (ConfigException $exception) {
            $this->checkException($exception, $expect);

            return;
        }
        self::assertNotSame('ConfigError', $expect['error'] ?? null, 'the client could be made');
        foreach ($scenario['calls'] ?? self::$defaults['calls'] as $call) {
            $call = array_merge(self::$defaults['call'], $call);
            $this->makeCall($client, $call, $call['expect'] ?? $expect);
        }
    }

    /**
     * @param array<string, mixed> $call
     * @param array<string, mixed> $expect
     */
    private function makeCall(Client $client, array $call, array $expect): void
    {
        $fields = array_map(Shared::value(...), $call['fields']);
        try {
            $receipt = $call['call'] === 'report'
                ? $client->reportOrder($call['order_id'], $fields)
                : $client->updateOrder($call['order_id'], $fields);
        } catch (KatalysException $exception) {
            $this->checkException($exception, $expect);

            return;
        }
        self::assertArrayHasKey('receipt', $expect, 'the call succeeded');
        self::assertInstanceOf(Receipt::class, $receipt);
        $this->compare('attempts', $expect['receipt']['attempts'], $receipt->attempts);
        self::assertGreaterThan(0, $receipt->elapsed);
    }

    /** @param array<string, mixed> $expect */
    private function checkException(KatalysException $exception, array $expect): void
    {
        $class = 'Katalys\\' . str_replace('Error', 'Exception', $expect['error'] ?? 'none');
        self::assertSame($class, $exception::class, $exception->getMessage());
        $found = [
            'code' => $exception->getErrorCode(),
            'retryable' => $exception->isRetryable(),
            'status' => $exception instanceof RejectedException ? $exception->status : null,
            'retry_after' => $exception instanceof RejectedException ? $exception->retryAfter : null,
        ];
        foreach (array_intersect_key($found, $expect) as $key => $value) {
            $this->compare($key, $expect[$key], $value);
        }
        if (isset($expect['setting'])) {
            $fold = static fn (string $text) => strtolower(str_replace('_', '', $text));
            self::assertStringContainsString($fold($expect['setting']), $fold($exception->getMessage()));
        }
    }

    /** @param array<string, mixed> $expect */
    private function checkRecords(string $endpoint, array $expect): void
    {
        $wanted = $expect['requests'] ?? 0;
        $records = Receiver::get()->records($this->run, is_array($wanted) ? $wanted['min'] ?? 0 : $wanted);
        if (isset($expect['requests'])) {
            $this->compare('requests', $wanted, count($records));
        }
        foreach ($records as $record) {
            self::assertSame('POST', $record['method']);
            self::assertStringEndsWith($record['path'], $endpoint, 'a redirect was followed');
            self::assertSame('application/json', $record['headers']['content-type']);
            self::assertSame($expect['via'] ?? null, $record['via']);
            foreach ($expect['headers'] ?? [] as $name => $value) {
                self::assertSame($value, $record['headers'][$name] ?? null);
            }
            if (isset($expect['body'])) {
                self::assertSame($expect['body'], $record['body']);
            }
        }
    }

    private function compare(string $what, mixed $wanted, mixed $found): void
    {
        if (is_array($wanted)) {
            self::assertNotNull($found, $what);
            self::assertGreaterThanOrEqual($wanted['min'] ?? $found, $found, $what);
            self::assertLessThanOrEqual($wanted['max'] ?? $found, $found, $what);
        } elseif (is_float($found)) {
            self::assertSame((float) $wanted, $found, $what);
        } else {
            self::assertSame($wanted, $found, $what);
        }
    }

    /** Puts names into braces, at any depth. */
    private function fill(mixed $value): mixed
    {
        if (is_array($value)) {
            return array_map($this->fill(...), $value);
        }
        if (!is_string($value)) {
            return $value;
        }

        return preg_replace_callback('/\{([a-z_.]+)\}/', fn (array $match) => $this->name($match[1]), $value);
    }

    private function name(string $name): string
    {
        return match ($name) {
            'id' => $this->run,
            'language' => 'php',
            'version' => $this->version(),
            default => Receiver::get()->address($name) ?? self::markTestSkipped("no $name here"),
        };
    }

    private function version(): string
    {
        $manifest = (string) file_get_contents(__DIR__ . '/../../Cargo.toml');
        preg_match('/^version = "(.+)"/m', $manifest, $found);

        return $found[1];
    }
}
