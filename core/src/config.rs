//! The settings table and what a client is made from: arguments first, then the environment,
//! then defaults. What cannot work fails here, by name, with the way to mend it.

use crate::error::{Error, ErrorCode};
use crate::order::{Fields, Value};
use crate::testing;
use http::Uri;
use jiff::tz::TimeZone;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Where a call comes from: it decides the User-Agent and how settings are spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// The core itself.
    Rust,
    /// The Python package.
    Python,
    /// The npm package.
    Node,
    /// The Composer package.
    Php,
    /// The C library.
    C,
    /// The command.
    Cli,
}

impl Language {
    /// As in the User-Agent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::Node => "node",
            Self::Php => "php",
            Self::C => "c",
            Self::Cli => "cli",
        }
    }

    /// A setting's name as it is written in this language.
    pub fn spell(self, setting: &str) -> String {
        match self {
            Self::Node | Self::Php => camel_case(setting),
            Self::Cli => format!("--{}", setting.replace('_', "-")),
            Self::Rust | Self::Python | Self::C => setting.into(),
        }
    }

    /// Whether a client has no use without a site: the command also reads files whose rows name
    /// theirs, and looks after outboxes.
    const fn needs_site(self) -> bool {
        !matches!(self, Self::Cli)
    }
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (head, tail) = word.split_at(word.len().min(1));
        name + &head.to_ascii_uppercase() + tail
    })
}

/// What a setting holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingKind {
    /// Text.
    Text,
    /// A URL.
    Url,
    /// A URL that may hold a password.
    SecretUrl,
    /// A file's path.
    Path,
    /// Seconds, with decimals.
    Seconds,
    /// A whole number of 1 or more.
    Number,
    /// Yes or no.
    Flag,
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// One row of the settings table.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The name, in `snake_case`.
    pub name: &'static str,
    /// What it holds.
    pub kind: SettingKind,
    /// The environment variable that gives it where no argument does.
    pub env: Option<&'static str>,
    /// What holds where neither is given, as text for documentation.
    pub default: &'static str,
    /// One line for every language's documentation.
    pub doc: &'static str,
}

const fn setting(
    name: &'static str,
    kind: SettingKind,
    env: Option<&'static str>,
    default: &'static str,
    doc: &'static str,
) -> Setting {
    Setting {
        name,
        kind,
        env,
        default,
        doc,
    }
}

/// Every setting of a client.
#[rustfmt::skip]
pub static SETTINGS: &[Setting] = &[
    setting("site_id", SettingKind::Text, Some("KATALYS_SITE_ID"), "",
        "The script name of the tracking snippet (`abcd.com` of `/js/abcd.com.js`) or a tracking id. Required."),
    setting("endpoint", SettingKind::Url, Some("KATALYS_ENDPOINT"), DEFAULT_ENDPOINT,
        "The whole URL that updates are sent to."),
    setting("timeout", SettingKind::Seconds, Some("KATALYS_TIMEOUT"), "10",
        "The longest a waiting call may take, with all its retries, in seconds."),
    setting("connect_timeout", SettingKind::Seconds, None, "3",
        "The longest that making one connection may take, in seconds."),
    setting("ca_file", SettingKind::Path, None, "",
        "A PEM file with the only certificate authorities to trust, in place of Mozilla's; `SSL_CERT_FILE` does the same."),
    setting("proxy", SettingKind::SecretUrl, None, "",
        "The URL of an HTTP proxy (`http://user:password@host:port`); empty for none. Otherwise HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY are followed."),
    setting("timezone", SettingKind::Text, None, "",
        "The IANA time zone in which times without an offset are read, such as `America/New_York`; without it they are errors."),
    setting("invalid", SettingKind::Choice(&["raise", "drop"]), None, "raise",
        "What becomes of an invalid optional field: `raise` refuses the update, `drop` leaves the field out and warns."),
    setting("allow_http", SettingKind::Flag, None, "false",
        "Allows an endpoint without TLS on another host than this one. Customer data then crosses the network unprotected."),
    setting("workers", SettingKind::Number, None, "32",
        "The most threads that send in the background, started as they are needed."),
    setting("outbox", SettingKind::Path, Some("KATALYS_OUTBOX"), "",
        "The file that keeps updates until the endpoint has them, made if it is not there. On a local disk; processes may share it."),
    setting("durability", SettingKind::Choice(&["full", "normal"]), None, "full",
        "With `full`, an accepted update survives a power failure. `normal` is faster, and may lose the last ones then, though not when a process is killed."),
    setting("on_rejected", SettingKind::Choice(&["continue", "hold"]), None, "continue",
        "What becomes of an order's later updates when the endpoint refuses one for good: `continue` sends them, `hold` waits until the dead letter is replayed or discarded."),
    setting("max_age", SettingKind::Seconds, None, "",
        "Updates that could not be sent for so many seconds become dead letters; without it none does."),
    setting("collapse", SettingKind::Flag, None, "false",
        "Leaves out an update that says exactly what the last waiting one of its order says."),
    setting("capacity_rows", SettingKind::Number, None, "",
        "The most updates that may wait; further ones are refused."),
    setting("capacity_bytes", SettingKind::Number, None, "",
        "The most bytes of updates that may wait; further ones are refused."),
    setting("deliver", SettingKind::Flag, None, "true",
        "Whether this client sends what is in the outbox; if not, another process has to."),
    setting("event_order_ids", SettingKind::Choice(&["hashed", "plain"]), None, "hashed",
        "How events name the order: `hashed` as 16 hexadecimal digits that are the same for all updates of one order, `plain` as its order_id."),
];

