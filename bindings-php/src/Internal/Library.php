<?php

declare(strict_types=1);

namespace Katalys\Internal;

use Katalys\ConfigException;

/**
 * Finds and opens the shared library of this package.
 *
 * It is opened once per web request, which takes some microseconds: the library itself stays
 * mapped, with its connections, for the life of the process.
 *
 * @internal
 */
final class Library
{
    /** The version of the interface between this package and the library. */
    private const INTERFACE = 4;

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
        $file = self::file('lib/' . self::platform() . '/libkatalys.so');
        $header = self::file('include/katalys-php.h');
        try {
            $library = \FFI::cdef((string) \file_get_contents($header), $file);
            $interface = $library->katalys_php_interface();
        } catch (\FFI\Exception $exception) {
            throw \str_contains($exception->getMessage(), 'ffi.enable')
                ? self::notAllowed('ffi.enable=preload allows FFI only in preloaded code, which this is not')
                : self::unusable($file, $exception);
        }
        if ($interface !== self::INTERFACE) {
            throw self::unusable($file, null);
        }

        return $library;
    }

    /**
     * The path of a file of this package.
     */
    private static function file(string $name): string
    {
        $package = \dirname(__DIR__, 2);
        if (\is_file("$package/$name")) {
            return "$package/$name";
        }
        throw new ConfigException(self::missing($package, $name), 'config_missing');
    }

    private static function missing(string $package, string $name): string
    {
        if (!\is_file(__FILE__)) {
            return "PHP still runs this package from $package, which is no longer there: "
                . 'opcache.preload or OPcache refers to a removed release; set opcache.preload to the current '
                . 'release in ' . self::iniFile() . ' and restart PHP (php-fpm, Apache)';
        }
        $platform = self::platform();
        if (\str_starts_with($name, "lib/$platform/")) {
            return "this package has no library for $platform; there should be one at $package/$name; it "
                . 'runs on 64-bit Linux with glibc';
        }

        return "this package is incomplete: $package/$name is missing; install the package again";
    }

    private static function platform(): string
    {
        return \strtolower(\PHP_OS_FAMILY) . '-' . \php_uname('m');
    }

    private static function notAllowed(string $reason): ConfigException
    {
        $preload = \dirname(__DIR__, 2) . '/preload.php';
        $user = self::user();

        return new ConfigException(
            "$reason; set ffi.enable=preload, opcache.enable=1, opcache.preload=$preload and, if root starts "
            . "PHP (as with php-fpm of Debian, which does not start otherwise), opcache.preload_user=$user in "
            . self::iniFile() . ' and restart PHP; or, where all code is trusted, set ffi.enable=1 alone',
            'config_invalid',
        );
    }

    /**
     * The user that PHP serves requests as.
     */
    private static function user(): string
    {
        $entry = \function_exists('posix_getpwuid') ? \posix_getpwuid(\posix_geteuid()) : false;
        $name = $entry['name'] ?? 'root';

        return $name === 'root' ? 'www-data' : $name;
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
