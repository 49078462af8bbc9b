<?php

/**
 * For php.ini: `opcache.preload=/path/to/this/preload.php`, and where root starts PHP, as with php-fpm
 * of Debian, `opcache.preload_user=www-data`; without that, PHP does not start. An application that has
 * a preload file of its own requires this one from there.
 *
 * With ffi.enable=preload, which is PHP's default, only code that was preloaded may use FFI.
 */

declare(strict_types=1);

// Loads the parent of a class before the class.
require_once __DIR__ . '/autoload.php';

foreach ([...\glob(__DIR__ . '/src/*.php'), ...\glob(__DIR__ . '/src/Internal/*.php')] as $file) {
    require_once $file;
}
