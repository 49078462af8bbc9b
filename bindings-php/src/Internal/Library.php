<?php

declare(strict_types=1);

namespace Katalys\Internal;

use Katalys\ConfigException;

/**
 * Finds and opens the shared library beside this package.
 *
 * It is opened once per web request, which takes some microseconds: the library itself stays
 * mapped, with its connections, for the life of the process.
 *
 * @internal
 */
final class Library
{
    /** What this package and the library must agree on. */
    private const INTERFACE = 2;

    private static ?\FFI $opened = null;

    public static function open(): \FFI
    {
        return self::$opened ??= self::load();
    }

    private static function load(): \FFI
    {
        if (!\extension_loaded('ffi')) {
            throw new ConfigException(
                'PHP\'s FFI extension is missing; install it (on Debian it is in php-common) and set '
                . 'extension=ffi in ' . self::iniFile(),
                'config_missing',
            );
        }
        if (\in_array(\strtolower((string) \ini_get('ffi.enable')), ['', '0', 'off', 'no', 'false'], true)) {
            throw self::notAllowed('ffi.enable is off');
        }
        $file = self::file();
        $header = (string) \file_get_contents(\dirname(__DIR__, 2) . '/include/katalys-php.h');
        try {
            $library = \FFI::cdef($header, $file);
        } catch (\FFI\Exception $exception) {
            throw \str_contains($exception->getMessage(), 'ffi.enable')
                ? self::notAllowed('ffi.enable=preload allows FFI only to preloaded code, and this is not')
                : self::unusable($file, $exception);
        }
        if ($library->katalys_php_interface() !== self::INTERFACE) {
            throw self::unusable($file, null);
        }

        return $library;
    }

    private static function file(): string
    {
        $platform = \strtolower(\PHP_OS_FAMILY) . '-' . \php_uname('m');
        $file = \dirname(__DIR__, 2) . "/lib/$platform/libkatalys.so";
        if (!\is_file($file)) {
            throw new ConfigException(
                "this package has no library for $platform; there should be one at $file",
                'config_missing',
            );
        }

        return $file;
    }

    private static function notAllowed(string $reason): ConfigException
    {
        $preload = \dirname(__DIR__, 2) . '/preload.php';

        return new ConfigException(
            "$reason; set ffi.enable=preload, opcache.enable=1 and opcache.preload=$preload (or, where "
            . 'all code is trusted, ffi.enable=1 alone) in ' . self::iniFile() . ' and restart PHP',
            'config_invalid',
        );
    }

    private static function unusable(string $file, ?\FFI\Exception $reason): ConfigException
    {
        $detail = $reason === null ? 'it belongs to another version of this package' : $reason->getMessage();

        return new ConfigException(
            "the library $file cannot be used: $detail; install the package again and restart PHP",
            'config_invalid',
            previous: $reason,
        );
    }

    private static function iniFile(): string
    {
        return \php_ini_loaded_file() ?: 'php.ini';
    }
}
