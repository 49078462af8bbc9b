<?php

/**
 * Compares the package with the code that a PHP shop would otherwise use. Prints one JSON object per line.
 *
 * Usage: php bench.php PLAIN_URL TLS_URL CA_FILE [seconds-per-measurement]
 *
 * The URLs are those of a server that answers every POST with 204. The candidates take turns within one
 * run, and their medians are compared: rates on a shared machine vary. KATALYS_PHP is the package's
 * folder (by default dist/php).
 */

declare(strict_types=1);

use Katalys\Client;

const ROUNDS = 7;
const ORDER = [
    'order_status' => 'paid',
    'order_time' => '2018-01-01 01:23:40-08:00',
    'order_count' => 2,
    'sale_amount' => '25.67',
    'subtotal_amount' => '20.00',
    'shipping_amount' => '4.19',
    'tax_amount' => '1.48',
    'currency' => 'EUR',
    'email_address' => 'email@example.com',
    'user_agent' => 'Mozilla/5.0 (X11; Linux x86_64)',
    'ip_address' => '93.184.215.14',
    'shipping_city' => 'Zürich',
    'shipping_state' => 'ZH',
    'shipping_postal' => '8000',
    'shipping_country' => 'CH',
    'discount_1_code' => 'REVOFFERS_EXAMPLE',
    'discount_1_amount' => '1.50',
    'line_item_1_title' => 'Wellness Bundle #4',
    'line_item_1_sku' => 'WLNS_BUNDLE_4',
    'line_item_1_price' => '1.99',
];

$package = getenv('KATALYS_PHP') ?: dirname(__DIR__, 2) . '/dist/php';
require "$package/autoload.php";
require __DIR__ . '/handwritten.php';

/** @param list<string> $arguments */
function main(array $arguments): void
{
    [$plain, $tls, $caFile] = $arguments;
    $seconds = (float) ($arguments[3] ?? 1);
    $overTls = new Client('abcd.com', endpoint: $tls, caFile: $caFile);
    $overPlain = new Client('abcd.com', endpoint: $plain);
    $update = static fn(Client $client) => static fn() => $client->updateOrder('1001', ORDER);
    $newHandle = static fn() => newHandle($tls, $caFile);

    [$ours, $theirs] = inTurns($update($overTls), $newHandle, $seconds, 'rate');
    report('updateOrder, TLS', $ours, $theirs, 'a new curl handle per call', 'updates/s', '>= 10');
    [$ours, $theirs] = inTurns($update($overTls), reusedHandle($tls, $caFile), $seconds, 'rate');
    report('updateOrder, TLS', $ours, $theirs, 'one curl handle, reused', 'updates/s', '');
    [$ours, $theirs] = inTurns($update($overPlain), static fn() => newHandle($plain), $seconds, 'rate');
    report('updateOrder, plain', $ours, $theirs, 'a new curl handle per call', 'updates/s', '');

    [$ours, $theirs] = inTurns($update($overTls), $newHandle, $seconds, 'cpu');
    report('CPU per update, TLS', $ours, $theirs, 'a new curl handle per call', 'ms', '>= 15', true);

    $check = static fn() => $overPlain->validateUpdate('1001', ORDER);
    $byHand = static fn() => HandWritten\payload('1001', ORDER);
    if ($check()->payload === null || json_decode($check()->payload, true) != json_decode($byHand(), true)) {
        throw new LogicException('the two do not make the same payload');
    }
    [$ours, $theirs] = inTurns($check, $byHand, $seconds, 'nanoseconds');
    $what = 'validate + encode, 20 fields';
    report($what, $ours, $theirs, 'hand-written checks + json_encode', 'ns', '>= 1', true);

    memory($overPlain);
}

/**
 * The medians of both candidates, measured in turns after one warm-up round each.
 *
 * @return array{float, float}
 */
function inTurns(callable $ours, callable $theirs, float $seconds, string $measure): array
{
    $measure($ours, $seconds);
    $measure($theirs, $seconds);
    $results = [[], []];
    for ($round = 0; $round < ROUNDS; $round++) {
        $results[0][] = $measure($ours, $seconds);
        $results[1][] = $measure($theirs, $seconds);
    }
    sort($results[0]);
    sort($results[1]);

    return [$results[0][intdiv(ROUNDS, 2)], $results[1][intdiv(ROUNDS, 2)]];
}

