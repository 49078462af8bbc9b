<?php

declare(strict_types=1);

namespace Katalys\Tests;

use Katalys\Client;
use Katalys\ClientInterface;
use Katalys\ConfigException;
use Katalys\KatalysException;
use Katalys\Problem;
use Katalys\Receipt;
use Katalys\RejectedException;
use Katalys\Tests\Support\Collection;
use Katalys\Tests\Support\Count;
use Katalys\Tests\Support\Json;
use Katalys\Tests\Support\Log;
use Katalys\Tests\Support\NoValue;
use Katalys\Tests\Support\Receiver;
use Katalys\Tests\Support\Status;
use Katalys\Tests\Support\Text;
use Katalys\ValidationException;
use PHPUnit\Framework\TestCase;

final class ClientTest extends TestCase
{
    public function testTheShortestCallWorks(): void
    {
        $endpoint = Receiver::get()->endpoint('204');
        putenv("KATALYS_ENDPOINT=$endpoint->url");
        try {
            $receipt = (new Client('abcd.com'))->updateOrder('1001', ['order_status' => 'paid']);
        } finally {
            putenv('KATALYS_ENDPOINT');
        }
        self::assertSame(1, $receipt->attempts);
        self::assertSame([], $receipt->warnings);
        $body = '{"site_id":"abcd.com","order_id":"1001","order_status":"paid"}';
        self::assertSame([$body], array_column($endpoint->records(1), 'body'));
    }

    /** @return array<string, array{mixed, string}> */
    public function values(): array
    {
        $zone = new \DateTimeZone('America/Los_Angeles');

        return [
            'text' => ['a "b" é', '"a \"b\" é"'],
            'integer' => [PHP_INT_MIN, '-9223372036854775808'],
            'float' => [0.1, '0.1'],
            'integral float' => [3.0, '3'],
            'null' => [null, ''],
            'backed enum' => [Status::Paid, '"paid"'],
            'integer enum' => [Count::Second, '2'],
            'stringable' => [new Text('25.67'), '"25.67"'],
            'time' => [new \DateTimeImmutable('2018-01-01 01:23:40.5', $zone), '"2018-01-01 01:23:40-08:00"'],
            'mutable time' => [new \DateTime('2018-07-01 00:00', $zone), '"2018-07-01 00:00:00-07:00"'],
            'text that looks serialized' => ['x";s:1:"y', '"x\";s:1:\"y"'],
        ];
    }

    /** @dataProvider values */
    public function testEachKindOfValueIsSentAsItIs(mixed $value, string $json): void
    {
        $payload = $this->client()->validateUpdate('1', ['note' => $value])->payload;
        $field = $json === '' ? '' : ",\"note\":$json";
        self::assertSame("{\"site_id\":\"abcd.com\",\"order_id\":\"1\"$field}", $payload);
    }

    /** @return array<string, array{mixed, string}> */
    public function wrongValues(): array
    {
        $itself = [];
        $itself['again'] = &$itself;

        return [
            'boolean' => [true, 'wrong_type'],
            'array' => [['a' => 'b'], 'wrong_type'],
            'enum without values' => [NoValue::Here, 'wrong_type'],
            'object' => [new \stdClass(), 'wrong_type'],
            'object that has JSON' => [new Json(), 'wrong_type'],
            'iterator' => [new \ArrayIterator(['a', 'b']), 'wrong_type'],
            'iterator that contains itself' => [Collection::ofItself(), 'wrong_type'],
            'closure' => [static fn() => 1, 'wrong_type'],
            'resource' => [STDERR, 'wrong_type'],
            'array that contains itself' => [$itself, 'wrong_type'],
            'bytes' => ["\xff", 'invalid_unicode'],
            'NAN' => [NAN, 'amount_not_finite'],
            'control character' => ["a\0b", 'control_character'],
        ];
    }

    /** @dataProvider wrongValues */
    public function testAValueThatCannotBeSentIsAProblem(mixed $value, string $code): void
    {
        $validation = $this->client()->validateUpdate('1', ['note' => $value]);
        self::assertNull($validation->payload);
        self::assertFalse($validation->isValid());
        $expected = [['note', $code, 'error', true]];
        $found = array_map(
            static fn(Problem $problem) => [$problem->path, $problem->code, $problem->severity, $problem->isError()],
            $validation->problems,
        );
        self::assertSame($expected, $found);
    }

