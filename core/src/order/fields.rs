//! The field table: every field of the endpoint is one row here, and nowhere else.
//!
//! Validation, the payload, the type definitions of every language, the JSON Schema and the
//! field reference come from these rows. To add a field, add a row and a vector, then run
//! `make generate`.
//!
//! The source of each row is Katalys' page "Order Status Reporting", section "Available
//! Fields", unless its text says otherwise.

/// What a field holds; decides which rule checks it and how it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An identifier, sent exactly as given; no update is sent without it.
    Identifier,
    /// Free text.
    Text,
    /// A documented status, or one of the shop's own.
    Status,
    /// A moment with its UTC offset (ISO 8601, RFC 3339).
    Time,
    /// A whole number of 1 or more.
    Count,
    /// An exact amount of money, sent as text.
    Amount,
    /// A number above 0.
    Quantity,
    /// An ISO 4217 code.
    Currency,
    /// An email address, or a digest of one.
    Email,
    /// An IPv4 or IPv6 address.
    Ip,
    /// A country, preferably as an ISO 3166-1 alpha-2 code.
    Country,
}

/// When a field has to be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Required {
    /// In every call.
    Always,
    /// In `report_order`.
    InReport,
    /// In `report_order`, unless all these fields are given.
    InReportUnless(&'static [&'static str]),
    /// Never.
    No,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The key on the wire, or within a record the part after the number.
    pub name: &'static str,
    /// The key as it is written into the payload: from the comma before it to the quote that opens
    /// its value; a number has no such quote.
    pub(crate) json_key: &'static str,
    /// The same for a row of a record: the part behind the number.
    pub(crate) json_part: &'static str,
    /// The kind of its values.
    pub kind: Kind,
    /// When it has to be given.
    pub required: Required,
    /// One line for the documentation of every language.
    pub doc: &'static str,
    /// A valid value.
    pub example: &'static str,
    /// Names of the same field in other systems, for hints.
    pub also_called: &'static [&'static str],
}

/// A numbered group of fields, which is also accepted as a list of records.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// The key of the list: `discounts`.
    pub list: &'static str,
    /// The prefix before the number on the wire: `discount`, as in `discount_1_code`.
    pub prefix: &'static str,
    /// Other spellings of the prefix that are accepted, and sent as `prefix`.
    pub other_prefixes: &'static [&'static str],
    /// The name of a record's type: `Discount`.
    pub record: &'static str,
    /// One line for the documentation of every language.
    pub doc: &'static str,
    /// The fields of a record.
    pub fields: &'static [Field],
    /// Whether a record needs all its fields.
    pub all_or_nothing: bool,
    /// How many of the first fields identify a record: at least one of them is required, and a missing
    /// one is a warning.
    pub identifying: usize,
}

/// A row; the compiler writes its key as JSON.
macro_rules! row {
    ($name:literal, $kind:expr, $required:expr, $example:literal, $doc:literal, $also_called:expr) => {
        Field {
            name: $name,
            json_key: concat!(",\"", $name, "\":\""),
            json_part: concat!("_", $name, "\":\""),
            kind: $kind,
            required: $required,
            doc: $doc,
            example: $example,
            also_called: $also_called,
        }
    };
}

/// The fields of an order, in the order in which they are sent.
#[rustfmt::skip]
pub static ORDER_FIELDS: &[Field] = &[
    row!("site_id", Kind::Identifier, Required::Always, "abcd.com",
        "The script name of the tracking snippet (`abcd.com` of `/js/abcd.com.js`) or a tracking id. Defaults to the client's setting.", &["site", "tracking_id"]),
    row!("order_id", Kind::Identifier, Required::Always, "12345",
        "Exactly the value given on the Thank-You page; globally unique in the shop.", &["order_number", "order"]),
    row!("order_status", Kind::Status, Required::No, "paid",
        "The status of the order: pending, paid, refunded, cancelled, or the shop's own status.", &["status", "state", "order_state"]),
    row!("order_time", Kind::Time, Required::No, "2018-01-01 01:23:40-08:00",
        "When the order was first placed. Required if it is reported more than 5 minutes later; otherwise it is counted twice.", &["order_date", "created_at", "date_created"]),
    row!("order_count", Kind::Count, Required::No, "2",
        "Total number of orders of this customer; a returning customer has more than 1.", &["orders_count", "customer_orders"]),
    row!("order_alias", Kind::Text, Required::No, "R-10001",
        "The id of this order in another system. Merges the two orders and may change the order id, which cannot be undone.", &["alias"]),
    row!("sale_amount", Kind::Amount, Required::InReport, "25.67",
        "The total of the order with shipping and tax, without a currency sign.", &["total", "total_amount", "order_total", "grand_total"]),
    row!("subtotal_amount", Kind::Amount, Required::InReportUnless(&["shipping_amount", "tax_amount"]), "24.95",
        "sale_amount minus shipping and tax.", &["subtotal", "sub_total"]),
    row!("shipping_amount", Kind::Amount, Required::No, "4.99",
        "The shipping cost, in the currency of sale_amount. Required in a report without subtotal_amount.", &["shipping", "shipping_total", "shipping_cost"]),
    row!("tax_amount", Kind::Amount, Required::No, "1.48",
        "The tax, in the currency of sale_amount. Required in a report without subtotal_amount.", &["tax", "tax_total", "total_tax", "vat"]),
    row!("currency", Kind::Currency, Required::No, "EUR",
        "ISO 4217 code of all amounts. The endpoint assumes USD if it is missing.", &["currency_code"]),
    row!("email_address", Kind::Email, Required::InReport, "email@example.com",
        "The customer's email address, or always the same digest of it; identifies the customer.", &["email", "customer_email", "e_mail"]),
    row!("user_agent", Kind::Text, Required::No, "Mozilla/5.0 (X11; Linux x86_64)",
        "The user agent of the customer's browser, never that of the shop's server.", &["browser"]),
    row!("ip_address", Kind::Ip, Required::No, "93.184.215.14",
        "The customer's IPv4 or IPv6 address, never that of the shop's server.", &["ip", "customer_ip", "remote_addr", "client_ip"]),
    row!("shipping_city", Kind::Text, Required::No, "Springfield",
        "The city the order is shipped to.", &["city"]),
    row!("shipping_state", Kind::Text, Required::No, "OR",
        "The state or region the order is shipped to.", &["state_code", "shipping_region"]),
    row!("shipping_postal", Kind::Text, Required::No, "97477",
        "The postal code the order is shipped to.", &["shipping_zip", "zip", "postal_code", "shipping_postcode"]),
    row!("shipping_country", Kind::Country, Required::No, "US",
        "The country the order is shipped to, preferably as an ISO 3166-1 alpha-2 code.", &["country", "country_code"]),
];

