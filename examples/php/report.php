<?php

// Reports a paid order from PHP, then its refund.

declare(strict_types=1);

require getenv('KATALYS_PHP_AUTOLOAD') ?: 'vendor/autoload.php';

$client = new Katalys\Client('abcd.com');
try {
    $client->reportOrder('PHP-1001', [
        'order_status' => 'paid',
        'order_time' => new DateTimeImmutable('2018-01-01T09:23:40Z'),
        'sale_amount' => '25.67',
        'shipping_amount' => '4.99',
        'tax_amount' => '1.48',
        'email_address' => 'email@example.com',
        'line_items' => [['title' => 'Wellness Bundle #4', 'sku' => 'WLNS_BUNDLE_4', 'price' => '19.20']],
    ]);
    $receipt = $client->updateOrder('PHP-1001', ['order_status' => 'refunded']);
    echo "php: received after {$receipt->attempts} attempt(s)\n";
} catch (Katalys\ValidationException $error) {
    foreach ($error->problems as $problem) {
        fwrite(STDERR, "{$problem->code} {$problem->message}\n");
    }
    throw $error;
}
