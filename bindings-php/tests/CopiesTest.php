<?php

declare(strict_types=1);

namespace Katalys\Tests;

use Katalys\Tests\Support\Program;
use Katalys\Tests\Support\Receiver;
use PHPUnit\Framework\TestCase;

/**
 * Two copies of the library in one process, as of two releases or packages, and PHP's SQLite share an
 * outbox.
 */
final class CopiesTest extends TestCase
{
    private const EACH = 500;

    public function testTwoCopiesAndAnotherSqliteLoseNothing(): void
    {
        $endpoint = Receiver::get()->endpoint('204');
        $folder = Program::folder();
        $library = KATALYS_PACKAGE . '/lib/linux-' . php_uname('m') . '/libkatalys.so';
        copy($library, "$folder/1.so");
        copy($library, "$folder/2.so");
        $output = Program::output('
            $header = file_get_contents("' . KATALYS_PACKAGE . '/include/katalys-php.h");
            $options = serialize([
                "siteId" => "abcd.com",
                "endpoint" => "' . $endpoint->url . '",
                "outbox" => "' . $folder . '/katalys.db",
            ]);
            $copies = [];
            foreach ([1, 2] as $number) {
                $library = FFI::cdef($header, "' . $folder . '/$number.so");
                $copies[] = [$library, $library->katalys_php_client($options, strlen($options), false)];
            }
            $tickets = [];
            for ($number = 0; $number < ' . self::EACH . '; $number++) {
                $update = serialize([(string) ($number % 20), ["number" => "$number"]]);
                foreach ($copies as [$library, $client]) {
                    $tickets[] = $library->katalys_php_call($client, 8, $update, strlen($update));
                }
                if ($number % 5 === 0) {
                    $file = new PDO("sqlite:' . $folder . '/katalys.db", options: [PDO::ATTR_TIMEOUT => 10]);
                    $file->query("SELECT count(*) FROM updates")->fetchColumn();
                    $file = null;
                }
            }
            foreach ($copies as [$library, $client]) {
                $left[] = $library->katalys_php_flush($client, 60, false);
                $stats[] = json_decode($library->katalys_php_stats($client), true);
            }
            echo json_encode([$tickets, $left, $stats]);
        ');
        [$tickets, $left, $stats] = json_decode($output, true);
        $all = 2 * self::EACH;
        self::assertSame(array_map(static fn(int $id) => "#$id", range(1, $all)), $tickets);
        self::assertSame(['0', '0'], $left);
        foreach ($stats as $one) {
            self::assertSame([$all, $all, 0, 0], [$one['accepted'], $one['delivered'], $one['dead'], $one['pending']]);
        }
        self::assertCount($all, $endpoint->records($all));
    }
}
