# Made from the core's tables by `make generate`; change core/src/order/fields.rs instead.

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict
from uuid import UUID

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
else:
    DataclassInstance = object

Text: TypeAlias = str | Enum | UUID | int
Amount: TypeAlias = str | Decimal | int | float
# A line item or discount; the last is a named tuple.
Record: TypeAlias = Mapping[str, object] | DataclassInstance | tuple[Any, ...]
# The documented statuses; the shop's own are sent as given.
OrderStatus: TypeAlias = Literal["pending", "paid", "refunded", "cancelled"] | str
Severity: TypeAlias = Literal["error", "warning"]
ProblemCode: TypeAlias = Literal[
    "required",
    "empty",
    "control_character",
    "invalid_unicode",
    "wrong_type",
    "amount_format",
    "amount_not_finite",
    "amount_too_long",
    "amount_negative",
    "discount_exceeds_sale",
    "subtotal_mismatch",
    "subtotal_missing",
    "count_invalid",
    "quantity_invalid",
    "currency_unknown",
    "time_format",
    "time_no_offset",
    "time_impossible",
    "time_future",
    "time_before_2000",
    "time_missing",
    "ip_invalid",
    "ip_list",
    "ip_not_public",
    "email_unusual",
    "status_misspelled",
    "country_unknown",
    "numbering_start",
    "numbering_gap",
    "discount_incomplete",
    "item_empty",
    "item_incomplete",
    "duplicate_field",
    "key_misspelled",
    "key_renamed",
    "key_invalid",
    "order_id_blanks",
    "order_id_long",
    "alias_same",
    "status_stale",
    "payload_too_large",
    "key_numeric",
    "number_inexact",
]
ErrorCode: TypeAlias = Literal[
    "config_missing",
    "config_invalid",
    "config_unknown",
    "validation",
    "rejected",
    "unavailable",
    "not_confirmed",
    "redirected",
    "dns",
    "connect",
    "disconnected",
    "certificate",
    "tls",
    "protocol",
    "proxy",
    "timeout",
    "timeout_pending",
    "outbox_failed",
    "outbox_corrupt",
    "outbox_newer",
    "outbox_foreign",
    "outbox_moved",
    "outbox_outcome_unknown",
    "outbox_full",
    "internal",
    "misuse",
    "library_unavailable",
]
EventKind: TypeAlias = Literal[
    "accepted",
    "delivered",
    "retried",
    "dead_lettered",
    "discarded",
    "failed",
]

class Discount(TypedDict, total=False):
    """Every discount or coupon applied to the order; also as discount_1_code,
    discount_1_amount, discount_2_code, …"""

    code: Text | None
    """The code of the coupon. Example: `REVOFFERS_EXAMPLE`"""
    amount: Amount | None
    """The amount of the discount, in the currency of sale_amount. Example: `1.50`"""

class LineItem(TypedDict, total=False):
    """The order's line items; also as line_item_1_title, line_item_1_sku, …"""

    title: Text | None
    """The name of the product. Example: `Wellness Bundle #4`"""
    sku: Text | None
    """The stock-keeping unit of the product, used for SKU-based payouts. Example:
    `WLNS_BUNDLE_4`"""
    price: Amount | None
    """The price, in the currency of sale_amount. Example: `1.99`"""
    var: Text | None
    """The variant. Example: `Blue / L`"""
    qty: Amount | None
    """The quantity. Example: `2`"""

