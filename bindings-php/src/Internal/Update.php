<?php

declare(strict_types=1);

namespace Katalys\Internal;

/**
 * Turns the values of a call into the text that crosses to the library: what PHP's serialize()
 * writes, which is its fastest form that keeps types, floats and any bytes as they are.
 *
 * @internal
 */
final class Update
{
    /** Nothing in an order update is nested deeper, and PHP's arrays may contain themselves. */
    private const DEEPEST = 16;

    /** Marks for what serialize() has no form for; no key of an update begins with a NUL. */
    private const TIME = "\0time";
    private const FLOAT = "\0float";
    private const UNSUPPORTED = "\0unsupported";

    /**
     * @param array<int|string, mixed> $fields
     */
    public static function serialize(
        #[\SensitiveParameter] mixed $orderId,
        #[\SensitiveParameter] array $fields,
    ): string {
        $update = [$orderId, $fields];
        $plain = (\is_string($orderId) || \is_int($orderId)) && self::isPlain($fields, 1);

        return \serialize($plain ? $update : self::plain($update));
    }

    /**
     * The same value without objects, references and whatever else the library does not read.
     */
    public static function plain(#[\SensitiveParameter] mixed $value, int $depth = 0): mixed
    {
        if ($value === null || \is_string($value) || \is_int($value) || \is_bool($value)) {
            return $value;
        }
        if (\is_float($value)) {
            return self::plainFloat($value);
        }
        if (\is_array($value) && $depth < self::DEEPEST) {
            $plain = [];
            foreach ($value as $key => $item) {
                $plain[$key] = self::plain($item, $depth + 1);
            }

            return $plain;
        }

        return \is_object($value) ? self::plainObject($value) : [self::UNSUPPORTED => null];
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

    private static function plainObject(#[\SensitiveParameter] object $value): mixed
    {
        return match (true) {
            $value instanceof \DateTimeInterface => [self::TIME => $value->format('Y-m-d\TH:i:sP')],
            $value instanceof \BackedEnum => $value->value,
            $value instanceof \Stringable => (string) $value,
            default => [self::UNSUPPORTED => null],
        };
    }
}
