<?php

declare(strict_types=1);

namespace Katalys\Tests;

use Katalys\Client;
use Katalys\ConfigException;
use Katalys\Event;
use Katalys\KatalysException;
use Katalys\OutboxException;
use Katalys\OutboxFullException;
use Katalys\RejectedException;
use Katalys\Tests\Support\Endpoint;
use Katalys\Tests\Support\Log;
use Katalys\Tests\Support\Program;
use Katalys\Tests\Support\Receiver;
use Katalys\TimeoutException;
use Katalys\ValidationException;
use PHPUnit\Framework\TestCase;
use Psr\Log\LoggerInterface;

/**
 * The outbox within one process.
 */
final class OutboxTest extends TestCase
{
    private string $file;
    private Endpoint $endpoint;
    /** @var list<Client> */
    private array $clients = [];

    protected function setUp(): void
    {
        $this->file = Program::folder() . '/katalys.db';
    }

    protected function tearDown(): void
    {
        foreach ($this->clients as $client) {
            $client->close(5);
        }
        $this->clients = [];
    }

    public function testUpdatesAreDeliveredInOrder(): void
    {
        $client = $this->client(['503', 'reset-after', '204']);
        $tickets = [];
        foreach (['pending', 'paid', 'refunded'] as $status) {
            $tickets[] = $client->enqueueUpdate('1001', ['order_status' => $status]);
        }
        $report = ['order_status' => 'paid', 'sale_amount' => '2', 'subtotal_amount' => '1', 'currency' => 'EUR'];
        $tickets[] = $client->enqueueReport('1002', $report + ['email_address' => 'a@example.com']);
        self::assertSame([1, 2, 3, 4], array_column($tickets, 'id'));
        self::assertSame([], array_merge(...array_column($tickets, 'warnings')));
        self::assertSame(0, $client->flush(20));
        $statuses = ['1001' => [], '1002' => []];
        foreach ($this->endpoint->records(6) as $record) {
            $fields = json_decode($record['body'], true);
            $statuses[$fields['order_id']][] = $fields['order_status'];
        }
        $distinct = array_map(static fn(array $statuses) => array_values(array_unique($statuses)), $statuses);
        self::assertSame(['1001' => ['pending', 'paid', 'refunded'], '1002' => ['paid']], $distinct);
        $stats = $client->stats();
        self::assertSame([4, 4, 0, 0, 0, 0, 0.0], array_values((array) $stats));
        self::assertSame(0600, fileperms($this->file) & 0777);
    }

    public function testAWaitingCallGoesThroughTheSameLane(): void
    {
        $client = $this->client(['slow=300', '204']);
        $client->enqueueUpdate('1', ['order_status' => 'pending']);
        self::assertSame(1, $client->updateOrder('1', ['order_status' => 'paid'])->attempts);
        $bodies = array_column($this->endpoint->records(2), 'body');
        self::assertSame(['pending', 'paid'], array_map(static fn($body) => json_decode($body)->order_status, $bodies));
        $refused = $this->client(['404']);
        $this->expectException(RejectedException::class);
        $refused->updateOrder('2', []);
    }

    public function testAClientWithoutAnOutboxSaysWhatToSet(): void
    {
        $client = new Client('abcd.com');
        $calls = [
            static fn() => $client->enqueueUpdate('1', []),
            static fn() => $client->stats(),
            static fn() => $client->flush(0),
            static fn() => $client->deadLetters(),
            static fn() => $client->replay(1),
            static fn() => $client->discard(1),
            static fn() => $client->edit(1, []),
        ];
        foreach ($calls as $call) {
            try {
                $call();
                self::fail('no exception');
            } catch (ConfigException $exception) {
                self::assertSame('config_missing', $exception->errorCode);
                self::assertStringStartsWith('outbox is not set; give the client the path', $exception->getMessage());
            }
        }
        self::assertSame(0, $client->close(0), 'there is nothing to end');
    }

    public function testAnInvalidTimeoutIsRefused(): void
    {
        $client = $this->client(['204']);
        foreach ([NAN, -1, -INF, INF, 31_622_401, 1e300] as $timeout) {
            foreach (['flush', 'close'] as $method) {
                try {
                    $client->$method($timeout);
                    self::fail("$method($timeout)");
                } catch (KatalysException $exception) {
                    self::assertSame('misuse', $exception->errorCode);
                    self::assertStringStartsWith('timeout must be a number of seconds', $exception->getMessage());
                }
            }
        }
        self::assertSame(0, $client->flush(31_622_400));
        self::assertSame([0, 0], [$client->flush(), $client->close()]);
    }

