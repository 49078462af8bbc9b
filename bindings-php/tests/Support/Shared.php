<?php

declare(strict_types=1);

namespace Katalys\Tests\Support;

/**
 * The vectors and scenarios that every language runs.
 */
final class Shared
{
    private const FOLDER = __DIR__ . '/../../../tests';

    /** @return array<string, mixed> */
    public static function vectors(): array
    {
        return self::read('vectors.json');
    }

    /** @return array<string, mixed> */
    public static function scenarios(): array
    {
        return self::read('scenarios.json');
    }

    /**
     * The cases that PHP can express, by name.
     *
     * @param list<array<string, mixed>> $cases
     *
     * @return array<string, array{array<string, mixed>}>
     */
    public static function byName(array $cases): array
    {
        $named = [];
        foreach ($cases as $case) {
            if (in_array('php', $case['only'] ?? ['php'], true)) {
                $named[$case['name']] = [$case];
            }
        }

        return $named;
    }

    /** A value of either file as PHP's own. */
    public static function value(mixed $value): mixed
    {
        if (!is_array($value)) {
            return $value;
        }
        $key = array_key_first($value);
        if (!is_string($key) || !str_starts_with($key, '$')) {
            return array_map(self::value(...), $value);
        }

        return match ($key) {
            '$float' => self::float($value[$key]),
            '$int' => (int) $value[$key],
            '$time' => new \DateTimeImmutable($value[$key]),
            '$bytes' => hex2bin($value[$key]),
            '$repeat' => str_repeat(...$value[$key]),
            default => throw new \LogicException("there is no kind of value $key"),
        };
    }

    /**
     * Options as the constructor's named arguments.
     *
     * @param array<string, mixed> $options
     *
     * @return array<string, mixed>
     */
    public static function arguments(array $options): array
    {
        $arguments = [];
        foreach ($options as $name => $value) {
            $arguments[lcfirst(str_replace('_', '', ucwords($name, '_')))] = $value;
        }

        return $arguments;
    }

    private static function float(string $text): float
    {
        if (str_ends_with($text, 'Infinity')) {
            return $text === 'Infinity' ? INF : -INF;
        }

        return $text === 'NaN' ? NAN : (float) $text;
    }

    private static function read(string $file): array
    {
        $text = (string) file_get_contents(self::FOLDER . "/$file");

        return json_decode($text, true, 64, JSON_THROW_ON_ERROR);
    }
}