/// Settings that say something of the outbox.
pub const OUTBOX_ONLY: &[&str] = &[
    "durability",
    "on_rejected",
    "max_age",
    "collapse",
    "capacity_rows",
    "capacity_bytes",
    "deliver",
    "event_order_ids",
];

const DAY: f64 = 24.0 * 60.0 * 60.0;

/// The vendor's endpoint.
pub const DEFAULT_ENDPOINT: &str = "https://db.revoffers.com/v2/_tr_offline";

/// What a client reads from the environment besides the settings' own variables: whom to trust,
/// and which proxy to take.
pub const ROUTE_VARIABLES: &[&str] = &[
    "SSL_CERT_FILE",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
];

/// Everything a client was told, checked.
#[derive(Debug)]
pub(crate) struct Config {
    pub language: Language,
    /// Empty where each update has to name its own.
    pub site_id: String,
    pub endpoint: Uri,
    pub timeout: Duration,
    pub connect_timeout: Duration,
    pub ca_file: Option<PathBuf>,
    pub proxy: Option<Secret>,
    pub timezone: Option<TimeZone>,
    pub drop_invalid: bool,
    pub workers: usize,
    pub outbox: Option<OutboxSettings>,
}

/// What was said of the outbox.
#[derive(Clone, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a setting of its own"
)]
pub(crate) struct OutboxSettings {
    pub path: PathBuf,
    pub is_full: bool,
    pub hold: bool,
    pub max_age: Option<Duration>,
    pub collapse: bool,
    pub capacity_rows: Option<u64>,
    pub capacity_bytes: Option<u64>,
    pub deliver: bool,
    pub has_plain_events: bool,
}

/// Text that may hold a password and is never shown.
pub(crate) struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(hidden)")
    }
}

impl Config {
    pub fn user_agent(&self) -> String {
        format!(
            "katalys-{}/{}",
            self.language.as_str(),
            env!("CARGO_PKG_VERSION")
        )
    }

    /// Reads the settings given by the caller and by the environment.
    pub fn read(language: Language, options: &Fields<'_>) -> Result<Self, Error> {
        let given = Given { language, options };
        given.only_known_names()?;
        let allow_http = given.flag("allow_http")?.unwrap_or(false);
        Ok(Self {
            language,
            site_id: given.site_id()?,
            endpoint: given.endpoint(allow_http)?,
            timeout: given
                .seconds("timeout", DAY)?
                .unwrap_or(Duration::from_secs(10)),
            connect_timeout: given
                .seconds("connect_timeout", DAY)?
                .unwrap_or(Duration::from_secs(3)),
            ca_file: given.text("ca_file")?.map(PathBuf::from),
            proxy: given.proxy()?.map(Secret),
            timezone: given.timezone()?,
            drop_invalid: given.choice("invalid")? == Some("drop"),
            workers: given.number("workers")?.unwrap_or(32),
            outbox: given.outbox()?,
        })
    }

