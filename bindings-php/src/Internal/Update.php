<?php

declare(strict_types=1);

namespace Katalys\Internal;

/**
 * Converts the values of a call to text for the library: the output of PHP's serialize(), its fastest
 * format that preserves types, floats and any bytes.
 *
 * @internal
 */
final class Update
{
    /** Nothing in an order update is nested deeper, and PHP's arrays may contain themselves. */
    private const DEEPEST = 16;

    /** Marks for values that serialize() cannot express; no key of an update begins with a NUL. */
    private const TIME = "\0time";
    private const FLOAT = "\0float";
    private const UNSUPPORTED = "\0unsupported";

    private const UNKNOWN = [self::UNSUPPORTED => null];

    /**
     * @param iterable<mixed, mixed> $fields
     */
    public static function serialize(
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] iterable $fields,
    ): string {
        $isPlain = (\is_string($orderId) || \is_int($orderId)) && \is_array($fields) && self::isPlain($fields, 1);

        return \serialize($isPlain ? [$orderId, $fields] : [self::plain($orderId), self::record($fields)]);
    }

    /**
     * The same value without objects, references and other types that the library does not read.
     */
    public static function plain(#[\SensitiveParameter] mixed $value, int $depth = 0): mixed
    {
        if ($value === null || \is_string($value) || \is_int($value) || \is_bool($value)) {
            return $value;
        }
        if (\is_float($value)) {
            return self::plainFloat($value);
        }
        if (\is_array($value)) {
            return $depth < self::DEEPEST ? self::record($value, $depth) : self::UNKNOWN;
        }

        return \is_object($value) ? self::plainObject($value, $depth) : self::UNKNOWN;
    }

    /**
     * A record or list as an array. It is a list for the library if all its keys are numbers.
     *
     * @param iterable<mixed, mixed> $values
     *
     * @return array<int|string, mixed>
     */
    public static function record(#[\SensitiveParameter] iterable $values, int $depth = 0): array
    {
        $plain = [];
        foreach ($values as $key => $value) {
            $plain[self::key($key)] = self::plain($value, $depth + 1);
        }

        return $plain;
    }

    /**
     * The items of an iterator: a list, unless a key is text. A generator may yield the same number
     * twice.
     *
     * @param \Traversable<mixed, mixed> $values
     *
     * @return array<int|string, mixed>
     */
    private static function collected(#[\SensitiveParameter] \Traversable $values, int $depth): array
    {
        $list = [];
        $record = [];
        $isList = true;
        foreach ($values as $key => $value) {
            $plain = self::plain($value, $depth + 1);
            $list[] = $plain;
            $isList = $isList && !\is_string($key);
            $record[self::key($key)] = $plain;
        }

        return $isList ? $list : $record;
    }

    /**
     * An iterator's key may be anything; the library refuses one that is empty.
     */
    private static function key(mixed $key): int|string
    {
        return \is_int($key) || \is_string($key) ? $key : '';
    }

    /**
     * @param array<int|string, mixed> $values
     */
    private static function isPlain(array $values, int $depth): bool
    {
        foreach ($values as $value) {
            if (\is_string($value) || \is_int($value) || $value === null) {
                continue;
            }
            if (\is_array($value)) {
                if ($depth === self::DEEPEST || !self::isPlain($value, $depth + 1)) {
                    return false;
                }
            } elseif (\is_float($value)) {
                if (!self::serializesFloatsExactly()) {
                    return false;
                }
            } elseif (!\is_bool($value)) {
                return false;
            }
        }

        return true;
    }

    private static function serializesFloatsExactly(): bool
    {
        return \ini_get('serialize_precision') === '-1';
    }

    /**
     * @return float|array<string, string>
     */
    private static function plainFloat(float $value): float|array
    {
        if (!\is_finite($value) || self::serializesFloatsExactly()) {
            return $value;
        }

        return [self::FLOAT => \sprintf('%.16e', $value)];
    }

    private static function plainObject(#[\SensitiveParameter] object $value, int $depth): mixed
    {
        return match (true) {
            $value instanceof \DateTimeInterface => [self::TIME => $value->format('Y-m-d\TH:i:sP')],
            $value instanceof \BackedEnum => $value->value,
            $depth === self::DEEPEST => self::UNKNOWN,
            self::isCollection($value) => self::collected($value, $depth),
            $value instanceof \stdClass => self::record((array) $value, $depth),
            $value instanceof \Stringable => (string) $value,
            default => self::UNKNOWN,
        };
    }

    /**
     * A framework's collections are often text as well (JSON), but iterating is what they are for; an
     * element of XML is text.
     *
     * @phpstan-assert-if-true \Traversable<mixed, mixed> $value
     */
    private static function isCollection(object $value): bool
    {
        return $value instanceof \Traversable && !$value instanceof \SimpleXMLElement;
    }
}