    /** A retry loop, as queues have them. */
    public function testACallThatTimedOutHasATicketAndIsNotRepeated(): void
    {
        $client = $this->client(['hang', '204'], timeout: 0.5);
        $tickets = [];
        do {
            try {
                $client->updateOrder('1', ['order_status' => 'paid']);
                self::fail('the endpoint answered');
            } catch (KatalysException $exception) {
                $tickets[] = $exception->ticket;
                self::assertSame($exception->ticket, $exception->getTicket());
            }
        } while ($exception->retryable && count($tickets) < 5);
        self::assertSame([1], $tickets);
        self::assertInstanceOf(TimeoutException::class, $exception);
        self::assertSame('timeout_pending', $exception->errorCode);
        self::assertSame(1, $client->stats()->accepted);
    }

    public function testARefusedWaitingCallNamesItsDeadLetter(): void
    {
        $client = $this->client(['404']);
        try {
            $client->updateOrder('1', []);
            self::fail('the update was received');
        } catch (RejectedException $exception) {
            self::assertSame([$exception->ticket], array_column($client->deadLetters(), 'id'));
        }
        try {
            (new Client('abcd.com', endpoint: $this->endpoint->url))->updateOrder('1', []);
            self::fail('the update was received');
        } catch (RejectedException $exception) {
            self::assertNull($exception->ticket, 'without an outbox');
        }
    }

    public function testAnInvalidUpdateIsNotAccepted(): void
    {
        $client = $this->client(['204'], deliver: false);
        try {
            $client->enqueueUpdate('1', ['sale_amount' => '$1']);
            self::fail('no exception');
        } catch (ValidationException $exception) {
            self::assertSame(['amount_format'], array_column($exception->problems, 'code'));
        }
        self::assertSame(0, $client->stats()->accepted);
    }

    public function testAFullOutboxRefuses(): void
    {
        foreach (['capacityRows' => 1, 'capacityBytes' => 80] as $setting => $most) {
            $settings = ['outbox' => "$this->file-$setting", 'deliver' => false, $setting => $most];
            $client = $this->client(['204'], ...$settings);
            $client->enqueueUpdate('1', ['order_status' => 'paid']);
            try {
                $client->enqueueUpdate('2', ['order_status' => 'paid']);
                self::fail('no exception');
            } catch (OutboxException $exception) {
                self::assertInstanceOf(OutboxFullException::class, $exception);
                self::assertSame('outbox_full', $exception->getErrorCode());
                self::assertTrue($exception->isRetryable());
                self::assertSame(0, $exception->getAttempts());
                self::assertNull($exception->getTicket());
            }
            self::assertSame(1, $client->stats()->accepted, $setting);
        }
    }

    public function testAFileOfAnotherKindIsRefusedAtOnceAndUntouched(): void
    {
        file_put_contents($this->file, "order;amount\n1001;25.67\n");
        try {
            $this->client(['204']);
            self::fail('no exception');
        } catch (OutboxException $exception) {
            self::assertSame('outbox_foreign', $exception->errorCode);
        }
        self::assertSame("order;amount\n1001;25.67\n", file_get_contents($this->file));
        self::assertSame([$this->file], glob(dirname($this->file) . '/*'));
    }

    public function testDeadLettersAreListedEditedReplayedAndDiscarded(): void
    {
        $client = $this->client(['404', '404', '404', '204'], workers: 1);
        foreach (['a', 'b', 'c'] as $order) {
            $client->enqueueUpdate($order, ['order_status' => 'paid', 'note' => 'secret']);
        }
        self::assertSame(0, $client->flush(10));
        $letters = $client->deadLetters();
        self::assertSame([1, 2, 3], array_column($letters, 'id'));
        self::assertSame([2], array_column($client->deadLetters(after: 1, limit: 1), 'id'));
        self::assertSame([], $client->deadLetters(after: 3));
        $first = $letters[0];
        self::assertSame(['a', 'abcd.com'], [$first->orderId, $first->siteId]);
        self::assertSame([404, 'rejected'], [$first->status, $first->code]);
        $payload = '{"site_id":"abcd.com","order_id":"a","order_status":"paid","note":"secret"}';
        self::assertSame($payload, $first->payload);
        self::assertLessThan(60, abs(time() - $first->diedAt->getTimestamp()));
        $shown = print_r($first, true);
        self::assertStringNotContainsString('secret', $shown);
        self::assertStringContainsString('[orderId] => (1 bytes)', $shown);
        self::assertStringContainsString('[siteId] => abcd.com', $shown);

        self::assertTrue($client->edit(1, ['order_status' => 'refunded', 'note' => null]));
        self::assertTrue($client->replay(1));
        self::assertTrue($client->discard(2));
        self::assertSame([false, false, false], [$client->replay(2), $client->discard(2), $client->edit(9, [])]);
        self::assertSame(0, $client->flush(10));
        $sent = '{"site_id":"abcd.com","order_id":"a","order_status":"refunded"}';
        self::assertSame($sent, array_column($this->endpoint->records(4), 'body')[3]);
        $stats = $client->stats();
        self::assertSame([3, 1, 0, 1, 1], [
            $stats->accepted, $stats->delivered, $stats->pending, $stats->dead, $stats->discarded,
        ]);
        $wrong = [
            ValidationException::class => ['sale_amount' => '$1'],
            KatalysException::class => ['order_id' => 'x'],
        ];
        foreach ($wrong as $expected => $changes) {
            try {
                $client->edit(3, $changes);
                self::fail('no exception');
            } catch (KatalysException $exception) {
                self::assertSame($expected, $exception::class);
            }
        }
    }

