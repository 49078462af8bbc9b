<?php

declare(strict_types=1);

namespace Katalys\Tests\Fpm;

use Katalys\Tests\Support\Program;

/**
 * A separate instance of nginx and php-fpm, on free loopback ports and in a temporary folder. Each
 * release is a folder with the site and a copy of the package; the symbolic link `current` points to the
 * one that is served.
 */
final class Shop
{
    /** The package of the first release. */
    public readonly string $package;
    public readonly string $iniFile;

    private string $folder;
    private int $port;
    private int $fpmPort;
    private int $releases = 0;
    /** @var list<resource> */
    private array $processes = [];

    /**
     * @param array<string, string> $settings of php.ini, which override those of the package's README
     * @param string $master settings of php-fpm's master
     */
    public function __construct(int $workers, int $requestsPerWorker, array $settings = [], string $master = '')
    {
        $this->folder = Program::folder();
        $this->deploy();
        $this->package = "$this->folder/releases/1/package";
        $this->iniFile = "$this->folder/php.ini";
        $this->port = Program::freePort();
        $this->fpmPort = Program::freePort();
        mkdir("$this->folder/outbox", 0700);
        if ($this->isRoot()) {
            chown("$this->folder/outbox", 'www-data');
        }
        $this->write('php.ini', $this->ini($settings));
        $this->write('fpm.conf', $this->fpm($workers, $requestsPerWorker, $master));
        $this->write('nginx.conf', $this->nginx());
        $fpm = glob('/usr/sbin/php-fpm*')[0] ?? throw new \RuntimeException('php-fpm is not installed');
        $asRoot = $this->isRoot() ? ['-R'] : [];
        $this->start($fpm, ...$asRoot, ...['-F', '-c', $this->iniFile, '-y', "$this->folder/fpm.conf"]);
        $this->start('/usr/sbin/nginx', '-p', $this->folder, '-c', "$this->folder/nginx.conf");
        Program::waitFor('php-fpm', function (): bool {
            if (!proc_get_status($this->processes[0])['running']) {
                throw new \RuntimeException("php-fpm did not start:\n{$this->log()}{$this->output()}");
            }

            return Program::listens($this->fpmPort);
        });
        Program::waitFor('nginx', fn() => Program::listens($this->port));
    }

    /** Creates a release, which is served from the next request on. */
    public function deploy(): void
    {
        $release = "$this->folder/releases/" . ++$this->releases;
        mkdir("$release/site", recursive: true);
        copy(__DIR__ . '/site/index.php', "$release/site/index.php");
        Program::run('cp', '-R', KATALYS_PACKAGE, "$release/package");
        symlink($release, "$this->folder/next");
        rename("$this->folder/next", "$this->folder/current");
    }

    public function removeFirstRelease(): void
    {
        Program::run('rm', '-rf', "$this->folder/releases/1");
    }

    public function close(): void
    {
        foreach ($this->processes as $process) {
            proc_terminate($process);
        }
        foreach ($this->processes as $process) {
            proc_close($process);
        }
        $this->processes = [];
    }

    /** Reloads like `systemctl reload php-fpm`; returns when the workers have been replaced. */
    public function reload(): void
    {
        // Another old worker may answer until the new master says that it is ready.
        $starts = fn(): int => substr_count($this->log(), 'ready to handle connections');
        $before = $starts();
        posix_kill(proc_get_status($this->processes[0])['pid'], SIGUSR2);
        Program::waitFor('new workers', fn(): bool => $starts() > $before && $this->worker() !== null);
    }

    /**
     * @param array<string, string> $query
     *
     * @return array<string, mixed>
     */
    public function request(array $query): array
    {
        return $this->requestAtOnce([$query])[0];
    }

    /**
     * @param list<array<string, string>> $queries
     *
     * @return list<array<string, mixed>>
     */
    public function requestAtOnce(array $queries): array
    {
        return array_map($this->answer(...), $this->send($queries, static fn() => null));
    }

    /**
     * Like requestAtOnce(), while another action runs; null for a request without an answer.
     *
     * @param list<array<string, string>> $queries
     *
     * @return list<array<string, mixed>|null>
     */
    public function tryAtOnce(array $queries, callable $meanwhile): array
    {
        return array_map(
            static fn(\CurlHandle $handle) => json_decode((string) curl_multi_getcontent($handle), true),
            $this->send($queries, $meanwhile),
        );
    }

    /** Kills a worker as the kernel does when memory runs out; php-fpm replaces it. */
    public function killWorker(): void
    {
        $master = proc_get_status($this->processes[0])['pid'];
        $workers = array_filter(explode(' ', trim((string) file_get_contents("/proc/$master/task/$master/children"))));
        if ($workers !== []) {
            posix_kill((int) $workers[array_rand($workers)], SIGKILL);
        }
    }

