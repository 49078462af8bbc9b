<?php

declare(strict_types=1);

namespace Katalys\Internal;

use FFI\CData;

/**
 * A client of the library. Clones of a Client share it; the last one frees it.
 *
 * @internal
 */
final class Handle
{
    public const UPDATE = 0;
    public const REPORT = 1;
    public const VALIDATE = 2;
    public const LOGGED = 4;
    public const ENQUEUE = 8;

    public const REPLAY = 0;
    public const DISCARD = 1;
    public const EDIT = 2;

    private const HAS_REFERENCES = '&';

    /** Where the working folder is the caller's; elsewhere a web server may publish it. */
    private const COMMAND_LINES = ['cli', 'phpdbg', 'embed', 'micro'];

    /** Whether a client with an outbox was created before the tests were contained; see Testing\Sandbox. */
    public static bool $hasUncontainedOutbox = false;

    private \FFI $library;
    private CData $client;

    /**
     * @param array<string, mixed> $options
     */
    public function __construct(#[\SensitiveParameter] array $options)
    {
        $library = Library::open();
        $text = \serialize(Update::plain($options));
        $serves = !\in_array(\PHP_SAPI, self::COMMAND_LINES, true);
        $client = $library->katalys_php_client($text, \strlen($text), $serves);
        if ($client === null) {
            throw (new Outcome($library->katalys_php_answer()))->result;
        }
        $this->library = $library;
        $this->client = $client;
        if ((($options['outbox'] ?? \getenv('KATALYS_OUTBOX')) ?: '') !== '') {
            self::$hasUncontainedOutbox = self::$hasUncontainedOutbox || !\getenv('KATALYS_TEST_DIR');
        }
    }

    public function __destruct()
    {
        if (isset($this->client)) {
            $this->library->katalys_php_free($this->client);
        }
    }

    /**
     * The library's client: handles with equal settings have the same one.
     */
    public function id(): int
    {
        return $this->library->cast('intptr_t', $this->client)->cdata;
    }

    /**
     * @param iterable<mixed, mixed> $fields
     *
     * @return string "=" and a receipt, "#" and a ticket, a payload, or "!" and the result in JSON
     */
    public function call(
        int $call,
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] iterable $fields,
    ): string {
        $text = Update::serialize($orderId, $fields);
        $answer = $this->library->katalys_php_call($this->client, $call, $text, \strlen($text));
        if ($answer === self::HAS_REFERENCES) {
            // Only arrays have references, so nothing is iterated a second time.
            $text = \serialize([Update::plain($orderId), Update::record($fields)]);
            $answer = $this->library->katalys_php_call($this->client, $call, $text, \strlen($text));
        }

        return $answer;
    }

    /**
     * @return array<string, int|float>
     */
    public function stats(): array
    {
        return $this->read($this->library->katalys_php_stats($this->client));
    }

    /**
     * @return int the number of updates that are left
     */
    public function flush(int|float $timeout, bool $closes): int
    {
        return $this->read($this->library->katalys_php_flush($this->client, $timeout, $closes));
    }

    /**
     * @return list<array<string, mixed>>
     */
    public function deadLetters(int $after, int $limit): array
    {
        $limit = \max($limit, 0);

        return $this->read($this->library->katalys_php_dead_letters($this->client, $after, $limit));
    }

    /**
     * @param iterable<mixed, mixed> $fields
     *
     * @return bool whether there is a dead letter of that number
     */
    public function deadLetter(int $what, int $id, #[\SensitiveParameter] iterable $fields = []): bool
    {
        $text = \serialize(Update::record($fields));
        $length = \strlen($text);

        return $this->read($this->library->katalys_php_dead_letter($this->client, $what, $id, $text, $length));
    }

    /**
     * Collects the events of this process from now on.
     */
    public function observe(): void
    {
        $this->library->katalys_php_observe($this->client);
    }

    /**
     * @return array{lost: int, events: list<array<string, mixed>>}|null the events since the last call
     */
    public function events(): ?array
    {
        $answer = $this->library->katalys_php_events($this->client);

        return $answer === null ? null : $this->read($answer);
    }

    /**
     * @return list<string> the library's own errors since the last call, for a log
     */
    public function errors(bool $withEvents): array
    {
        $answer = $this->library->katalys_php_log($withEvents);

        return $answer === null ? [] : $this->read($answer);
    }

    private function read(#[\SensitiveParameter] string $answer): mixed
    {
        if ($answer[0] === '!') {
            throw (new Outcome($answer))->result;
        }

        return \json_decode($answer, true, 8, \JSON_THROW_ON_ERROR);
    }
}