    public function testEachSettingHasItsEffect(): void
    {
        $held = $this->client(['404', '204'], onRejected: 'hold');
        $held->enqueueUpdate('1', ['order_status' => 'pending']);
        $held->enqueueUpdate('1', ['order_status' => 'paid']);
        Program::waitFor('the refusal', static fn() => $held->stats()->dead === 1);
        self::assertSame(1, $held->flush(0.3));
        self::assertGreaterThan(0, $held->stats()->oldestPendingSeconds);
        $held->discard(1);
        self::assertSame(0, $held->flush(10));

        $aged = $this->client(['503'], outbox: "$this->file-aged", maxAge: 0.2);
        $aged->enqueueUpdate('1', []);
        Program::waitFor('its age', static fn() => $aged->stats()->dead === 1);
        self::assertSame('expired', $aged->deadLetters()[0]->code);

        $settings = ['outbox' => "$this->file-same", 'deliver' => false, 'durability' => 'normal'];
        $same = $this->client(['204'], ...$settings, collapse: true);
        $enqueue = static fn(string $status) => $same->enqueueUpdate('1', ['order_status' => $status])->id;
        self::assertSame([1, 1, 2, 3], array_map($enqueue, ['paid', 'paid', 'refunded', 'paid']));
        self::assertSame(3, $same->flush(0.2), 'it does not deliver');
        $relay = $this->client(['204'], outbox: "$this->file-same");
        self::assertSame(0, $relay->flush(10));
        self::assertCount(3, $this->endpoint->records(3));
    }

    public function testALateStateIsSentWithAWarning(): void
    {
        $log = new Log();
        $client = $this->client(['204'], deliver: false, logger: $log);
        $client->enqueueUpdate('1', ['order_status' => 'refunded']);
        foreach ([2, 3] as $id) {
            $ticket = $client->enqueueUpdate('1', ['order_status' => 'paid']);
            self::assertSame([$id, ['status_stale']], [$ticket->id, array_column($ticket->warnings, 'code')]);
        }
        $warnings = array_filter($log->lines, static fn(array $line) => $line[0] === 'warning');
        self::assertCount(1, $warnings, 'each kind is logged once');
    }

    public function testEventsReachTheLoggerAndTheListener(): void
    {
        $log = new Log();
        $events = [];
        $listener = static function (Event $event) use (&$events): void {
            $events[] = $event;
        };
        $client = $this->client(['503', '404'], logger: $log, onEvent: $listener);
        $client->enqueueUpdate('customer-7', ['order_status' => 'paid']);
        Program::waitFor('the refusal', static fn() => $client->stats()->dead === 1);
        $client->discard(1);
        $expected = ['accepted', 'retried', 'dead_lettered', 'discarded'];
        Program::waitFor('the events', static function () use ($client, &$events): bool {
            $client->flush(0);

            return count($events) === 4;
        });
        self::assertSame($expected, array_column($events, 'kind'));
        self::assertSame([0, 1, 2, 0], array_column($events, 'attempts'));
        self::assertSame([null, 503, 404, null], array_map(static fn(Event $event) => $event->status, $events));
        $codes = array_map(static fn(Event $event) => $event->code, $events);
        self::assertSame([null, 'unavailable', 'rejected', null], $codes);
        self::assertCount(1, array_unique(array_column($events, 'order')));
        self::assertMatchesRegularExpression('/^[0-9a-f]{16}$/', $events[0]->order);
        self::assertSame(['debug', 'info', 'error', 'warning'], array_column($log->lines, 0));
        self::assertSame('update 1 is now a dead letter: rejected (404)', $log->lines[2][1]);
        self::assertSame($expected, array_column(array_column($log->lines, 2), 'kind'));
        self::assertStringNotContainsString('customer-7', print_r($log, true));
    }

