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

    private const HAS_REFERENCES = '&';

    private \FFI $library;
    private CData $client;

    /**
     * @param array<string, mixed> $options
     */
    public function __construct(#[\SensitiveParameter] array $options)
    {
        $library = Library::open();
        $text = \serialize(Update::plain($options));
        $client = $library->katalys_php_client($text, \strlen($text));
        if ($client === null) {
            throw (new Outcome($library->katalys_php_answer()))->exception();
        }
        $this->library = $library;
        $this->client = $client;
    }

    public function __destruct()
    {
        if (isset($this->client)) {
            $this->library->katalys_php_free($this->client);
        }
    }

    /**
     * @param array<int|string, mixed> $fields
     *
     * @return string "=attempts seconds", a payload, or "!" and all of the outcome as JSON
     */
    public function call(
        int $call,
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] array $fields,
    ): string {
        $text = Update::serialize($orderId, $fields);
        $answer = $this->library->katalys_php_call($this->client, $call, $text, \strlen($text));
        if ($answer === self::HAS_REFERENCES) {
            $text = \serialize(Update::plain([$orderId, $fields]));
            $answer = $this->library->katalys_php_call($this->client, $call, $text, \strlen($text));
        }

        return $answer;
    }
}
