<?php

/**
 * The code that a PHP shop would write by hand: checks each field of the benchmark's order about as
 * strictly as the package, then calls json_encode().
 */

declare(strict_types=1);

namespace HandWritten;

const CURRENCIES = ['AUD' => 1, 'CAD' => 1, 'CHF' => 1, 'CNY' => 1, 'DKK' => 1, 'EUR' => 1, 'GBP' => 1,
    'JPY' => 1, 'NOK' => 1, 'SEK' => 1, 'USD' => 1];
const AMOUNTS = ['sale_amount', 'subtotal_amount', 'shipping_amount', 'tax_amount', 'discount_1_amount',
    'line_item_1_price'];
const TEXTS = ['order_id', 'order_status', 'email_address', 'user_agent', 'shipping_city',
    'shipping_state', 'shipping_postal', 'shipping_country', 'discount_1_code', 'line_item_1_title',
    'line_item_1_sku'];

/**
 * @param array<string, mixed> $order
 */
function payload(string $orderId, array $order): string
{
    $order = ['site_id' => 'abcd.com', 'order_id' => $orderId] + $order;
    foreach (TEXTS as $key) {
        if (isset($order[$key])) {
            text($key, (string) $order[$key]);
        }
    }
    foreach (AMOUNTS as $key) {
        if (isset($order[$key]) && \preg_match('/^[+-]?[0-9]{1,30}(\.[0-9]{1,30})?$/D', $order[$key]) !== 1) {
            throw new \InvalidArgumentException("$key is not an amount");
        }
    }
    if (isset($order['order_count']) && (!\is_int($order['order_count']) || $order['order_count'] < 1)) {
        throw new \InvalidArgumentException('order_count is not a count');
    }
    if (isset($order['currency']) && !isset(CURRENCIES[$order['currency']])) {
        throw new \InvalidArgumentException('currency is unknown');
    }
    if (isset($order['ip_address']) && \filter_var($order['ip_address'], \FILTER_VALIDATE_IP) === false) {
        throw new \InvalidArgumentException('ip_address is not an address');
    }
    if (isset($order['email_address']) && !\str_contains($order['email_address'], '@')) {
        throw new \InvalidArgumentException('email_address is not an address');
    }
    if (isset($order['shipping_country']) && \preg_match('/^[A-Z]{2}$/D', $order['shipping_country']) !== 1) {
        throw new \InvalidArgumentException('shipping_country is not a code');
    }
    if (isset($order['order_time'])) {
        time($order['order_time']);
    }

    return \json_encode(
        $order,
        \JSON_THROW_ON_ERROR | \JSON_UNESCAPED_UNICODE | \JSON_UNESCAPED_SLASHES,
    );
}

function text(string $key, string $text): void
{
    if (\trim($text) === '' || \preg_match('/[\x00-\x08\x0b-\x1f\x7f]/', $text) !== 0) {
        throw new \InvalidArgumentException("$key is not text");
    }
}

function time(string $text): void
{
    $form = '/^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:[+-](\d\d):(\d\d)|Z)$/D';
    if (
        \preg_match($form, $text, $parts) !== 1
        || !\checkdate((int) $parts[2], (int) $parts[3], (int) $parts[1])
        || $parts[4] > 23 || $parts[5] > 59 || $parts[6] > 59
    ) {
        throw new \InvalidArgumentException('order_time is not a time');
    }
}