    public function testEventsWithoutAListenerReachTheNextOneAndArriveWhenTheClientIsDestroyed(): void
    {
        $received = new \ArrayObject();
        $settings = ['deliver' => false, 'durability' => 'normal', 'eventOrderIds' => 'plain'];
        $listener = static fn(Event $event) => $received[] = $event->order;
        $listening = $this->client(['204'], ...$settings, onEvent: $listener);
        $silent = $this->sameClient(...$settings);
        $silent->enqueueUpdate('first', []);
        self::assertCount(0, $received);
        $this->clients = [$silent];
        Program::waitFor('the event', static function () use ($listening, $received): bool {
            $listening->flush(0);

            return count($received) === 1;
        });
        $silent->enqueueUpdate('second', []);
        $silent->close(1); // Waits until all events have arrived.
        unset($listening);
        self::assertSame(['first', 'second'], $received->getArrayCopy());
    }

    public function testUnreadEventsAreBoundedAndCounted(): void
    {
        $log = new Log();
        $settings = ['deliver' => false, 'durability' => 'normal'];
        $listening = $this->client(['204'], ...$settings, logger: $log);
        $silent = $this->sameClient(...$settings);
        for ($number = 0; $number < 1100; $number++) {
            $silent->enqueueUpdate("$number", []);
        }
        $silent->close(5);
        $listening->flush(0);
        self::assertSame(['warning', ['lost' => 100]], [$log->lines[0][0], $log->lines[0][2]]);
        self::assertCount(1001, $log->lines);
        self::assertSame(1100, end($log->lines)[2]['id']);
    }

    public function testExceptionsOfListenersReachNoCaller(): void
    {
        $log = new class extends \Psr\Log\AbstractLogger {
            public int $calls = 0;

            public function log($level, $message, array $context = []): void
            {
                $this->calls++;
                throw new \Error('logger of a customer');
            }
        };
        $heard = 0;
        $listener = static function () use (&$heard): void {
            $heard++;
            throw new \LogicException('listener of a customer');
        };
        $errors = $this->errorLog(function () use ($log, $listener, &$heard): void {
            $client = $this->client(['204'], logger: $log, onEvent: $listener);
            for ($number = 1; $number <= 5; $number++) {
                $ticket = $client->enqueueUpdate('1', ['order_status' => 'canceled', 'number' => "$number"]);
                self::assertSame($number, $ticket->id);
            }
            self::assertSame(1, $client->updateOrder('2', [])->attempts);
            self::assertSame(0, $client->flush(10));
            Program::waitFor('the events', static function () use ($client, &$heard): bool {
                $client->flush(0);

                return $heard === 12;
            });
            $client->close(5);
        });
        self::assertSame(13, $log->calls, 'the warning, and each event');
        self::assertCount(1, $errors);
        $expected = '~katalys: a logger or event listener threw Error \(OutboxTest.php:\d+\); further exceptions~';
        self::assertMatchesRegularExpression($expected, $errors[0]);
    }

    public function testEachListenerOfEqualClientsReceivesEachEvent(): void
    {
        $heard = ['first' => [], 'second' => []];
        $listen = static function (string $name) use (&$heard): \Closure {
            return static function (Event $event) use ($name, &$heard): void {
                $heard[$name][] = $event->kind;
            };
        };
        $first = $this->client(['204'], onEvent: $listen('first'));
        $second = $this->sameClient(onEvent: $listen('second'));
        $first->enqueueUpdate('1', []);
        Program::waitFor('the events', static function () use ($first, &$heard): bool {
            $first->flush(0);

            return count($heard['first']) === 2;
        });
        self::assertSame(['accepted', 'delivered'], $heard['second']);
        $this->clients = [$second];
        unset($first);
        $second->enqueueUpdate('2', []);
        Program::waitFor('the events', static function () use ($second, &$heard): bool {
            $second->flush(0);

            return count($heard['second']) === 4;
        });
        self::assertCount(2, $heard['first'], 'it is gone');
    }

    public function testADamagedOutboxIsLoggedWithoutALogger(): void
    {
        $errors = $this->errorLog(function (string $file): void {
            $this->damage($this->client(['503']), static fn() => is_file($file) && filesize($file) > 0);
        });
        self::assertStringContainsString('katalys: the outbox ', $errors[0]);
    }

