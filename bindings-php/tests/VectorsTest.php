<?php

declare(strict_types=1);

namespace Katalys\Tests;

use Katalys\Client;
use Katalys\Tests\Support\Shared;
use PHPUnit\Framework\TestCase;

final class VectorsTest extends TestCase
{
    private const KNOWN_KEYS = [
        'name', 'why', 'call', 'order_id', 'options', 'fields', 'payload', 'problems', 'only',
    ];

    /** @return array<string, array{array<string, mixed>}> */
    public function vectors(): array
    {
        return Shared::byName(Shared::vectors()['vectors']);
    }

    public function testThereAreManyVectors(): void
    {
        self::assertGreaterThan(800, count($this->vectors()));
    }

    /**
     * @dataProvider vectors
     *
     * @param array<string, mixed> $vector
     */
    public function testVector(array $vector): void
    {
        self::assertSame([], array_diff(array_keys($vector), self::KNOWN_KEYS), 'unknown key');
        $options = Shared::arguments(($vector['options'] ?? []) + ['site_id' => 'abcd.com']);
        $client = new Client(...$options);
        $validation = ($vector['call'] ?? 'update') === 'report'
            ? $client->validateReport(...$this->arguments($vector))
            : $client->validateUpdate(...$this->arguments($vector));
        $this->comparePayload($vector['payload'], $validation->payload);
        $found = [];
        foreach ($validation->problems as $problem) {
            $found[] = "$problem->path $problem->code $problem->severity";
            self::assertNotSame('', $problem->message);
        }
        $wanted = [];
        foreach ($vector['problems'] ?? [] as $problem) {
            $wanted[] = "{$problem['path']} {$problem['code']} {$problem['severity']}";
        }
        self::assertEqualsCanonicalizing($wanted, $found);
    }

    /**
     * @param array<string, mixed> $vector
     *
     * @return array{mixed, array<int|string, mixed>}
     */
    private function arguments(array $vector): array
    {
        $orderId = array_key_exists('order_id', $vector) ? $vector['order_id'] : '1001';

        return [Shared::value($orderId), array_map(Shared::value(...), $vector['fields'])];
    }

    private function comparePayload(?string $wanted, ?string $found): void
    {
        if ($wanted === null || !str_contains($wanted, '{now}')) {
            self::assertSame($wanted, $found);

            return;
        }
        [$before, $after] = array_map('preg_quote', explode('{now}', $wanted), ['/', '/']);
        $time = '(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d)';
        self::assertSame(1, preg_match("/^$before$time$after$/D", (string) $found, $parts), (string) $found);
        self::assertEqualsWithDelta(time(), (new \DateTimeImmutable($parts[1]))->getTimestamp(), 5);
    }
}