    /** The owner and the permissions of the outbox's file. */
    public function outboxRights(): string
    {
        $owner = static fn(string $file) => posix_getpwuid(fileowner($file))['name'];
        $file = "$this->folder/outbox/katalys.db";

        return sprintf('%s %o', $owner($file), fileperms($file) & 0777);
    }

    /**
     * @param list<array<string, string>> $queries
     *
     * @return list<\CurlHandle>
     */
    private function send(array $queries, callable $meanwhile): array
    {
        $all = curl_multi_init();
        $handles = [];
        foreach ($queries as $query) {
            $handle = curl_init("http://127.0.0.1:$this->port/?" . http_build_query($query));
            curl_setopt_array($handle, [CURLOPT_RETURNTRANSFER => true, CURLOPT_TIMEOUT => 30]);
            curl_multi_add_handle($all, $handle);
            $handles[] = $handle;
        }
        do {
            curl_multi_exec($all, $running);
            curl_multi_select($all, 0.05);
            $meanwhile();
        } while ($running > 0);

        return $handles;
    }

    /** @return array<string, mixed> */
    private function answer(\CurlHandle $handle): array
    {
        $text = (string) curl_multi_getcontent($handle);
        $answer = json_decode($text, true);
        if (!is_array($answer)) {
            $said = curl_getinfo($handle, CURLINFO_RESPONSE_CODE) . " $text";
            throw new \RuntimeException("the page said: $said\nphp-fpm said: {$this->log()}");
        }

        return $answer;
    }

    /** The id of the process that answers, or null if none does. */
    private function worker(): ?int
    {
        $answer = @file_get_contents("http://127.0.0.1:$this->port/?who");

        return is_string($answer) ? json_decode($answer, true)['worker'] ?? null : null;
    }

    private function log(): string
    {
        return (string) @file_get_contents("$this->folder/fpm.log");
    }

    private function isRoot(): bool
    {
        return posix_getuid() === 0;
    }

    private function start(string ...$command): void
    {
        $silent = ['file', "$this->folder/output.log", 'a'];
        $process = proc_open($command, [0 => ['file', '/dev/null', 'r'], 1 => $silent, 2 => $silent], $pipes);
        if ($process === false) {
            throw new \RuntimeException("cannot start $command[0]");
        }
        $this->processes[] = $process;
    }

    private function write(string $file, string $text): void
    {
        file_put_contents("$this->folder/$file", $text);
    }

    private function output(): string
    {
        return (string) @file_get_contents("$this->folder/output.log");
    }

    /** @param array<string, string> $settings */
    private function ini(array $settings): string
    {
        $settings += [
            'log_errors' => '1',
            'ffi.enable' => 'preload',
            'opcache.enable' => '1',
            'opcache.preload' => "$this->package/preload.php",
            // As on Debian, where the master is root and PHP does not preload as root.
            'opcache.preload_user' => $this->isRoot() ? 'www-data' : '',
        ];
        $lines = '';
        foreach (array_filter($settings, 'strlen') as $name => $value) {
            $lines .= "$name=$value\n";
        }

        return $lines;
    }

    private function fpm(int $workers, int $requestsPerWorker, string $master): string
    {
        $user = $this->isRoot() ? "user = www-data\ngroup = www-data" : '';

        return <<<CONF
            [global]
            error_log = $this->folder/fpm.log
            $master
            [shop]
            listen = 127.0.0.1:$this->fpmPort
            listen.backlog = 511
            $user
            pm = static
            pm.max_children = $workers
            pm.max_requests = $requestsPerWorker
            catch_workers_output = yes
            CONF;
    }

    private function nginx(): string
    {
        $user = $this->isRoot() ? 'user www-data;' : '';

        return <<<CONF
            daemon off;
            $user
            pid $this->folder/nginx.pid;
            error_log $this->folder/nginx.log;
            events {}
            http {
                access_log off;
                client_body_temp_path $this->folder/body;
                proxy_temp_path $this->folder/proxy;
                fastcgi_temp_path $this->folder/fastcgi;
                uwsgi_temp_path $this->folder/uwsgi;
                scgi_temp_path $this->folder/scgi;
                server {
                    listen 127.0.0.1:$this->port backlog=511;
                    root $this->folder/current/site;
                    location / {
                        fastcgi_pass 127.0.0.1:$this->fpmPort;
                        fastcgi_param SCRIPT_FILENAME \$realpath_root/index.php;
                        fastcgi_param OUTBOX $this->folder/outbox/katalys.db;
                        fastcgi_param REQUEST_METHOD \$request_method;
                        fastcgi_param QUERY_STRING \$query_string;
                    }
                }
            }
            CONF;
    }
}
