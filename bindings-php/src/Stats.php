<?php

/**
 * Generated from the core's tables by `make generate`; change core/src/results.rs instead.
 */

declare(strict_types=1);

namespace Katalys;

/**
 * Counters of the updates that an outbox has accepted, in any process: `accepted` always equals
 * `delivered` + `pending` + `dead` + `discarded`.
 */
final class Stats
{
    /**
     * @param int $accepted Updates accepted since the outbox was created.
     * @param int $delivered Updates that the endpoint has received.
     * @param int $pending Updates that are neither delivered nor dead letters yet.
     * @param int $inFlight Pending updates that a process is sending.
     * @param int $dead Dead letters: kept until they are replayed or discarded.
     * @param int $discarded Dead letters that were discarded.
     * @param float $oldestPendingSeconds Age of the oldest pending update, in seconds; 0 if there is none.
     *
     * @internal Created by the package.
     */
    public function __construct(
        public readonly int $accepted,
        public readonly int $delivered,
        public readonly int $pending,
        public readonly int $inFlight,
        public readonly int $dead,
        public readonly int $discarded,
        public readonly float $oldestPendingSeconds,
    ) {
    }
}
