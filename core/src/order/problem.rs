//! The table of problem codes with their severities and explanations, and `Problem`, one finding with
//! its path.

use serde::Serialize;
use std::fmt;

/// Whether a problem rejects the update or is returned with the receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The value is invalid: wrong data would be sent, or the endpoint would silently ignore it.
    Error,
    /// The value is suspicious: the update is sent, and the problem is reported with it.
    Warning,
}

impl Severity {
    /// `"error"` or `"warning"`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

macro_rules! problem_codes {
    ($($variant:ident, $name:literal, $severity:ident, $text:literal;)*) => {
        /// The stable name of the rule that a value breaks, the same in every language.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Code {
            $(#[doc = concat!("`", $name, "`: ", $text)] $variant,)*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code as it appears in every language, such as `amount_format`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The severity a problem of this code has unless its field makes it an error.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }

            /// What is wrong and how to fix it, as the rest of a sentence that begins with the path.
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

// A row is never renamed or removed: users' code and stored dead letters refer to it.
// `{}` stands for a detail from the table or the rule, never for customer data.
problem_codes! {
    Required, "required", Error, "is required; give it a value";
    Empty, "empty", Warning, "is empty; the endpoint ignores empty values, so it is left out";
    ControlCharacter, "control_character", Error, "contains a control character; remove everything below U+0020 (other than tab and newline) and U+007F to U+009F";
    InvalidUnicode, "invalid_unicode", Error, "is not valid Unicode text; decode it with its real encoding and pass UTF-8";
    WrongType, "wrong_type", Error, "is {}, which cannot be sent here; give {}";
    AmountFormat, "amount_format", Error, "is not a plain amount; write ASCII digits with at most one point and no currency sign or thousands separator, such as 1234.50";
    AmountNotFinite, "amount_not_finite", Error, "is not a finite number; give an amount such as 1234.50";
    AmountTooLong, "amount_too_long", Error, "has more than 30 digits; give an amount such as 1234.50";
    AmountNegative, "amount_negative", Warning, "is negative; report a refund with order_status \"refunded\" and amounts that are zero or more";
    DiscountExceedsSale, "discount_exceeds_sale", Warning, "is larger than sale_amount; check that both are in the same currency and unit";
    SubtotalMismatch, "subtotal_mismatch", Warning, "differs from sale_amount minus shipping_amount minus tax_amount by a cent or more";
    SubtotalMissing, "subtotal_missing", Error, "is required unless shipping_amount and tax_amount are both given";
    CountInvalid, "count_invalid", Error, "is not a whole number of 1 or more; give the total number of orders of this customer";
    QuantityInvalid, "quantity_invalid", Error, "is not a number above 0; give a quantity such as 2 or 1.5";
    CurrencyUnknown, "currency_unknown", Error, "is not an ISO 4217 currency code; give three letters such as EUR";
    TimeFormat, "time_format", Error, "is not a time; write it as 2018-01-01 01:23:40-08:00 (ISO 8601 with an offset), or @ and Unix seconds";
    TimeNoOffset, "time_no_offset", Error, "has no UTC offset; append one, such as -08:00 or Z, or set the client's timezone option";
    TimeImpossible, "time_impossible", Error, "is a date or time that does not exist; check month, day, hour and offset";
    TimeFuture, "time_future", Warning, "is more than 5 minutes ahead of this machine's clock; order_time is when the order was first placed";
    TimeBefore2000, "time_before_2000", Warning, "is before the year 2000; order_time is when the order was first placed";
    TimeMissing, "time_missing", Warning, "is missing although amounts are given; without it, the endpoint counts the order twice if the update arrives more than 5 minutes after the order was placed";
    IpInvalid, "ip_invalid", Error, "is not an IP address; give only the customer's IPv4 or IPv6 address, without port or brackets";
    IpList, "ip_list", Error, "is a list of addresses; give only the address of the customer (in X-Forwarded-For, the first one if your proxies are trusted)";
    IpNotPublic, "ip_not_public", Warning, "is not a public address; give the customer's own address, not that of a proxy or of the shop's server";
    EmailUnusual, "email_unusual", Warning, "has no @ and does not look like a digest; give the address, or always the same digest of it";
    StatusMisspelled, "status_misspelled", Warning, "looks like \"{}\", which is the documented spelling; it is sent as given";
    CountryUnknown, "country_unknown", Warning, "is not an ISO 3166 two-letter country code such as DE; it is sent as given";
    NumberingStart, "numbering_start", Error, "is numbered 0; numbering starts at 1";
    NumberingGap, "numbering_gap", Error, "leaves a gap in the numbering; number from 1 without gaps, or give a list";
    DiscountIncomplete, "discount_incomplete", Error, "is missing; a discount needs both its code and its amount";
    ItemEmpty, "item_empty", Error, "has no title, sku or price; give at least one of them, or leave the item out";
    ItemIncomplete, "item_incomplete", Warning, "lacks {}; SKU-based payouts need title, sku and price";
    DuplicateField, "duplicate_field", Error, "is given twice; give it once";
    KeyMisspelled, "key_misspelled", Warning, "is not a documented field; did you mean {}? It is sent as given";
    KeyRenamed, "key_renamed", Warning, "is sent as {}, the spelling that the endpoint reads";
    KeyInvalid, "key_invalid", Error, "is not a usable key; give a name of visible characters, with numbers from 1 on and without leading zeros";
    OrderIdBlanks, "order_id_blanks", Warning, "begins or ends with blanks; it is sent unchanged and must equal the value on the Thank-You page";
    OrderIdLong, "order_id_long", Warning, "is longer than 150 characters; check that it equals the value on the Thank-You page";
    AliasSame, "alias_same", Warning, "equals order_id; an alias merges two orders and cannot be undone, so give the id of the other system or leave it out";
    StatusStale, "status_stale", Warning, "is an earlier state than a pending update of this order has; it is sent after that one, so check the order of your calls";
    PayloadTooLarge, "payload_too_large", Error, "the update is larger than 256 KiB or has more than 50,000 values; send fewer line items or shorter values";
    KeyNumeric, "key_numeric", Error, "consists of digits only, like the key of a list entry; give each field by its name, such as order_status";
    NumberInexact, "number_inexact", Error, "is a floating-point number beyond 2^53, which may have lost digits; give it as text, or as an integer type that keeps all digits (BigInt in JavaScript)";
}

/// The explanation of an empty value in a required field.
const EMPTY_REQUIRED: &str = "is empty; it is required, so give it a value";

/// One problem: its path, its rule, and a message that says how to fix it.
///
/// The message never contains customer data.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The field as the caller wrote it: `sale_amount`, `discounts[1].amount`, `discount_2_amount`.
    pub path: String,
    /// The rule that the value breaks.
    #[serde(serialize_with = "code_name")]
    pub code: Code,
    /// A whole sentence, which contains the path.
    pub message: String,
    /// Whether it rejects the update.
    pub severity: Severity,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde requires"
)]
fn code_name<S: serde::Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(code.as_str())
}

impl Problem {
    pub(crate) fn new(path: impl Into<String>, code: Code) -> Self {
        Self::with_details(path, code, &[])
    }

    pub(crate) fn with_details(path: impl Into<String>, code: Code, details: &[&str]) -> Self {
        let mut sentence = code.explanation().to_owned();
        for detail in details {
            sentence = sentence.replacen("{}", detail, 1);
        }
        Self::explained(path.into(), code, &sentence)
    }

    /// An empty value of a required field.
    pub(crate) fn empty_required(path: impl Into<String>) -> Self {
        Self::explained(path.into(), Code::Empty, EMPTY_REQUIRED)
    }

    fn explained(path: String, code: Code, sentence: &str) -> Self {
        let message = format!("{path} {sentence}").trim_start().to_owned();
        Self {
            path,
            code,
            message,
            severity: code.severity(),
        }
    }

    /// Turns an error into a warning that the field is left out.
    pub(crate) fn leave_out(&mut self) {
        self.severity = Severity::Warning;
        self.message.push_str("; it is left out");
    }

    pub(crate) fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message, self.code.as_str())
    }
}

/// Like `Display`: a message holds no customer data by construction.
impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.severity.as_str())
    }
}
