<?php

/**
 * The settings of a client, as named arguments.
 *
 * Made from the core's tables by `make generate`; change core/src/order/fields.rs instead.
 */

declare(strict_types=1);

namespace Katalys;

trait ClientOptions
{
    /**
     * @param string|null $siteId The script name of the tracking snippet (`abcd.com` of `/js/abcd.com.js`)
     * or a tracking id. Required.
     * @param string|null $endpoint The full URL that updates are sent to.
     * @param int|float|null $timeout Maximum duration of a waiting call with all its retries, in seconds,
     * up to 900.
     * @param int|float|null $connectTimeout Maximum duration of one attempt to connect, in seconds, up to
     * 900.
     * @param string|null $caFile A PEM file with the only certificate authorities to trust, instead of
     * Mozilla's; `SSL_CERT_FILE` does the same.
     * @param string|null $proxy The URL of an HTTP proxy (`http://user:password@host:port`); empty for
     * none. By default HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY are followed, except for
     * connections to this machine.
     * @param string|null $timezone The IANA time zone of times without an offset, such as
     * `America/New_York`; without it they are errors.
     * @param 'raise'|'drop'|null $invalid What happens to an invalid optional field: `raise` refuses the
     * update, `drop` leaves the field out and warns.
     * @param bool|null $allowHttp Allows an endpoint without TLS on another host, or behind a proxy.
     * Customer data then crosses the network unprotected.
     * @param int|null $workers Maximum number of threads that send in the background, up to 1024. They
     * start when they are needed.
     * @param string|null $outbox The file that keeps updates until they are delivered; created if it does
     * not exist. It must be on a local disk; processes may share it.
     * @param 'full'|'normal'|null $durability With `full`, an accepted update survives a power failure.
     * `normal` is faster; a power failure may then lose the last updates, the end of a process does not.
     * @param 'continue'|'hold'|null $onRejected What happens to an order's later updates when the endpoint
     * rejects one for good: `continue` sends them, `hold` keeps them until the dead letter is replayed or
     * discarded.
     * @param int|float|null $maxAge The age at which an update that is still not delivered becomes a dead
     * letter, in seconds, up to 316224000. Without it, updates do not expire.
     * @param bool|null $collapse Skips an update that is identical to the last pending one of its order.
     * @param int|null $capacityRows Maximum number of pending updates; further ones are refused.
     * @param int|null $capacityBytes Maximum size of all pending updates, in bytes; further ones are
     * refused.
     * @param bool|null $deliver Whether this client delivers what is in the outbox; if not, another
     * process has to.
     * @param 'hashed'|'plain'|null $eventOrderIds How events name the order: `hashed` as 16 hexadecimal
     * digits that are the same for all updates of one order, `plain` as its order_id. The hash has no key:
     * anyone who guesses an order_id can verify the guess.
     * @param \Psr\Log\LoggerInterface|null $logger Receives each kind of warning once, the events of the
     * outbox and the errors of its delivery. Its exceptions are caught and logged by error_log(). Without
     * a logger, errors go to error_log().
     * @param (callable(Event): mixed)|null $onEvent Receives the events of the outbox, after the next call
     * of a client with these settings. Its exceptions are caught and logged by error_log().
     *
     * @throws ConfigException if a setting cannot be used; its message says how to fix it.
     */
    final public function __construct(
        ?string $siteId = null,
        ?string $endpoint = null,
        int|float|null $timeout = null,
        int|float|null $connectTimeout = null,
        ?string $caFile = null,
        #[\SensitiveParameter] ?string $proxy = null,
        ?string $timezone = null,
        ?string $invalid = null,
        ?bool $allowHttp = null,
        ?int $workers = null,
        ?string $outbox = null,
        ?string $durability = null,
        ?string $onRejected = null,
        int|float|null $maxAge = null,
        ?bool $collapse = null,
        ?int $capacityRows = null,
        ?int $capacityBytes = null,
        ?bool $deliver = null,
        ?string $eventOrderIds = null,
        ?\Psr\Log\LoggerInterface $logger = null,
        ?callable $onEvent = null,
    ) {
        $this->open([
            'siteId' => $siteId,
            'endpoint' => $endpoint,
            'timeout' => $timeout,
            'connectTimeout' => $connectTimeout,
            'caFile' => $caFile,
            'proxy' => $proxy,
            'timezone' => $timezone,
            'invalid' => $invalid,
            'allowHttp' => $allowHttp,
            'workers' => $workers,
            'outbox' => $outbox,
            'durability' => $durability,
            'onRejected' => $onRejected,
            'maxAge' => $maxAge,
            'collapse' => $collapse,
            'capacityRows' => $capacityRows,
            'capacityBytes' => $capacityBytes,
            'deliver' => $deliver,
            'eventOrderIds' => $eventOrderIds,
        ], $logger, $onEvent);
    }
}