    public function testAKeyThatIsNoTextIsAProblem(): void
    {
        $problems = $this->client()->validateUpdate('1', ["gr\xfc\xdfe" => '38'])->problems;
        self::assertSame(['key_invalid'], array_column($problems, 'code'));
    }

    public function testObjectsWorkAtAnyDepth(): void
    {
        $fields = [
            'order_time' => new \DateTimeImmutable('2018-01-01T01:23:40Z'),
            'discounts' => [['code' => Status::Paid, 'amount' => new Text('1.50')]],
            'line_items' => [['title' => 'T', 'sku' => 'S', 'price' => 1.99, 'qty' => Count::Second]],
        ];
        self::assertSame(
            '{"site_id":"abcd.com","order_id":"1","order_time":"2018-01-01 01:23:40+00:00",'
            . '"discount_1_code":"paid","discount_1_amount":"1.50","line_item_1_title":"T",'
            . '"line_item_1_sku":"S","line_item_1_price":"1.99","line_item_1_qty":2}',
            $this->client()->validateUpdate('1', $fields)->payload,
        );
    }

    /** @return array<string, array{iterable<mixed>}> */
    public function lists(): array
    {
        $records = [['title' => 'A', 'sku' => 'a'], ['title' => 'B', 'sku' => 'b']];
        $generator = static function () use ($records): \Generator {
            foreach ($records as $record) {
                yield 7 => (static fn() => yield from $record)();
            }
        };

        return [
            'array' => [$records],
            'array with gaps, as array_filter leaves it' => [[17 => $records[0], 23 => $records[1]]],
            'array from 1 on' => [[1 => $records[0], 2 => $records[1]]],
            'array in another order' => [[5 => $records[0], -2 => $records[1]]],
            'ArrayObject' => [new \ArrayObject([17 => new \ArrayObject($records[0]), 23 => $records[1]])],
            'generator that gives a key twice' => [$generator()],
            'collection that is text, too' => [new Collection([3 => new Collection($records[0]), 9 => $records[1]])],
            'what json_decode() gives' => [json_decode((string) json_encode($records))],
            'iterator' => [new \CallbackFilterIterator(
                new \ArrayIterator([['title' => 'not this'], ...$records]),
                static fn(array $record) => isset($record['sku']),
            )],
        ];
    }

    /**
     * @dataProvider lists
     *
     * @param iterable<mixed> $items
     */
    public function testAnyIterableIsAListOrARecord(iterable $items): void
    {
        $validation = $this->client()->validateUpdate('1', ['line_items' => $items, 'note' => 'x']);
        self::assertSame(
            '{"site_id":"abcd.com","order_id":"1","line_item_1_title":"A","line_item_1_sku":"a",'
            . '"line_item_2_title":"B","line_item_2_sku":"b","note":"x"}',
            $validation->payload,
            print_r($validation->problems, true),
        );
    }

    public function testTheFieldsThemselvesMayBeAnIterator(): void
    {
        $fields = static function (): \Generator {
            yield 'order_status' => 'paid';
            yield 'note' => new \SimpleXMLElement('<note>text</note>');
        };
        $expected = '{"site_id":"abcd.com","order_id":"1","order_status":"paid","note":"text"}';
        self::assertSame($expected, $this->client()->validateUpdate('1', $fields())->payload);
        $shared = ['order_status' => 'paid'];
        $wanted = ['note' => 'text', 'same' => &$shared['order_status']] + $shared;
        $payload = $this->client()->validateUpdate('1', new \ArrayIterator($wanted))->payload;
        self::assertSame(['paid', 'text', 'paid'], array_slice(array_values(json_decode($payload, true)), 2));
    }

    public function testAnExceptionOfAnIteratorIsPassedOnAndNothingIsSent(): void
    {
        $endpoint = Receiver::get()->endpoint('204');
        $broken = static function (): \Generator {
            yield ['title' => 'A'];
            throw new \DomainException('the database is gone');
        };
        try {
            $this->client($endpoint->url)->updateOrder('1', ['line_items' => $broken()]);
            self::fail('the update was sent');
        } catch (\DomainException $exception) {
            self::assertSame('the database is gone', $exception->getMessage());
        }
        self::assertSame([], $endpoint->records());
    }

