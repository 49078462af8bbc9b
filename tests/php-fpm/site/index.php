<?php

/**
 * The page of the shop: sends one update and says what came of it.
 */

declare(strict_types=1);

require __DIR__ . '/../package/autoload.php';

$answer = ['worker' => getmypid()];
if (!isset($_GET['who'])) {
    try {
        $client = new Katalys\Client('abcd.com', endpoint: $_GET['endpoint']);
        $answer['attempts'] = $client->updateOrder($_GET['order'], ['order_status' => 'paid'])->attempts;
    } catch (Katalys\KatalysException $exception) {
        $answer['class'] = $exception::class;
        $answer['message'] = $exception->getMessage();
        $answer['status'] = $exception->status ?? null;
    }
}
header('Content-Type: application/json');
echo json_encode($answer);
