//! The settings table: a row carries the name, the type, the default, the limits, the scope and the
//! documentation of a setting. The reader, the options of the command, the types of every language
//! and the reference are made from it.
//!
//! A new setting is a row and the code that uses it; one with a choice of words is an enum, too.

use super::reader::{
    Choice, Flag, Group, Number, OptionalNumber, OptionalSeconds, Reader, Seconds, Words,
};
use super::setting::{self, Setting};
use super::values::{CaFile, DEFAULT_ENDPOINT, Endpoint, OutboxFile, Proxy, Secret, Site, Zone};
use crate::language::Language;
use crate::order::Invalid;
use http::Uri;
use jiff::tz::TimeZone;
use std::path::PathBuf;
use std::time::Duration;

/// `name: type = kind, environment variable, documentation;` for each setting. Makes the table, and
/// for each group a struct of the values with the function that reads them.
macro_rules! settings {
    ($(
        $(#[$about:meta])*
        struct $group:ident { $known:ident: $known_type:ty } needs_outbox: $needs_outbox:literal => {
            $($name:ident: $type:ty = $kind:expr, $env:expr, $doc:literal;)*
        }
    )*) => {
        /// Every setting of a client.
        pub static SETTINGS: &[Setting] = &[$($(
            Setting {
                name: stringify!($name),
                kind: $kind.kind(),
                env: $env,
                needs_outbox: $needs_outbox,
                doc: $doc,
            },
        )*)*];

        $(
            $(#[$about])*
            pub(crate) struct $group {
                pub $known: $known_type,
                $(pub $name: $type,)*
            }

            impl Group for $group {
                type Known = $known_type;

                fn from_reader($known: $known_type, reader: &Reader<'_>) -> Self {
                    Self {
                        $($name: reader.setting(stringify!($name), &$kind),)*
                        $known,
                    }
                }
            }
        )*
    };
}

settings! {
    /// The checked settings of a client.
    #[derive(Debug)]
    #[allow(dead_code, reason = "some settings only decide whether others are valid")]
    struct Config { language: Language } needs_outbox: false => {
        site_id: String = Site, Some("KATALYS_SITE_ID"),
            "The script name of the tracking snippet (`abcd.com` of `/js/abcd.com.js`) or a tracking id. Required.";
        endpoint: Uri = Endpoint { default: DEFAULT_ENDPOINT }, Some("KATALYS_ENDPOINT"),
            "The full URL that updates are sent to.";
        timeout: Duration = Seconds { default: 10, max: LONGEST_TIMEOUT }, Some("KATALYS_TIMEOUT"),
            "Maximum duration of a waiting call with all its retries.";
        connect_timeout: Duration = Seconds { default: 3, max: LONGEST_TIMEOUT }, None,
            "Maximum duration of one attempt to connect.";
        ca_file: Option<PathBuf> = CaFile, None,
            "A PEM file with the only certificate authorities to trust, instead of Mozilla's; `SSL_CERT_FILE` does the same.";
        proxy: Option<Secret> = Proxy, None,
            "The URL of an HTTP proxy (`http://user:password@host:port`); empty for none. By default HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY are followed, except for connections to this machine.";
        timezone: Option<TimeZone> = Zone, None,
            "The IANA time zone of times without an offset, such as `America/New_York`; without it they are errors.";
        invalid: Invalid = Choice::<Invalid>::new(), None,
            "What happens to an invalid optional field: `raise` refuses the update, `drop` leaves the field out and warns.";
        allow_http: bool = Flag { default: false }, None,
            "Allows an endpoint without TLS on another host, or behind a proxy. Customer data then crosses the network unprotected.";
        workers: usize = Number { default: 32, max: 1024 }, None,
            "Maximum number of threads that send in the background. They start when they are needed.";
        outbox: Option<OutboxSettings> = OutboxFile::<OutboxSettings>::new(), Some("KATALYS_OUTBOX"),
            "The file that keeps updates until they are delivered; created if it does not exist. It must be on a local disk; processes may share it.";
    }

    /// The checked settings of an outbox.
    #[derive(Clone, Debug)]
    struct OutboxSettings { path: PathBuf } needs_outbox: true => {
        durability: Durability = Choice::<Durability>::new(), None,
            "With `full`, an accepted update survives a power failure. `normal` is faster, but a power failure may lose the last updates; the end of a process does not.";
        on_rejected: OnRejected = Choice::<OnRejected>::new(), None,
            "What happens to an order's later updates when the endpoint rejects one permanently: `continue` sends them, `hold` keeps them until the dead letter is replayed or discarded.";
        max_age: Option<Duration> = OptionalSeconds { max: LONGEST_AGE }, None,
            "The age at which an update that is still not delivered becomes a dead letter. Without it, updates do not expire.";
        collapse: bool = Flag { default: false }, None,
            "Skips an update that is identical to the last pending one of its order.";
        capacity_rows: Option<u64> = OptionalNumber, None,
            "Maximum number of pending updates; further ones are refused.";
        capacity_bytes: Option<u64> = OptionalNumber, None,
            "Maximum size of all pending updates, in bytes; further ones are refused.";
        deliver: bool = Flag { default: true }, None,
            "Whether this client delivers what is in the outbox; if not, another process must.";
        event_order_ids: EventOrderIds = Choice::<EventOrderIds>::new(), None,
            "How events name the order: `hashed` as 16 hexadecimal digits that are the same for all updates of one order, `plain` as its order_id. The hash has no key: anyone who guesses an order_id can verify the guess.";
    }
}

impl Setting {
    /// The row of a name in `snake_case` or `camelCase`.
    pub fn named(name: &str) -> Option<&'static Self> {
        setting::named(SETTINGS, name)
    }
}

/// No caller waits longer, so a larger number is meant in milliseconds.
const LONGEST_TIMEOUT: u32 = 15 * 60;

/// About ten years.
const LONGEST_AGE: u32 = 3660 * 24 * 60 * 60;

/// The words of a setting with a choice, each with its variant; the first is the default.
macro_rules! words {
    ($choice:ident: $($variant:ident = $word:literal),*) => {
        impl Words for $choice {
            const WORDS: &'static [&'static str] = &[$($word),*];
            const VALUES: &'static [Self] = &[$(Self::$variant),*];
        }
    };
}

words!(Invalid: Raise = "raise", Drop = "drop");

/// What an accepted update survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// A power failure.
    Full,
    /// The end of the process, however it comes.
    Normal,
}
words!(Durability: Full = "full", Normal = "normal");

/// What happens to an order's later updates when the endpoint rejects one for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnRejected {
    /// They are sent.
    Continue,
    /// They are kept until the dead letter is replayed or discarded.
    Hold,
}
words!(OnRejected: Continue = "continue", Hold = "hold");

/// How events name the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventOrderIds {
    /// As a hash.
    Hashed,
    /// As its `order_id`.
    Plain,
}
words!(EventOrderIds: Hashed = "hashed", Plain = "plain");