    public function testAShopsTestsMayReplaceTheClient(): void
    {
        $client = $this->createMock(ClientInterface::class);
        $client->expects(self::once())->method('updateOrder')->with('1')->willReturn(new Receipt(1, 0.1));
        self::assertSame(1, $client->updateOrder('1', [])->attempts);
        self::assertInstanceOf(ClientInterface::class, $this->client());
    }

    public function testVariablesThatAreReferencesAreSentByValue(): void
    {
        $shared = 'x';
        $fields = ['a' => &$shared, 'b' => &$shared, 'c' => [&$shared]];
        unset($fields['c']);
        $payload = $this->client()->validateUpdate('1', $fields)->payload;
        self::assertSame('{"site_id":"abcd.com","order_id":"1","a":"x","b":"x"}', $payload);
        self::assertSame('x', $shared);
    }

    public function testFloatsDoNotDependOnIniSettingsOrTheLocale(): void
    {
        $before = ini_set('serialize_precision', '5');
        try {
            foreach ([12345678.91, 0.1, -0.0, 1e15] as $number) {
                $fields = ['sale_amount' => $number, 'order_time' => '@0'];
                $payload = json_decode((string) $this->client()->validateUpdate('1', $fields)->payload, true);
                self::assertSame((float) $payload['sale_amount'], $number === -0.0 ? 0.0 : $number);
            }
        } finally {
            ini_set('serialize_precision', (string) $before);
        }
    }

    public function testAReportNeedsWhatThePageRequires(): void
    {
        $problems = $this->client()->validateReport('1', [])->problems;
        $paths = array_column($problems, 'path');
        self::assertEqualsCanonicalizing(['sale_amount', 'subtotal_amount', 'email_address'], $paths);
    }

    public function testAValidationExceptionHasAllProblems(): void
    {
        $endpoint = Receiver::get()->endpoint('204');
        $fields = ['sale_amount' => '$secret', 'currency' => 'secret'];
        try {
            $this->client($endpoint->url)->updateOrder('secret', $fields);
            self::fail('the update was sent');
        } catch (ValidationException $exception) {
            $codes = array_column($exception->problems, 'code');
            self::assertContains('amount_format', $codes);
            self::assertContains('currency_unknown', $codes);
            self::assertSame($exception->problems, $exception->getProblems());
            self::assertSame('validation', $exception->errorCode);
            self::assertFalse($exception->retryable);
            self::assertStringContainsString('sale_amount', $exception->getMessage());
            self::assertStringNotContainsString('secret', $exception->getMessage());
        }
        self::assertSame([], $endpoint->records());
    }

    public function testARejectedExceptionHasTheStatus(): void
    {
        $endpoint = Receiver::get()->endpoint('429:retry-after=30');
        try {
            $this->client($endpoint->url)->updateOrder('1', []);
            self::fail('the update was received');
        } catch (RejectedException $exception) {
            self::assertInstanceOf(KatalysException::class, $exception);
            self::assertInstanceOf(\RuntimeException::class, $exception);
            self::assertSame(429, $exception->getStatus());
            self::assertSame(30.0, $exception->getRetryAfter());
            self::assertSame(1, $exception->attempts);
            self::assertTrue($exception->isRetryable());
        }
    }

    public function testAConfigExceptionNamesTheArgument(): void
    {
        $this->expectException(ConfigException::class);
        $this->expectExceptionMessage('connectTimeout must be');
        new Client('abcd.com', connectTimeout: -1);
    }

    public function testInvalidFieldsAreDroppedWhereThatIsWanted(): void
    {
        $client = new Client('abcd.com', invalid: 'drop');
        $validation = $client->validateUpdate('1', ['ip_address' => 'x', 'order_status' => 'refunded']);
        self::assertSame('{"site_id":"abcd.com","order_id":"1","order_status":"refunded"}', $validation->payload);
        self::assertSame(['warning'], array_column($validation->problems, 'severity'));
    }