    /// An error about one setting that came to light later, such as a file that is no PEM.
    pub fn complain(language: Language, setting: &str, reason: &str) -> Error {
        let name = match SETTINGS.iter().find(|row| row.name == setting) {
            Some(row) => language.spell(row.name),
            None => setting.to_owned(),
        };
        Error::new(ErrorCode::ConfigInvalid, format!("{name} {reason}"))
    }
}

/// The settings as given, before they are checked.
struct Given<'g> {
    language: Language,
    options: &'g Fields<'g>,
}

impl Given<'_> {
    fn only_known_names(&self) -> Result<(), Error> {
        for (name, _) in self.options.iter() {
            if row(name).is_some() {
                continue;
            }
            let near = SETTINGS
                .iter()
                .find(|row| strsim::osa_distance(&snake_case(name), row.name) <= 2)
                .map(|row| format!("; did you mean {}?", self.language.spell(row.name)));
            let all: Vec<String> = SETTINGS
                .iter()
                .map(|row| self.language.spell(row.name))
                .collect();
            let hint = near.unwrap_or_else(|| format!("; there are {}", all.join(", ")));
            let shown: String = name.chars().take(40).flat_map(char::escape_debug).collect();
            return Err(Error::new(
                ErrorCode::ConfigUnknown,
                format!("there is no setting {shown}{hint}"),
            ));
        }
        Ok(())
    }

    /// The last value given under a name, in either spelling.
    fn value(&self, name: &str) -> Option<&Value<'_>> {
        let named = |given: &str| row(given).is_some_and(|row| row.name == name);
        let found = self.options.iter().filter(|(given, _)| named(given)).last();
        found
            .map(|(_, value)| value)
            .filter(|value| !matches!(value, Value::Null))
    }

    fn text(&self, name: &str) -> Result<Option<String>, Error> {
        let text = match self.value(name) {
            Some(Value::Text(text)) => text.to_string(),
            Some(_) => return Err(self.invalid(name, "must be text")),
            None => match environment(name) {
                Some(text) => text,
                None => return Ok(None),
            },
        };
        if text.trim().is_empty() {
            return Err(self.invalid(name, "is empty; give it a value or leave it out"));
        }
        if text.chars().any(char::is_control) {
            return Err(self.invalid(name, "contains a control character; remove it"));
        }
        Ok(Some(text))
    }

    /// An empty proxy is a setting too: no proxy, whatever the environment says.
    fn proxy(&self) -> Result<Option<String>, Error> {
        match self.value("proxy") {
            Some(Value::Text(text)) if text.is_empty() => Ok(Some(String::new())),
            _ => self.text("proxy"),
        }
    }

    fn site_id(&self) -> Result<String, Error> {
        let Some(site_id) = self.text("site_id")? else {
            if !self.language.needs_site() {
                return Ok(String::new());
            }
            let name = self.language.spell("site_id");
            return Err(Error::new(
                ErrorCode::ConfigMissing,
                format!(
                    "{name} is missing; give the script name of your tracking snippet \
                     (abcd.com of /js/abcd.com.js), or set KATALYS_SITE_ID"
                ),
            ));
        };
        if site_id.contains('/') {
            let advice = "looks like a URL or path; give only the script name, such as abcd.com";
            return Err(self.invalid("site_id", advice));
        }
        Ok(site_id)
    }

    fn endpoint(&self, allow_http: bool) -> Result<Uri, Error> {
        let text = self
            .text("endpoint")?
            .unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
        let wrong = |reason: &str| Err(self.invalid("endpoint", reason));
        if text.contains('#') {
            return wrong("must not have a fragment (#…)");
        }
        let uri: Uri = match text.parse() {
            Ok(uri) => uri,
            Err(_) => return wrong(NOT_A_URL),
        };
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return wrong(NOT_A_URL);
        };
        if uri
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'))
        {
            return wrong("must not hold a user name or password");
        }
        match scheme {
            "https" => Ok(uri),
            "http" if allow_http || is_loopback(host) => Ok(uri),
            "http" => {
                let allow = self.language.spell("allow_http");
                wrong(&format!(
                    "is plain http to another host; use https, or set {allow} if the network \
                     in between is your own"
                ))
            }
            _ => wrong("must begin with https://"),
        }
    }

    fn seconds(&self, name: &str, longest: f64) -> Result<Option<Duration>, Error> {
        let seconds = match self.value(name) {
            #[allow(clippy::cast_precision_loss, reason = "checked to be small below")]
            Some(Value::Int(number)) => Some(*number as f64),
            Some(Value::Float(number)) => Some(*number),
            Some(Value::Text(text) | Value::Decimal(text)) => text.trim().parse().ok(),
            Some(_) => None,
            None => match environment(name) {
                Some(text) => text.trim().parse().ok(),
                None => return Ok(None),
            },
        };
        match seconds {
            Some(seconds) if seconds > 0.0 && seconds <= longest => {
                Ok(Some(Duration::from_secs_f64(seconds)))
            }
            _ => Err(self.invalid(
                name,
                &format!(
                    "must be a number of seconds above 0 and up to {longest}, such as 10 or 2.5"
                ),
            )),
        }
    }

    fn number(&self, name: &str) -> Result<Option<usize>, Error> {
        const MOST: i64 = 1024;
        match self.value(name) {
            None => Ok(None),
            Some(Value::Int(number)) if (1..=MOST).contains(number) => {
                Ok(usize::try_from(*number).ok())
            }
            Some(_) => Err(self.invalid(name, "must be a whole number from 1 to 1024")),
        }
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, Error> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.invalid(name, "must be true or false")),
        }
    }

    fn outbox(&self) -> Result<Option<OutboxSettings>, Error> {
        // As with the proxy: none, whatever the environment says.
        if matches!(self.value("outbox"), Some(Value::Text(text)) if text.is_empty()) {
            return Ok(None);
        }
        let Some(path) = self.text("outbox")? else {
            let alone = OUTBOX_ONLY.iter().find(|name| self.value(name).is_some());
            return alone.map_or(Ok(None), |name| {
                let advice = "has a meaning only with an outbox; set that, too, or leave it out";
                Err(self.invalid(name, advice))
            });
        };
        let path = std::path::absolute(path)
            .map_err(|_| self.invalid("outbox", "is not a path that can be used"))?;
        let path = match self.language {
            Language::Cli => path, // Its files are named for one run of the command.
            _ => testing::outbox(path),
        };
        Ok(Some(OutboxSettings {
            path,
            is_full: self.choice("durability")? != Some("normal"),
            hold: self.choice("on_rejected")? == Some("hold"),
            max_age: self.seconds("max_age", 3660.0 * DAY)?,
            collapse: self.flag("collapse")?.unwrap_or(false),
            capacity_rows: self.large_number("capacity_rows")?,
            capacity_bytes: self.large_number("capacity_bytes")?,
            deliver: self.flag("deliver")?.unwrap_or(true),
            has_plain_events: self.choice("event_order_ids")? == Some("plain"),
        }))
    }

    fn large_number(&self, name: &str) -> Result<Option<u64>, Error> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Int(number)) if *number > 0 => Ok(u64::try_from(*number).ok()),
            Some(_) => Err(self.invalid(name, "must be a whole number above 0")),
        }
    }

    fn choice(&self, name: &str) -> Result<Option<&'static str>, Error> {
        let Some(SettingKind::Choice(words)) = row(name).map(|row| row.kind) else {
            return Ok(None);
        };
        let given = match self.value(name) {
            None => return Ok(None),
            Some(Value::Text(text)) => text.as_ref(),
            Some(_) => "",
        };
        let found = words.iter().find(|word| **word == given).copied();
        let choices: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        let advice = format!("must be {}", choices.join(" or "));
        found.map(Some).ok_or_else(|| self.invalid(name, &advice))
    }

    fn timezone(&self) -> Result<Option<TimeZone>, Error> {
        let Some(name) = self.text("timezone")? else {
            return Ok(None);
        };
        TimeZone::get(&name).map(Some).map_err(|_| {
            self.invalid(
                "timezone",
                "is not an IANA time zone, such as America/New_York or UTC",
            )
        })
    }

    fn invalid(&self, name: &str, reason: &str) -> Error {
        let spelled = self.language.spell(name);
        let source = match (self.value(name), row(name).and_then(|row| row.env)) {
            (None, Some(variable)) if environment(name).is_some() => {
                format!("{spelled} (from {variable})")
            }
            _ => spelled,
        };
        Error::new(ErrorCode::ConfigInvalid, format!("{source} {reason}"))
    }
}

