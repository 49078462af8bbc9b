<?php

declare(strict_types=1);

namespace Katalys\Testing;

use Katalys\Internal\Handle;

/**
 * A running `katalys sandbox`, and the requests it has received. It ends with this process.
 */
final class Sandbox
{
    private const ARGUMENTS = ['sandbox', '--port', '0', '--json', '--until-stdin-closes'];
    private const CONTAINMENT = 'KATALYS_TEST_DIR';
    private const LONGEST_START = 30;
    private const LONGEST_ANSWER = 30;

    private static ?self $shared = null;

    /** The URL of its page. */
    public readonly string $url;
    /** The `endpoint` setting of clients that report to it. */
    public readonly string $endpoint;

    /** @var resource|null */
    private $process;
    /** @var array<int, resource> */
    private array $pipes = [];
    private int $owner;

    /**
     * @param string|null $command The `katalys` program; otherwise `KATALYS_COMMAND`,
     * vendor/bin/katalys, or the first on the PATH.
     */
    public function __construct(?string $command = null)
    {
        $program = $command ?? (\getenv('KATALYS_COMMAND') ?: self::installed());
        if (!self::isProgram($program)) {
            throw new SandboxException("the sandbox could not be started: $program is not a program");
        }
        $this->owner = (int) \getmypid();
        $process = \proc_open([$program, ...self::ARGUMENTS], [['pipe', 'r'], ['pipe', 'w']], $this->pipes);
        $this->process = $process ?: null;
        $ready = \json_decode($this->readyLine(), true);
        if (!isset($ready['url'], $ready['endpoint'])) {
            $this->close();
            throw new SandboxException("$program did not start a sandbox; see its stderr");
        }
        $this->url = $ready['url'];
        $this->endpoint = $ready['endpoint'];
    }

    public function __destruct()
    {
        $this->close();
    }

    /** The sandbox of this process. The first call, and the first one after close(), starts it. */
    public static function shared(): self
    {
        if (self::$shared === null || self::$shared->process === null) {
            self::$shared = new self();
        }

        return self::$shared;
    }

    /**
     * Isolates this process, and those that it starts, from production. With any settings, clients send
     * to this machine only: to `KATALYS_ENDPOINT` instead of another host, or nowhere; and a file in a
     * folder of this test run replaces their outbox.
     *
     * SandboxTrait calls this when it is loaded. Call it first in PHPUnit's bootstrap if that, or a
     * file of tests, creates clients.
     *
     * @throws SandboxException if a client with an outbox was created before.
     */
    public static function contain(): void
    {
        if (\getenv(self::CONTAINMENT)) {
            return;
        }
        if (Handle::$hasUncontainedOutbox) {
            throw new SandboxException(
                'a client with an outbox was created before the tests were isolated from production; call '
                . 'Katalys\Testing\Sandbox::contain() first in the bootstrap of PHPUnit',
            );
        }
        $folder = \sys_get_temp_dir() . '/katalys-tests-' . \bin2hex(\random_bytes(8));
        \mkdir($folder, 0700);
        \putenv(self::CONTAINMENT . "=$folder");
        $owner = \getmypid();
        \register_shutdown_function(static function () use ($folder, $owner): void {
            if (\getmypid() === $owner) {
                \array_map('unlink', \glob("$folder/*") ?: []);
                \rmdir($folder);
            }
        });
    }

    /**
     * An order, by any of its ids; `$siteId` if several sites have one.
     *
     * @return array<string, mixed> order_id, site_id, fields, updates, merged_from
     */
    public function order(string|int $orderId, ?string $siteId = null): array
    {
        return $this->call('GET', '/orders/' . \rawurlencode((string) $orderId), ['site_id' => $siteId]);
    }

    /**
     * The orders that match, newest change first.
     *
     * @param array<string, scalar|null> $filters `order_id` (a part of it), `status`, `site_id`, `from`
     * and `to` (of `order_time`), `warnings`; `offset`, `limit` (100, at most 1000).
     * @return array<string, mixed> orders, total
     */
    public function orders(array $filters = []): array
    {
        return $this->call('GET', '/orders', $filters);
    }

