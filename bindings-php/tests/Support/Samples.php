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