    public function testEachKindOfWarningIsLoggedOnceByAClient(): void
    {
        $endpoint = Receiver::get()->endpoint('204');
        $silent = $this->client($endpoint->url);
        $silent->updateOrder('1', ['order_status' => 'canceled']);
        $log = new Log();
        $client = new Client('abcd.com', endpoint: $endpoint->url, logger: $log);
        for ($round = 0; $round < 3; $round++) {
            $client->validateUpdate('1', ['order_status' => 'canceled']);
            $receipt = $client->updateOrder('1', ['order_status' => 'canceled', 'shipping_country' => 'Germany']);
            self::assertCount(2, $receipt->warnings);
        }
        $logged = array_map(static fn(array $line) => [$line[0], $line[2]['code'], $line[2]['path']], $log->lines);
        self::assertSame([
            ['warning', 'status_misspelled', 'order_status'],
            ['warning', 'country_unknown', 'shipping_country'],
        ], $logged);
        self::assertStringNotContainsString('Germany', $log->lines[1][1]);
    }

    public function testAWarningIsLoggedEvenIfSendingFails(): void
    {
        $log = new Log();
        $client = new Client('abcd.com', endpoint: Receiver::get()->endpoint('400')->url, logger: $log);
        try {
            $client->updateOrder('1', ['order_status' => 'canceled']);
            self::fail('the update was received');
        } catch (RejectedException) {
            self::assertCount(1, $log->lines);
        }
    }

    public function testClientsOfEqualSettingsShareTheirConnection(): void
    {
        $endpoint = Receiver::get()->endpoint('204');
        for ($number = 0; $number < 5; $number++) {
            $this->client($endpoint->url)->updateOrder("$number", []);
        }
        self::assertCount(1, array_unique(array_column($endpoint->records(5), 'connection')));
    }

    public function testACloneWorksAfterItsOriginalIsGone(): void
    {
        $endpoint = Receiver::get()->endpoint('204');
        $client = $this->client($endpoint->url);
        $clone = clone $client;
        unset($client);
        self::assertSame(1, $clone->updateOrder('1', [])->attempts);
    }

    public function testAClientCannotBeSerialized(): void
    {
        $this->expectException(\Exception::class);
        $this->expectExceptionMessage("Serialization of 'FFI' is not allowed");
        serialize($this->client());
    }

    public function testDumpsAndTracesHideTheCustomer(): void
    {
        ob_start();
        var_dump($this->client()->validateUpdate('1', ['email_address' => 'secret@example.com']));
        self::assertStringNotContainsString('secret', (string) ob_get_clean());
        $before = ini_set('zend.exception_ignore_args', '0');
        try {
            $this->client()->updateOrder('1', ['email_address' => 'secret@example.com', 'sale_amount' => '$']);
            self::fail('the update was sent');
        } catch (ValidationException $exception) {
            $shown = print_r(array_slice($exception->getTrace(), 0, 4), true);
            if (PHP_VERSION_ID >= 80200) {
                self::assertStringNotContainsString('secret', $shown);
            }
        } finally {
            ini_set('zend.exception_ignore_args', (string) $before);
        }
    }

    public function testManyDifferentClientsDoNotPileUp(): void
    {
        $endpoint = Receiver::get()->endpoint('204');
        $held = $this->client($endpoint->url);
        $before = Support\Program::residentKilobytes();
        for ($number = 1; $number <= 400; $number++) {
            new Client("shop-$number.example", endpoint: $endpoint->url);
        }
        // 64 are kept; one takes about 300 KiB, mostly certificates.
        self::assertLessThan(64 * 600, Support\Program::residentKilobytes() - $before);
        self::assertSame(1, $held->updateOrder('1', [])->attempts);
    }

    public function testMemoryStaysFlat(): void
    {
        $client = $this->client(Receiver::get()->endpoint('204')->url);
        $calls = static function (int $count) use ($client): void {
            for ($i = 0; $i < $count; $i++) {
                $client->validateUpdate('1', ['order_status' => 'paid', 'line_items' => [['sku' => 'a']]]);
                $client->validateUpdate('1', ['sale_amount' => '$', 'order_time' => new \DateTimeImmutable('@0')]);
                if ($i % 20 === 0) {
                    $client->updateOrder('1', ['order_status' => 'canceled']);
                }
            }
        };
        $calls(20_000);
        $before = Support\Program::residentKilobytes();
        $calls(60_000);
        // A leak of 8 bytes a call would be 900 KiB.
        self::assertLessThan(512, Support\Program::residentKilobytes() - $before);
    }

    private function client(?string $endpoint = null): Client
    {
        return new Client('abcd.com', endpoint: $endpoint);
    }
}
