<?php

/**
 * The types of an order update, for editors and static analysis.
 *
 * Made from the core's tables by `make generate`; change core/src/order/fields.rs instead.
 */

declare(strict_types=1);

namespace Katalys;

/**
 * The fields of an order update, as arrays.
 *
 * - site_id: The script name of the tracking snippet (`abcd.com` of `/js/abcd.com.js`) or a tracking
 *   id. Given by the client unless it is set here. Example: abcd.com
 * - order_status: What became of the order: pending, paid, refunded, cancelled, or the shop's own
 *   status. Example: paid
 * - order_time: When the order was first placed. Needed whenever it is reported more than 5 minutes
 *   after that, or it is counted twice. Example: 2018-01-01 01:23:40-08:00
 * - order_count: How many orders this customer has placed in total; above 1 is a returning customer.
 *   Example: 2
 * - order_alias: This order's id in another system. Merges the two orders and may change the order id:
 *   this cannot be undone. Example: R-10001
 * - sale_amount: The order's total with shipping and tax, without currency sign. Example: 25.67
 * - subtotal_amount: sale_amount minus shipping and tax. Example: 24.95
 * - shipping_amount: What shipping cost, in the currency of sale_amount. Required in a report without
 *   subtotal_amount. Example: 4.99
 * - tax_amount: The tax, in the currency of sale_amount. Required in a report without subtotal_amount.
 *   Example: 1.48
 * - currency: ISO 4217 code of all amounts. The endpoint takes USD where it is missing. Example: EUR
 * - email_address: The customer's address, or the same digest of it each time; it tells customers
 *   apart. Example: email@example.com
 * - user_agent: The customer's browser, never the shop server's. Example: Mozilla/5.0 (X11; Linux
 *   x86_64)
 * - ip_address: The customer's IPv4 or IPv6 address, never the shop server's. Example: 93.184.215.14
 * - shipping_city: The city the order is shipped to. Example: Springfield
 * - shipping_state: The state or region the order is shipped to. Example: OR
 * - shipping_postal: The postal code the order is shipped to. Example: 97477
 * - shipping_country: The country the order is shipped to, by preference as an ISO 3166-1 alpha-2
 *   code. Example: US
 * - discounts: Every discount or coupon applied to the order; also as discount_1_code,
 *   discount_1_amount, discount_2_code, …
 * - line_items: The order's line items; also as line_item_1_title, line_item_1_sku, …
 *
 * - discounts[].code: The coupon's code. Example: REVOFFERS_EXAMPLE
 * - discounts[].amount: What it took off, in the currency of sale_amount. Example: 1.50
 * - line_items[].title: The product's name. Example: Wellness Bundle #4
 * - line_items[].sku: The product's stock-keeping unit, which SKU-based payouts match. Example:
 *   WLNS_BUNDLE_4
 * - line_items[].price: The price, in the currency of sale_amount. Example: 1.99
 * - line_items[].var: The variant. Example: Blue / L
 * - line_items[].qty: How many. Example: 2
 *
 * @phpstan-type Discount array{
 *   code?: string|int|\Stringable|\BackedEnum|null,
 *   amount?: string|int|float|\Stringable|null,
 *   ...
 * }
 * @phpstan-type LineItem array{
 *   title?: string|int|\Stringable|\BackedEnum|null,
 *   sku?: string|int|\Stringable|\BackedEnum|null,
 *   price?: string|int|float|\Stringable|null,
 *   var?: string|int|\Stringable|\BackedEnum|null,
 *   qty?: string|int|float|\Stringable|null,
 *   ...
 * }
 * @phpstan-type Fields array{
 *   site_id?: string|int|\Stringable|\BackedEnum|null,
 *   order_status?: string|\Stringable|\BackedEnum|null,
 *   order_time?: string|\DateTimeInterface|null,
 *   order_count?: int|string|null,
 *   order_alias?: string|int|\Stringable|\BackedEnum|null,
 *   sale_amount?: string|int|float|\Stringable|null,
 *   subtotal_amount?: string|int|float|\Stringable|null,
 *   shipping_amount?: string|int|float|\Stringable|null,
 *   tax_amount?: string|int|float|\Stringable|null,
 *   currency?: string|\Stringable|\BackedEnum|null,
 *   email_address?: string|\Stringable|\BackedEnum|null,
 *   user_agent?: string|int|\Stringable|\BackedEnum|null,
 *   ip_address?: string|\Stringable|\BackedEnum|null,
 *   shipping_city?: string|int|\Stringable|\BackedEnum|null,
 *   shipping_state?: string|int|\Stringable|\BackedEnum|null,
 *   shipping_postal?: string|int|\Stringable|\BackedEnum|null,
 *   shipping_country?: string|\Stringable|\BackedEnum|null,
 *   discounts?: iterable<Discount>|null,
 *   line_items?: iterable<LineItem>|null,
 *   ...
 * }
 */
interface OrderFields
{
}
