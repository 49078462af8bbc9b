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
 *   id. Defaults to the client's setting. Example: abcd.com
 * - order_status: The status of the order: pending, paid, refunded, cancelled, or the shop's own
 *   status. Example: paid
 * - order_time: When the order was first placed. Required if it is reported more than 5 minutes later;
 *   otherwise it is counted twice. Example: 2018-01-01 01:23:40-08:00
 * - order_count: Total number of orders of this customer; a returning customer has more than 1.
 *   Example: 2
 * - order_alias: The id of this order in another system. Merges the two orders and may change the
 *   order id, which cannot be undone. Example: R-10001
 * - sale_amount: The total of the order with shipping and tax, without a currency sign. Example: 25.67
 * - subtotal_amount: sale_amount minus shipping and tax. Example: 24.95
 * - shipping_amount: The shipping cost, in the currency of sale_amount. Required in a report without
 *   subtotal_amount. Example: 4.99
 * - tax_amount: The tax, in the currency of sale_amount. Required in a report without subtotal_amount.
 *   Example: 1.48
 * - currency: ISO 4217 code of all amounts. The endpoint assumes USD if it is missing. Example: EUR
 * - email_address: The customer's email address, or always the same digest of it; identifies the
 *   customer. Example: email@example.com
 * - user_agent: The user agent of the customer's browser, never that of the shop's server. Example:
 *   Mozilla/5.0 (X11; Linux x86_64)
 * - ip_address: The customer's IPv4 or IPv6 address, never that of the shop's server. Example:
 *   93.184.215.14
 * - shipping_city: The city the order is shipped to. Example: Springfield
 * - shipping_state: The state or region the order is shipped to. Example: OR
 * - shipping_postal: The postal code the order is shipped to. Example: 97477
 * - shipping_country: The country the order is shipped to, preferably as an ISO 3166-1 alpha-2 code.
 *   Example: US
 * - discounts: Every discount or coupon applied to the order; also as discount_1_code,
 *   discount_1_amount, discount_2_code, …
 * - line_items: The order's line items; also as line_item_1_title, line_item_1_sku, …
 *
 * - discounts[].code: The code of the coupon. Example: REVOFFERS_EXAMPLE
 * - discounts[].amount: The amount of the discount, in the currency of sale_amount. Example: 1.50
 * - line_items[].title: The name of the product. Example: Wellness Bundle #4
 * - line_items[].sku: The stock-keeping unit of the product, used for SKU-based payouts. Example:
 *   WLNS_BUNDLE_4
 * - line_items[].price: The price, in the currency of sale_amount. Example: 1.99
 * - line_items[].var: The variant. Example: Blue / L
 * - line_items[].qty: The quantity. Example: 2
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