    /**
     * The requests that were read after a cursor, oldest first, at most 1000.
     *
     * @return array<string, mixed> updates, cursor, more
     */
    public function updates(int $since = 0): array
    {
        return $this->call('GET', '/updates', ['since' => $since, 'limit' => 1000]);
    }

    /**
     * Waits until an order has this status and this number of updates (at least one).
     *
     * @return array<string, mixed> as of order()
     * @throws SandboxException With code 408 after `$timeout` seconds.
     */
    public function waitFor(
        string|int $orderId,
        ?string $status = null,
        ?int $updates = null,
        float $timeout = 5,
        ?string $siteId = null,
    ): array {
        $expected = ['order_id' => $orderId, 'status' => $status, 'updates' => $updates];

        return $this->call('GET', '/wait', $expected + ['timeout' => $timeout, 'site_id' => $siteId]);
    }

    /**
     * Answers requests with a fault from now on, such as `['status' => 503, 'next' => 2]`.
     *
     * @param array<string, scalar> $fault
     * @return array<string, mixed> The rule, with its `id`.
     */
    public function fault(array $fault): array
    {
        return $this->call('POST', '/faults', body: $fault)['faults'][0];
    }

    /** Removes all faults. */
    public function clearFaults(): void
    {
        $this->call('DELETE', '/faults');
    }

    /** Removes orders, requests and faults. */
    public function clear(): void
    {
        $this->call('DELETE', '');
    }

    /** Ends the sandbox; in a forked child, does nothing to it. */
    public function close(): void
    {
        if ($this->process === null || $this->owner !== \getmypid()) {
            return;
        }
        \array_map('fclose', $this->pipes);
        // A forked child may hold its stdin, too.
        \proc_terminate($this->process);
        \proc_close($this->process);
        $this->process = null;
    }

    private function readyLine(): string
    {
        $read = \array_slice($this->pipes, 1);
        $none = null;
        $isThere = $read !== [] && \stream_select($read, $none, $none, self::LONGEST_START);

        return $isThere ? (string) \fgets($this->pipes[1]) : '';
    }

    /**
     * @param array<string, scalar|null> $query
     * @param array<string, scalar>|null $body
     * @return array<string, mixed>
     */
    private function call(string $method, string $path, array $query = [], ?array $body = null): array
    {
        if ($this->process === null) {
            throw new SandboxException('this sandbox was closed; Sandbox::shared() starts another one');
        }
        $url = "{$this->url}/_sandbox$path?" . \http_build_query($query);
        $request = [
            'method' => $method,
            'ignore_errors' => true,
            'timeout' => ($query['timeout'] ?? 0) + self::LONGEST_ANSWER,
        ];
        if ($body !== null) {
            $request['header'] = 'Content-Type: application/json';
            $request['content'] = \json_encode($body, \JSON_THROW_ON_ERROR);
        }
        $stream = @\fopen($url, 'r', false, \stream_context_create(['http' => $request]));
        if ($stream === false) {
            $reason = \error_get_last()['message'] ?? '';
            throw new SandboxException("the sandbox at {$this->url} does not answer: $reason");
        }
        $status = (int) \explode(' ', \stream_get_meta_data($stream)['wrapper_data'][0])[1];
        $answer = \json_decode((string) \stream_get_contents($stream), true) ?? [];
        if ($status >= 300) {
            throw new SandboxException($answer['error'] ?? 'the answer is not that of a sandbox', $status);
        }

        return $answer;
    }

    /** The program in the vendor folder of this package or of the tests; then the one on the PATH. */
    private static function installed(): string
    {
        $folders = [\dirname(__DIR__, 4) . '/bin', 'vendor/bin'];
        foreach ([...$folders, ...\explode(\PATH_SEPARATOR, (string) \getenv('PATH'))] as $folder) {
            if (self::isProgram("$folder/katalys")) {
                return "$folder/katalys";
            }
        }
        throw new SandboxException(
            'the katalys command is not installed: pip install katalys-cli, npm install -g @katalys/cli, or '
            . 'put it at vendor/bin/katalys, or set KATALYS_COMMAND to its path',
        );
    }

    private static function isProgram(string $file): bool
    {
        return \is_file($file) && \is_executable($file);
    }
}
