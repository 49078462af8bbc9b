<?php

declare(strict_types=1);

namespace Katalys\Tests\Support;

/**
 * The shared test server, one for all tests; it ends when its stdin closes, with this process.
 */
final class Receiver
{
    private static ?self $started = null;

    /** @var resource */
    private $process;
    /** @var array<int, resource> */
    private array $pipes = [];
    /** @var array<string, mixed> */
    private array $ready;

    public static function get(): self
    {
        return self::$started ??= new self();
    }

    private function __construct()
    {
        $command = getenv('RECEIVER');
        $pipes = [0 => ['pipe', 'r'], 1 => ['pipe', 'w']];
        $process = is_string($command) ? proc_open([$command], $pipes, $this->pipes) : false;
        if ($process === false) {
            throw new \RuntimeException('RECEIVER is not the test server; run `make test`');
        }
        $this->process = $process;
        $this->ready = json_decode((string) fgets($this->pipes[1]), true, 8, JSON_THROW_ON_ERROR);
    }

    /** An address or file of the ready line; null where the system cannot have it. */
    public function address(string $name): ?string
    {
        $value = $this->ready;
        foreach (explode('.', $name) as $part) {
            if (!array_key_exists($part, $value)) {
                throw new \LogicException("the receiver has no $name");
            }
            $value = $value[$part];
        }

        return $value;
    }

    /** @return list<array<string, mixed>> */
    public function records(string $run, int $wait = 0): array
    {
        return $this->request("/_recorded/$run?wait=$wait");
    }

    public function connections(string $listener): int
    {
        return $this->request('/_stats')['listeners'][$listener]['connections'] ?? 0;
    }

    /** An endpoint that answers with these steps, and the name of its run. */
    public function endpoint(string ...$steps): Endpoint
    {
        $run = bin2hex(random_bytes(8));

        return new Endpoint("{$this->address('url')}/run/$run/" . implode('/', $steps), $run);
    }

    private function request(string $path): array
    {
        $answer = (string) file_get_contents($this->address('control') . $path);

        return json_decode($answer, true, 16, JSON_THROW_ON_ERROR);
    }
}

/**
 * An endpoint of the receiver.
 */
final class Endpoint
{
    public function __construct(public readonly string $url, public readonly string $run)
    {
    }

    /** @return list<array<string, mixed>> */
    public function records(int $wait = 0): array
    {
        return Receiver::get()->records($this->run, $wait);
    }
}
