// Made from the core's tables by `make generate`; change core/src/order/fields.rs instead.

import type { URL } from 'node:url';

/** The documented statuses; the shop's own are sent as given. */
export type OrderStatus = "pending" | "paid" | "refunded" | "cancelled" | (string & {});

/** A decimal of decimal.js, big.js or bignumber.js. */
export interface DecimalLike {
  toFixed(places?: number): string;
  toString(): string;
}
/** A time of Temporal, luxon, Day.js or Moment. One that is not valid writes null, and is an error. */
export interface TimeLike {
  toJSON(): string | null;
}
/** A moment; text needs its offset, unless the client has a `timezone`. */
export type Time = Date | TimeLike | string;
/** An amount of money. Text, bigints and decimals are exact; numbers are rounded to 4 places. */
export type Amount = string | number | bigint | DecimalLike;
/** What a field may be given; `null` and `undefined` are not given at all. */
export type FieldValue = Amount | Time | null | undefined;

/**
 * Every discount or coupon applied to the order; also as discount_1_code, discount_1_amount,
 * discount_2_code, …
 */
export interface Discount {
  /** The code of the coupon. Example: `REVOFFERS_EXAMPLE` */
  code?: string | number | bigint | null;
  /** The amount of the discount, in the currency of sale_amount. Example: `1.50` */
  amount?: Amount | null;
  [key: string]: unknown;
}

/** The order's line items; also as line_item_1_title, line_item_1_sku, … */
export interface LineItem {
  /** The name of the product. Example: `Wellness Bundle #4` */
  title?: string | number | bigint | null;
  /**
   * The stock-keeping unit of the product, used for SKU-based payouts. Example:
   * `WLNS_BUNDLE_4`
   */
  sku?: string | number | bigint | null;
  /** The price, in the currency of sale_amount. Example: `1.99` */
  price?: Amount | null;
  /** The variant. Example: `Blue / L` */
  var?: string | number | bigint | null;
  /** The quantity. Example: `2` */
  qty?: Amount | null;
  [key: string]: unknown;
}

/** The fields of an order. */
export interface OrderFields {
  /**
   * The script name of the tracking snippet (`abcd.com` of `/js/abcd.com.js`) or a tracking
   * id. Defaults to the client's setting. Example: `abcd.com`
   */
  site_id?: string | number | bigint | null;
  /**
   * The status of the order: pending, paid, refunded, cancelled, or the shop's own status.
   * Example: `paid`
   */
  order_status?: OrderStatus | null;
  /**
   * When the order was first placed. Required if it is reported more than 5 minutes later;
   * otherwise it is counted twice. Example: `2018-01-01 01:23:40-08:00`
   */
  order_time?: Time | null;
  /**
   * Total number of orders of this customer; a returning customer has more than 1. Example:
   * `2`
   */
  order_count?: number | bigint | string | null;
  /**
   * The id of this order in another system. Merges the two orders and may change the order id,
   * which cannot be undone. Example: `R-10001`
   */
  order_alias?: string | number | bigint | null;
  /** The total of the order with shipping and tax, without a currency sign. Example: `25.67` */
  sale_amount?: Amount | null;
  /** sale_amount minus shipping and tax. Example: `24.95` */
  subtotal_amount?: Amount | null;
  /**
   * The shipping cost, in the currency of sale_amount. Required in a report without
   * subtotal_amount. Example: `4.99`
   */
  shipping_amount?: Amount | null;
  /**
   * The tax, in the currency of sale_amount. Required in a report without subtotal_amount.
   * Example: `1.48`
   */
  tax_amount?: Amount | null;
  /** ISO 4217 code of all amounts. The endpoint assumes USD if it is missing. Example: `EUR` */
  currency?: string | null;
  /**
   * The customer's email address, or always the same digest of it; identifies the customer.
   * Example: `email@example.com`
   */
  email_address?: string | null;
  /**
   * The user agent of the customer's browser, never that of the shop's server. Example:
   * `Mozilla/5.0 (X11; Linux x86_64)`
   */
  user_agent?: string | number | bigint | null;
  /**
   * The customer's IPv4 or IPv6 address, never that of the shop's server. Example:
   * `93.184.215.14`
   */
  ip_address?: string | null;
  /** The city the order is shipped to. Example: `Springfield` */
  shipping_city?: string | number | bigint | null;
  /** The state or region the order is shipped to. Example: `OR` */
  shipping_state?: string | number | bigint | null;
  /** The postal code the order is shipped to. Example: `97477` */
  shipping_postal?: string | number | bigint | null;
  /**
   * The country the order is shipped to, preferably as an ISO 3166-1 alpha-2 code. Example:
   * `US`
   */
  shipping_country?: string | null;
  /**
   * Every discount or coupon applied to the order; also as discount_1_code, discount_1_amount,
   * discount_2_code, …
   */
  discounts?: Iterable<Discount | null> | null;
  /** The order's line items; also as line_item_1_title, line_item_1_sku, … */
  line_items?: Iterable<LineItem | null> | null;
  /** Numbered fields, such as `discount_1_code`, and keys of your own. */
  [key: string]: unknown;
}

