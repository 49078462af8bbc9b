<?php

/**
 * The page of the shop: sends or enqueues one update, and prints the result.
 */

declare(strict_types=1);

require __DIR__ . '/../package/autoload.php';

$answer = ['worker' => getmypid()];
if (!isset($_GET['who'])) {
    try {
        $outbox = isset($_GET['outbox']) ? $_GET['file'] ?? $_SERVER['OUTBOX'] : null;
        $client = new Katalys\Client('abcd.com', endpoint: $_GET['endpoint'], outbox: $outbox, timeout: 5);
        if (isset($_GET['status'])) {
            // Reads the file as a status page does, with another SQLite in the same process.
            $file = new PDO("sqlite:$outbox", options: [PDO::ATTR_TIMEOUT => 10]);
            $answer['pending'] = $file->query('SELECT count(*) FROM updates')->fetchColumn();
        } elseif (isset($_GET['flush'])) {
            $answer['left'] = $client->flush((float) $_GET['flush']);
            $answer['stats'] = $client->stats();
        } elseif ($outbox !== null) {
            $answer['ticket'] = $client->enqueueUpdate($_GET['order'], ['number' => $_GET['number']])->id;
        } else {
            $answer['attempts'] = $client->updateOrder($_GET['order'], ['order_status' => 'paid'])->attempts;
        }
    } catch (Katalys\KatalysException $exception) {
        $answer['class'] = $exception::class;
        $answer['message'] = $exception->getMessage();
        $answer['status'] = $exception->status ?? null;
    }
}
header('Content-Type: application/json');
echo json_encode($answer);
