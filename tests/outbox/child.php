<?php

// Enqueues updates until it is killed, and prints each ticket. Arguments: file, endpoint, name, mode.

declare(strict_types=1);

require getenv('KATALYS_PHP_AUTOLOAD');

const ORDERS = 12;
[, $file, $endpoint, $name, $mode] = $argv;
$client = new Katalys\Client(
    'abcd.com',
    outbox: $file,
    endpoint: $endpoint,
    timeout: 2,
    workers: 8,
    onRejected: 'hold',
    deliver: $mode !== 'write',
);
$anyOrder = fn (): string => 'order-' . random_int(0, ORDERS - 1);

for ($number = 0; ; $number++) {
    [$order, $note] = [$anyOrder(), "$name-$number"];
    $ticket = $client->enqueueUpdate($order, ['note' => $note]);
    fwrite(STDOUT, "{$ticket->id} $order $note\n");
    if ($mode === 'wait' && $number % 5 === 0) {
        try {
            $client->updateOrder($anyOrder(), ['note' => "$name-waits-$number"]);
        } catch (Katalys\TimeoutException) {
            // The update stays in the outbox.
        }
    }
    usleep(3000);
}