class OrderFields(TypedDict, total=False):
    """The fields of an order."""

    site_id: Text | None
    """The script name of the tracking snippet (`abcd.com` of `/js/abcd.com.js`) or a tracking
    id. Defaults to the client's setting. Example: `abcd.com`"""
    order_status: OrderStatus | Enum | None
    """The status of the order: pending, paid, refunded, cancelled, or the shop's own status.
    Example: `paid`"""
    order_time: datetime | str | None
    """When the order was first placed. Required if it is reported more than 5 minutes later;
    otherwise it is counted twice. Example: `2018-01-01 01:23:40-08:00`"""
    order_count: int | str | None
    """Total number of orders of this customer; a returning customer has more than 1. Example:
    `2`"""
    order_alias: Text | None
    """The id of this order in another system. Merges the two orders and may change the order
    id, which cannot be undone. Example: `R-10001`"""
    sale_amount: Amount | None
    """The total of the order with shipping and tax, without a currency sign. Example: `25.67`"""
    subtotal_amount: Amount | None
    """sale_amount minus shipping and tax. Example: `24.95`"""
    shipping_amount: Amount | None
    """The shipping cost, in the currency of sale_amount. Required in a report without
    subtotal_amount. Example: `4.99`"""
    tax_amount: Amount | None
    """The tax, in the currency of sale_amount. Required in a report without subtotal_amount.
    Example: `1.48`"""
    currency: str | Enum | None
    """ISO 4217 code of all amounts. The endpoint assumes USD if it is missing. Example: `EUR`"""
    email_address: str | Enum | None
    """The customer's email address, or always the same digest of it; identifies the customer.
    Example: `email@example.com`"""
    user_agent: Text | None
    """The user agent of the customer's browser, never that of the shop's server. Example:
    `Mozilla/5.0 (X11; Linux x86_64)`"""
    ip_address: str | Enum | None
    """The customer's IPv4 or IPv6 address, never that of the shop's server. Example:
    `93.184.215.14`"""
    shipping_city: Text | None
    """The city the order is shipped to. Example: `Springfield`"""
    shipping_state: Text | None
    """The state or region the order is shipped to. Example: `OR`"""
    shipping_postal: Text | None
    """The postal code the order is shipped to. Example: `97477`"""
    shipping_country: str | Enum | None
    """The country the order is shipped to, preferably as an ISO 3166-1 alpha-2 code. Example:
    `US`"""
    discounts: Iterable[Discount | Record]
    """Every discount or coupon applied to the order; also as discount_1_code,
    discount_1_amount, discount_2_code, …"""
    line_items: Iterable[LineItem | Record]
    """The order's line items; also as line_item_1_title, line_item_1_sku, …"""

class Options(TypedDict, total=False):
    """The settings of a client."""

    endpoint: str | None
    """The full URL that updates are sent to."""
    timeout: float | None
    """Maximum duration of a waiting call with all its retries, in seconds, up to 900."""
    connect_timeout: float | None
    """Maximum duration of one attempt to connect, in seconds, up to 900."""
    ca_file: str | PathLike[str] | None
    """A PEM file with the only certificate authorities to trust, instead of Mozilla's;
    `SSL_CERT_FILE` does the same."""
    proxy: str | None
    """The URL of an HTTP proxy (`http://user:password@host:port`); empty for none. By default
    HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY are followed, except for connections to
    this machine."""
    timezone: str | None
    """The IANA time zone of times without an offset, such as `America/New_York`; without it
    they are errors."""
    invalid: Literal["raise", "drop"] | None
    """What happens to an invalid optional field: `raise` refuses the update, `drop` leaves the
    field out and warns."""
    allow_http: bool | None
    """Allows an endpoint without TLS on another host, or behind a proxy. Customer data then
    crosses the network unprotected."""
    workers: int | None
    """Maximum number of threads that send in the background, up to 1024. They start when they
    are needed."""
    outbox: str | PathLike[str] | None
    """The file that keeps updates until they are delivered; created if it does not exist. It
    must be on a local disk; processes may share it."""
    durability: Literal["full", "normal"] | None
    """With `full`, an accepted update survives a power failure. `normal` is faster; a power
    failure may then lose the last updates, the end of a process does not."""
    on_rejected: Literal["continue", "hold"] | None
    """What happens to an order's later updates when the endpoint rejects one for good:
    `continue` sends them, `hold` keeps them until the dead letter is replayed or discarded."""
    max_age: float | None
    """The age at which an update that is still not delivered becomes a dead letter, in
    seconds, up to 316224000. Without it, updates do not expire."""
    collapse: bool | None
    """Skips an update that is identical to the last pending one of its order."""
    capacity_rows: int | None
    """Maximum number of pending updates; further ones are refused."""
    capacity_bytes: int | None
    """Maximum size of all pending updates, in bytes; further ones are refused."""
    deliver: bool | None
    """Whether this client delivers what is in the outbox; if not, another process has to."""
    event_order_ids: Literal["hashed", "plain"] | None
    """How events name the order: `hashed` as 16 hexadecimal digits that are the same for all
    updates of one order, `plain` as its order_id. The hash has no key: anyone who guesses
    an order_id can verify the guess."""