/** The settings of a client. */
export interface ClientOptions {
  /**
   * The script name of the tracking snippet (`abcd.com` of `/js/abcd.com.js`) or a tracking
   * id. Required.
   */
  siteId?: string;
  /** The full URL that updates are sent to. */
  endpoint?: string | URL;
  /** Maximum duration of a waiting call with all its retries, in seconds, up to 900. */
  timeout?: number;
  /** Maximum duration of one attempt to connect, in seconds, up to 900. */
  connectTimeout?: number;
  /**
   * A PEM file with the only certificate authorities to trust, instead of Mozilla's;
   * `SSL_CERT_FILE` does the same.
   */
  caFile?: string | URL;
  /**
   * The URL of an HTTP proxy (`http://user:password@host:port`); empty for none. By default
   * HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY are followed, except for connections to
   * this machine.
   */
  proxy?: string | URL;
  /**
   * The IANA time zone of times without an offset, such as `America/New_York`; without it they
   * are errors.
   */
  timezone?: string;
  /**
   * What happens to an invalid optional field: `raise` refuses the update, `drop` leaves the
   * field out and warns.
   */
  invalid?: "raise" | "drop";
  /**
   * Allows an endpoint without TLS on another host, or behind a proxy. Customer data then
   * crosses the network unprotected.
   */
  allowHttp?: boolean;
  /**
   * Maximum number of threads that send in the background, up to 1024. They start when they
   * are needed.
   */
  workers?: number;
  /**
   * The file that keeps updates until they are delivered; created if it does not exist. It
   * must be on a local disk; processes may share it.
   */
  outbox?: string | URL;
  /**
   * With `full`, an accepted update survives a power failure. `normal` is faster; a power
   * failure may then lose the last updates, the end of a process does not.
   */
  durability?: "full" | "normal";
  /**
   * What happens to an order's later updates when the endpoint rejects one for good:
   * `continue` sends them, `hold` keeps them until the dead letter is replayed or discarded.
   */
  onRejected?: "continue" | "hold";
  /**
   * The age at which an update that is still not delivered becomes a dead letter, in seconds,
   * up to 316224000. Without it, updates do not expire.
   */
  maxAge?: number;
  /** Skips an update that is identical to the last pending one of its order. */
  collapse?: boolean;
  /** Maximum number of pending updates; further ones are refused. */
  capacityRows?: number;
  /** Maximum size of all pending updates, in bytes; further ones are refused. */
  capacityBytes?: number;
  /** Whether this client delivers what is in the outbox; if not, another process has to. */
  deliver?: boolean;
  /**
   * How events name the order: `hashed` as 16 hexadecimal digits that are the same for all
   * updates of one order, `plain` as its order_id. The hash has no key: anyone who guesses an
   * order_id can verify the guess.
   */
  eventOrderIds?: "hashed" | "plain";
}

/** How long a call may wait, in seconds; 10 by default. */
export type WaitTimeout = number;

/** A part of the list of dead letters. */
export interface DeadLettersPage {
  /** Only dead letters with a higher id; 0 by default. */
  after?: number;
  /** At most this many; 1000 by default. */
  limit?: number;
}
