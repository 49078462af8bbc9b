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
     * @param string|null $endpoint The whole URL that updates are sent to.
     * @param int|float|null $timeout The longest a waiting call may take, with all its retries, in
     * seconds, up to 900.
     * @param int|float|null $connectTimeout The longest that making one connection may take, in seconds,
     * up to 900.
     * @param string|null $caFile A PEM file with the only certificate authorities to trust, in place of
     * Mozilla's; `SSL_CERT_FILE` does the same.
     * @param string|null $proxy The URL of an HTTP proxy (`http://user:password@host:port`); empty for
     * none. Otherwise HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY are followed, though never to this
     * machine itself.
     * @param string|null $timezone The IANA time zone in which times without an offset are read, such as
     * `America/New_York`; without it they are errors.
     * @param 'raise'|'drop'|null $invalid What becomes of an invalid optional field: `raise` refuses the
     * update, `drop` leaves the field out and warns.
     * @param bool|null $allowHttp Allows an endpoint without TLS on another host than this one, or behind
     * a proxy. Customer data then crosses the network unprotected.
     * @param int|null $workers The most threads that send in the background, started as they are needed.
     * @param string|null $outbox The file that keeps updates until the endpoint has them, made if it is
     * not there. On a local disk; processes may share it.
     * @param 'full'|'normal'|null $durability With `full`, an accepted update survives a power failure.
     * `normal` is faster, and may lose the last ones then, though not when a process is killed.
     * @param 'continue'|'hold'|null $onRejected What becomes of an order's later updates when the endpoint
     * refuses one for good: `continue` sends them, `hold` waits until the dead letter is replayed or
     * discarded.
     * @param int|float|null $maxAge Updates that could not be sent for so many seconds become dead
     * letters; without it none does.
     * @param bool|null $collapse Leaves out an update that says exactly what the last waiting one of its
     * order says.
     * @param int|null $capacityRows The most updates that may wait; further ones are refused.
     * @param int|null $capacityBytes The most bytes of updates that may wait; further ones are refused.
     * @param bool|null $deliver Whether this client sends what is in the outbox; if not, another process
     * has to.
     * @param 'hashed'|'plain'|null $eventOrderIds How events name the order: `hashed` as 16 hexadecimal
     * digits that are the same for all updates of one order, `plain` as its order_id. The digest has no
     * key: who can guess an order_id can recognise it.
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