/** Calls per second. */
function rate(callable $call, float $seconds): float
{
    [$calls, $elapsed] = repeat($call, $seconds);

    return $calls / $elapsed;
}

function nanoseconds(callable $call, float $seconds): float
{
    [$calls, $elapsed] = repeat($call, $seconds);

    return $elapsed / $calls * 1e9;
}

/** Milliseconds of processor time per call, including system time. */
function cpu(callable $call, float $seconds): float
{
    $before = processorTime();
    [$calls] = repeat($call, $seconds);

    return (processorTime() - $before) / $calls * 1000;
}

/** @return array{int, float} the number of calls, and the seconds they took */
function repeat(callable $call, float $seconds): array
{
    $began = hrtime(true);
    $end = $began + (int) ($seconds * 1e9);
    $calls = 0;
    do {
        for ($i = 0; $i < 20; $i++) {
            $call();
        }
        $calls += 20;
        $now = hrtime(true);
    } while ($now < $end);

    return [$calls, ($now - $began) / 1e9];
}

function processorTime(): float
{
    $usage = getrusage();
    $seconds = $usage['ru_utime.tv_sec'] + $usage['ru_stime.tv_sec'];

    return $seconds + ($usage['ru_utime.tv_usec'] + $usage['ru_stime.tv_usec']) / 1e6;
}

/** The vendor's example, with its mistakes corrected. */
function newHandle(string $url, ?string $caFile = null): void
{
    $handle = handle($url, $caFile);
    send($handle);
    curl_close($handle);
}

function reusedHandle(string $url, ?string $caFile = null): callable
{
    $handle = handle($url, $caFile);

    return static fn() => send($handle);
}

function handle(string $url, ?string $caFile): CurlHandle
{
    $handle = curl_init($url);
    curl_setopt_array($handle, [
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_POST => true,
        CURLOPT_HTTPHEADER => ['Content-Type: application/json'],
    ] + ($caFile === null ? [] : [CURLOPT_CAINFO => $caFile]));

    return $handle;
}

function send(CurlHandle $handle): void
{
    $order = ['site_id' => 'abcd.com', 'order_id' => '1001'] + ORDER;
    curl_setopt($handle, CURLOPT_POSTFIELDS, json_encode($order));
    curl_exec($handle);
    if (curl_getinfo($handle, CURLINFO_RESPONSE_CODE) !== 204) {
        throw new RuntimeException(curl_error($handle));
    }
}

/** The growth in KiB after a million calls, after a warm-up round. */
function memory(Client $client): void
{
    $calls = static function (int $count) use ($client): void {
        for ($i = 0; $i < $count; $i++) {
            $client->validateUpdate('1001', ORDER);
            if ($i % 10 === 0) {
                $client->updateOrder('1001', ORDER);
            }
        }
    };
    $calls(100_000);
    $before = resident();
    $calls(1_000_000);
    $growth = resident() - $before;
    $line = ['what' => 'memory of 1,000,000 checks and 100,000 updates', 'ours' => $growth, 'theirs' => 0,
        'other' => 'after warm-up', 'unit' => 'KiB', 'ratio' => $growth, 'goal' => 'flat'];
    echo json_encode($line), "\n";
}

function resident(): int
{
    preg_match('/^VmRSS:\s+(\d+)/m', (string) file_get_contents('/proc/self/status'), $found);

    return (int) $found[1];
}

function report(
    string $what,
    float $ours,
    float $theirs,
    string $other,
    string $unit,
    string $goal,
    bool $smallerIsBetter = false,
): void {
    $ratio = round($smallerIsBetter ? $theirs / $ours : $ours / $theirs, 2);
    $line = ['what' => $what, 'ours' => round($ours, 3), 'theirs' => round($theirs, 3), 'other' => $other,
        'unit' => $unit, 'ratio' => $ratio, 'goal' => $goal];
    echo json_encode($line, JSON_UNESCAPED_UNICODE), "\n";
}

main(array_slice($argv, 1));