/// The numbered groups, in the order in which they are sent.
#[rustfmt::skip]
pub static GROUPS: &[Group] = &[
    Group {
        list: "discounts", prefix: "discount", other_prefixes: &[], record: "Discount",
        doc: "Every discount or coupon applied to the order; also as discount_1_code, discount_1_amount, discount_2_code, …",
        all_or_nothing: true, identifying: 0,
        fields: &[
            row!("code", Kind::Text, Required::No, "REVOFFERS_EXAMPLE", "The code of the coupon.", &["coupon", "name"]),
            row!("amount", Kind::Amount, Required::No, "1.50", "The amount of the discount, in the currency of sale_amount.", &["amt", "value", "total"]),
        ],
    },
    Group {
        list: "line_items", prefix: "line_item", other_prefixes: &["lineitem"], record: "LineItem",
        doc: "The order's line items; also as line_item_1_title, line_item_1_sku, …",
        all_or_nothing: false, identifying: 3,
        fields: &[
            row!("title", Kind::Text, Required::No, "Wellness Bundle #4", "The name of the product.", &["name", "product"]),
            row!("sku", Kind::Text, Required::No, "WLNS_BUNDLE_4", "The stock-keeping unit of the product, used for SKU-based payouts.", &["id", "product_id"]),
            row!("price", Kind::Amount, Required::No, "1.99", "The price, in the currency of sale_amount.", &["amount", "unit_price", "cost"]),
            row!("var", Kind::Text, Required::No, "Blue / L", "The variant.", &["variant", "variation"]),
            row!("qty", Kind::Quantity, Required::No, "2", "The quantity.", &["quantity", "count"]),
        ],
    },
];

/// How far an order has progressed, by its status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// The status is not documented, or the update has none.
    #[default]
    Unknown = 0,
    /// Placed, not yet paid.
    Pending = 1,
    /// Paid.
    Paid = 2,
    /// Refunded or cancelled.
    Closed = 3,
}

/// A documented order status.
#[derive(Clone, Copy, Debug)]
pub struct Status {
    /// The name as it is sent.
    pub name: &'static str,
    /// How far an order with this status has progressed.
    pub stage: Stage,
    /// One line for documentation.
    pub doc: &'static str,
    /// Inflections that are used by mistake.
    pub inflections: &'static [&'static str],
}

/// The statuses that Katalys' page documents. The set is open: others are sent as given.
#[rustfmt::skip]
pub static STATUSES: &[Status] = &[
    Status { name: "pending", stage: Stage::Pending, doc: "Placed, not yet paid.", inflections: &["pend", "awaiting"] },
    Status { name: "paid", stage: Stage::Paid, doc: "Paid.", inflections: &["pay", "pays", "payed", "payment"] },
    Status { name: "refunded", stage: Stage::Closed, doc: "Refunded; it can no longer be attributed to an affiliate.", inflections: &["refund", "refunds", "refunding"] },
    Status { name: "cancelled", stage: Stage::Closed, doc: "Cancelled; it can no longer be attributed to an affiliate.", inflections: &["cancel", "cancels", "cancelling", "canceling", "cancelation", "cancellation"] },
];

pub(super) const SITE_ID: usize = index_of("site_id");
pub(super) const ORDER_ID: usize = index_of("order_id");
pub(super) const ORDER_STATUS: usize = index_of("order_status");
pub(super) const ORDER_TIME: usize = index_of("order_time");
pub(super) const ORDER_ALIAS: usize = index_of("order_alias");
pub(super) const SALE: usize = index_of("sale_amount");
pub(super) const SUBTOTAL: usize = index_of("subtotal_amount");
pub(super) const SHIPPING: usize = index_of("shipping_amount");
pub(super) const TAX: usize = index_of("tax_amount");

// The lane is computed while the two ids are checked, which come first.
const _: () = assert!(
    SITE_ID == 0 && ORDER_ID == 1,
    "site_id and order_id are the first rows"
);

/// The index of an order field in [`ORDER_FIELDS`]; an unknown name fails the build.
const fn index_of(name: &str) -> usize {
    let mut index = 0;
    while index < ORDER_FIELDS.len() {
        if same(ORDER_FIELDS[index].name, name) {
            return index;
        }
        index += 1;
    }
    panic!("no such field in the table")
}

const fn same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    if left.len() != right.len() {
        return false;
    }
    let mut at = 0;
    while at < left.len() {
        if left[at] != right[at] {
            return false;
        }
        at += 1;
    }
    true
}