    public function testADamagedOutboxReachesTheLogger(): void
    {
        $log = new Log();
        $errors = $this->errorLog(function () use ($log): void {
            $isOurs = static fn(array $line) => $line[0] === 'error' && str_starts_with($line[1], 'the outbox ');
            $this->damage(
                $this->client(['503'], logger: $log),
                static fn() => array_filter($log->lines, $isOurs) !== [],
            );
        });
        self::assertSame([], $errors);
    }

    public function testADamagedFileIsRefusedAndNotChanged(): void
    {
        $make = "\$client = new Katalys\\Client('abcd.com', outbox: '$this->file', deliver: false);";
        Program::output("$make \$client->enqueueUpdate('1', []); \$client->close(5);");
        $damaged = substr((string) file_get_contents($this->file), 0, 4096) . str_repeat("\xa5", 65536);
        file_put_contents($this->file, $damaged);
        try {
            $this->client(['204']);
            self::fail('no exception');
        } catch (OutboxException $exception) {
            self::assertSame('outbox_corrupt', $exception->errorCode);
            self::assertFalse($exception->retryable);
        }
        self::assertSame($damaged, file_get_contents($this->file));
    }

    public function testADeadLetterIsLoggedOnceWithOrWithoutALogger(): void
    {
        $die = function (?LoggerInterface $logger): void {
            $client = $this->client(['404'], logger: $logger, outbox: Program::folder() . '/katalys.db');
            $client->enqueueUpdate('customer-7', []);
            self::assertSame(0, $client->flush(10));
            $client->close(5);
        };
        $errors = $this->errorLog(static fn() => $die(null));
        self::assertCount(1, $errors);
        self::assertStringContainsString('katalys: update 1 is now a dead letter', $errors[0]);
        self::assertStringNotContainsString('customer-7', $errors[0]);
        $log = new Log();
        self::assertSame([], $this->errorLog(static fn() => $die($log)));
        self::assertSame(['error'], array_values(array_intersect(array_column($log->lines, 0), ['error'])));
    }

    public function testAClosedClientAcceptsAndANewOneDelivers(): void
    {
        $client = $this->client(['204']);
        $client->enqueueUpdate('1', []);
        $client->flush(10);
        self::assertSame(0, $client->close(5));
        $client->enqueueUpdate('2', []);
        self::assertSame(1, $client->flush(0.3));
        self::assertSame(0, $this->sameClient()->flush(10));
        self::assertCount(2, $this->endpoint->records(2));
    }

    /** Another program empties the file while an update waits in it. */
    private function damage(Client $client, callable $isSeen): void
    {
        $client->enqueueUpdate('1', []);
        $drop = 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=60)
names = db.execute("SELECT name FROM sqlite_master WHERE type = \'table\'")
for (name,) in names.fetchall(): db.execute("DROP TABLE " + name)
db.commit()';
        exec(implode(' ', array_map('escapeshellarg', ['python3', '-c', $drop, $this->file])), result_code: $code);
        self::assertSame(0, $code);
        foreach ([static fn() => $client->enqueueUpdate('2', []), static fn() => $client->stats()] as $call) {
            try {
                $call();
                self::fail('no exception');
            } catch (OutboxException $exception) {
                self::assertNull($exception->ticket);
            }
        }
        Program::waitFor('the error of the background', static function () use ($client, $isSeen): bool {
            try {
                $client->stats();
            } catch (OutboxException) {
            }

            return $isSeen();
        });
        try {
            $client->close(1);
        } catch (OutboxException) {
        }
        $this->clients = [];
    }

    /** @return list<string> what was written to PHP's error log meanwhile */
    private function errorLog(callable $during): array
    {
        $file = Program::folder() . '/error.log';
        (new Client('abcd.com'))->close(0); // Logs what other tests left.
        $before = ini_set('error_log', $file);
        try {
            $during($file);
        } finally {
            ini_set('error_log', (string) $before);
        }

        return is_file($file) ? file($file, FILE_IGNORE_NEW_LINES) : [];
    }

    /** @param list<string> $steps */
    private function client(array $steps, mixed ...$settings): Client
    {
        $this->endpoint = Receiver::get()->endpoint(...$steps);

        return $this->sameClient(...$settings);
    }

    private function sameClient(mixed ...$settings): Client
    {
        $settings += ['endpoint' => $this->endpoint->url, 'outbox' => $this->file];
        $client = new Client('abcd.com', ...$settings);
        $this->clients[] = $client;

        return $client;
    }
}