const NOT_A_URL: &str =
    "is not a URL; give the whole one, such as https://db.revoffers.com/v2/_tr_offline";

/// The row of a name in either spelling.
fn row(name: &str) -> Option<&'static Setting> {
    let snake = snake_case(name);
    SETTINGS.iter().find(|row| row.name == snake)
}

fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}

/// The environment's value of a setting; an empty variable counts as unset.
fn environment(name: &str) -> Option<String> {
    let variable = row(name)?.env?;
    std::env::var(variable).ok().filter(|text| !text.is_empty())
}

pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(options: &[(&'static str, Value<'static>)]) -> Result<Config, Error> {
        Config::read(Language::Node, &options.iter().cloned().collect())
    }

    #[test]
    fn either_spelling_is_read_and_messages_use_the_callers() {
        let config = read(&[
            ("siteId", "abcd.com".into()),
            ("connect_timeout", 1.5.into()),
            ("timeout", "4".into()),
        ]);
        let config = config.expect("valid");
        assert_eq!(config.connect_timeout, Duration::from_millis(1500));
        assert_eq!(config.timeout, Duration::from_secs(4));
        assert_eq!(config.endpoint, DEFAULT_ENDPOINT);
        let error = read(&[("siteId", "a".into()), ("connectTimeout", 0.into())]).unwrap_err();
        assert!(
            error.message().starts_with("connectTimeout must be"),
            "{error}"
        );
        let error = read(&[("sideId", "a".into())]).unwrap_err();
        assert!(error.message().contains("did you mean siteId?"), "{error}");
    }

    #[test]
    fn what_cannot_work_fails_by_name() {
        let site = ("siteId", Value::from("abcd.com"));
        for (setting, value) in [
            ("endpoint", Value::from("db.revoffers.com")),
            ("endpoint", "http://example.com/x".into()),
            ("endpoint", "https://user:pw@example.com/".into()),
            ("endpoint", "ftp://127.0.0.1/".into()),
            ("timeout", (-1).into()),
            ("timeout", f64::NAN.into()),
            ("timezone", "Mars/Olympus".into()),
            ("invalid", "ignore".into()),
            ("workers", 0.into()),
            ("allowHttp", "yes".into()),
        ] {
            let error = read(&[site.clone(), (setting, value)]).unwrap_err();
            assert_eq!(error.code(), ErrorCode::ConfigInvalid);
            assert!(error.message().contains(setting), "{error}");
        }
        for loopback in [
            "http://127.0.0.1:1/",
            "http://localhost/",
            "http://[::1]:8/",
        ] {
            assert!(read(&[site.clone(), ("endpoint", loopback.into())]).is_ok());
        }
        let plain = ("endpoint", Value::from("http://relay.internal/"));
        assert!(read(&[site.clone(), plain, ("allowHttp", true.into())]).is_ok());
    }

    #[test]
    fn a_proxy_password_is_never_shown() {
        let config = read(&[
            ("siteId", "a".into()),
            ("proxy", "http://user:hunter2@p:1".into()),
        ])
        .unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
