<?php

/**
 * For php.ini: `opcache.preload=/path/to/this/preload.php`, and where root starts PHP, as with php-fpm
 * of Debian, `opcache.preload_user=www-data`; without that, PHP does not start. An application that has
 * a preload file of its own requires this one from there.
 *
 * With ffi.enable=preload, which is PHP's default, only code that was preloaded may use FFI.
 */

declare(strict_types=1);

foreach (
    [
        'Problem',
        'Receipt',
        'Validation',
        'Ticket',
        'Stats',
        'DeadLetter',
        'Event',
        'KatalysException',
        'ConfigException',
        'ValidationException',
        'RejectedException',
        'TransportException',
        'TimeoutException',
        'OutboxException',
        'OutboxFullException',
        'Internal/Update',
        'Internal/Library',
        'Internal/Handle',
        'Internal/Outcome',
        'Internal/EventHub',
        'Internal/Listeners',
        'ClientInterface',
        'ClientOptions',
        'Client',
    ] as $class
) {
    require_once __DIR__ . '/src/' . $class . '.php';
}
