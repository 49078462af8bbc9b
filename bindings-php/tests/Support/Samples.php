<?php

declare(strict_types=1);

namespace Katalys\Tests\Support;

enum Status: string
{
    case Paid = 'paid';
}

enum Count: int
{
    case Second = 2;
}

enum NoValue
{
    case Here;
}

final class Text implements \Stringable
{
    public function __construct(private string $text)
    {
    }

    public function __toString(): string
    {
        return $this->text;
    }

    /** @return array<string, mixed> */
    public function __serialize(): array
    {
        throw new \LogicException('the package must not serialize objects');
    }
}

/**
 * Like the collections of frameworks: iterable, and convertible to text.
 *
 * @implements \IteratorAggregate<int|string, mixed>
 */
final class Collection implements \IteratorAggregate, \Stringable
{
    /** @param array<int|string, mixed> $items */
    public function __construct(private array $items)
    {
    }

    public static function ofItself(): self
    {
        $collection = new self([]);
        $collection->items[] = $collection;

        return $collection;
    }

    public function getIterator(): \Iterator
    {
        return new \ArrayIterator($this->items);
    }

    public function __toString(): string
    {
        throw new \LogicException('it is to be iterated');
    }
}

final class Json implements \JsonSerializable
{
    public function jsonSerialize(): mixed
    {
        throw new \LogicException('what an object shows as JSON may be more than is to be sent');
    }
}

final class Log extends \Psr\Log\AbstractLogger
{
    /** @var list<array{mixed, string, array<string, mixed>}> */
    public array $lines = [];

    /**
     * @param mixed $level
     * @param string $message
     * @param array<string, mixed> $context
     */
    public function log($level, $message, array $context = []): void
    {
        $this->lines[] = [$level, $message, $context];
    }
}
