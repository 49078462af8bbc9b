<?php

declare(strict_types=1);

namespace Katalys;

/**
 * What happened to the updates that the outbox accepted, in any process: accepted always equals
 * delivered + pending + dead + discarded.
 */
final class Stats
{
    /**
     * @param int $accepted Updates that were ever accepted.
     * @param int $delivered Those that the endpoint has.
     * @param int $pending Those that are not settled yet.
     * @param int $inFlight Those of the pending that are being sent.
     * @param int $dead Those that the endpoint refused for good, kept until they are replayed or
     * discarded.
     * @param int $discarded Dead letters that were discarded.
     * @param float $oldestPendingSeconds The age of the oldest pending update; 0 if there is none.
     *
     * @internal Made by the package.
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
