<?php

declare(strict_types=1);

namespace Katalys\Tests\Support;

/**
 * PHP in a separate process.
 */
final class Program
{
    /** Enough for a slow machine; nothing waits for it when all is well. */
    private const LONGEST_SECONDS = 30;

    /**
     * Runs code after the package's autoloader, and returns its output.
     *
     * @param list<string> $options
     */
    public static function output(
        string $code,
        array $options = ['-d', 'ffi.enable=1'],
        string $package = KATALYS_PACKAGE,
    ): string {
        $code = 'require ' . var_export("$package/autoload.php", true) . ";\n$code";
        $process = proc_open(
            [PHP_BINARY, ...$options, '-d', 'display_errors=stderr', '-r', $code],
            [1 => ['pipe', 'w'], 2 => ['pipe', 'w']],
            $pipes,
        );
        $output = stream_get_contents($pipes[1]);
        $errors = stream_get_contents($pipes[2]);
        $code = proc_close($process);
        if ($code !== 0) {
            throw new \RuntimeException("exit code $code: $output$errors");
        }

        return $output;
    }

    /** A folder that everybody may read, and that is gone when this process ends. */
    public static function folder(): string
    {
        $folder = sys_get_temp_dir() . '/katalys-test-' . bin2hex(random_bytes(6));
        mkdir($folder, 0755);
        $maker = getmypid();
        register_shutdown_function(static function () use ($folder, $maker): void {
            if (getmypid() === $maker) {
                self::run('rm', '-rf', $folder);
            }
        });

        return $folder;
    }

    /** The package as a user has it, somewhere else. */
    public static function copyOfPackage(): string
    {
        $copy = self::folder() . '/package';
        self::run('cp', '-R', KATALYS_PACKAGE, $copy);

        return $copy;
    }

    public static function run(string ...$command): void
    {
        $process = proc_open($command, [], $pipes);
        if (proc_close($process) !== 0) {
            throw new \RuntimeException(implode(' ', $command) . ' failed');
        }
    }

    /** A free port of the loopback. */
    public static function freePort(): int
    {
        $socket = stream_socket_server('tcp://127.0.0.1:0');
        $name = stream_socket_get_name($socket, false);
        fclose($socket);

        return (int) substr($name, strrpos($name, ':') + 1);
    }

    /** Waits until a condition holds. */
    public static function waitFor(string $what, callable $condition): void
    {
        $end = microtime(true) + self::LONGEST_SECONDS;
        while (!$condition()) {
            if (microtime(true) > $end) {
                throw new \RuntimeException("timed out waiting for $what");
            }
            usleep(10_000);
        }
    }

    public static function listens(int $port): bool
    {
        $socket = @stream_socket_client("tcp://127.0.0.1:$port", timeout: 1);
        if ($socket === false) {
            return false;
        }
        fclose($socket);

        return true;
    }

    /** How much memory this process has. */
    public static function residentKilobytes(): int
    {
        preg_match('/^VmRSS:\s+(\d+)/m', (string) file_get_contents('/proc/self/status'), $found);

        return (int) $found[1];
    }
}
