//! The settings table and what a client is made from: arguments first, then the environment,
//! then defaults. What cannot work fails here, by name and all at once, with the way to fix it.

mod given;
mod wait;

use crate::error::{Error, ErrorCode};
use crate::order::Fields;
use given::Given;
use http::Uri;
use jiff::tz::TimeZone;
use std::path::PathBuf;
use std::time::Duration;

pub use wait::{DEFAULT_PAGE, DEFAULT_WAIT, EXIT_WAIT, timeout};

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

/// Whose choice the working folder of a process is, and so whether a relative path can be meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkingFolder {
    /// The caller's, as at a terminal.
    Callers,
    /// A web server's, which may publish what is in it: as in PHP outside of a command line.
    WebServers,
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
        "The longest a waiting call may take, with all its retries, in seconds, up to 900."),
    setting("connect_timeout", SettingKind::Seconds, None, "3",
        "The longest that making one connection may take, in seconds, up to 900."),
    setting("ca_file", SettingKind::Path, None, "",
        "A PEM file with the only certificate authorities to trust, in place of Mozilla's; `SSL_CERT_FILE` does the same."),
    setting("proxy", SettingKind::SecretUrl, None, "",
        "The URL of an HTTP proxy (`http://user:password@host:port`); empty for none. Otherwise HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY are followed, though never to this machine itself."),
    setting("timezone", SettingKind::Text, None, "",
        "The IANA time zone in which times without an offset are read, such as `America/New_York`; without it they are errors."),
    setting("invalid", SettingKind::Choice(&["raise", "drop"]), None, "raise",
        "What becomes of an invalid optional field: `raise` refuses the update, `drop` leaves the field out and warns."),
    setting("allow_http", SettingKind::Flag, None, "false",
        "Allows an endpoint without TLS on another host than this one, or behind a proxy. Customer data then crosses the network unprotected."),
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
        "How events name the order: `hashed` as 16 hexadecimal digits that are the same for all updates of one order, `plain` as its order_id. The digest has no key: who can guess an order_id can recognise it."),
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

/// In seconds. No caller waits longer, so a larger number is meant in milliseconds.
const LONGEST_TIMEOUT: f64 = 15.0 * 60.0;

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

    /// Reads the settings given by the caller and by the environment, with everything that is wrong
    /// with them.
    pub fn read(
        language: Language,
        options: &Fields<'_>,
        folder: WorkingFolder,
    ) -> (Self, Vec<Error>) {
        let given = Given {
            language,
            options,
            folder,
        };
        let mut problems = Problems(given.unknown_names());
        let config = Self::read_each(&given, &mut problems);
        (config, problems.0)
    }

    fn read_each(given: &Given<'_>, problems: &mut Problems) -> Self {
        const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
        const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
        // With a wrong one it is not known what is allowed, so nothing else is held against it.
        let allow_http = problems
            .note(given.flag("allow_http").map(|flag| flag.or(Some(false))))
            .unwrap_or(true);
        let endpoint = problems.note(given.endpoint(allow_http).map(Some));
        let endpoint = endpoint.unwrap_or_else(|| Uri::from_static(DEFAULT_ENDPOINT));
        let proxy = given.proxy(&endpoint, allow_http);
        Self {
            language: given.language,
            site_id: problems.note(given.site_id()),
            timeout: problems
                .note(given.seconds("timeout", LONGEST_TIMEOUT))
                .unwrap_or(DEFAULT_TIMEOUT),
            connect_timeout: problems
                .note(given.seconds("connect_timeout", LONGEST_TIMEOUT))
                .unwrap_or(DEFAULT_CONNECT_TIMEOUT),
            ca_file: problems.note(given.text("ca_file")).map(PathBuf::from),
            proxy: problems.note(proxy).map(Secret),
            timezone: problems.note(given.timezone()),
            drop_invalid: problems.note(given.choice("invalid")) == Some("drop"),
            workers: problems.note(given.number("workers")).unwrap_or(32),
            outbox: given.outbox(problems),
            endpoint,
        }
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

/// What is wrong with the settings so far.
struct Problems(Vec<Error>);

impl Problems {
    /// What was read; in place of what cannot be used, nothing.
    fn note<T: Default>(&mut self, read: Result<T, Error>) -> T {
        read.unwrap_or_else(|problem| {
            self.0.push(problem);
            T::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::Value;
    use crate::{Client, Language};

    fn read(options: &[(&'static str, Value<'static>)]) -> Result<Config, Error> {
        let options = options.iter().cloned().collect();
        without_problems(Config::read(
            Language::Node,
            &options,
            WorkingFolder::Callers,
        ))
    }

    fn without_problems((config, problems): (Config, Vec<Error>)) -> Result<Config, Error> {
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(Error::all_of(problems))
        }
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
            ("endpoint", "https://example.com:65536/".into()),
            ("endpoint", "http://127.0.0.1:99999/".into()),
            ("endpoint", "https://[::1]:0/".into()),
            ("endpoint", "https://example.com:/".into()),
            ("timeout", (-1).into()),
            ("timeout", f64::NAN.into()),
            ("timeout", f64::INFINITY.into()),
            ("timeout", "inf".into()),
            ("timeout", 1e300.into()),
            ("connectTimeout", f64::NEG_INFINITY.into()),
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

    /// The message about one setting with this value.
    fn message(setting: &'static str, value: impl Into<Value<'static>>) -> String {
        let site = ("siteId", Value::from("abcd.com"));
        let error = read(&[site, (setting, value.into())]).unwrap_err();
        assert_eq!(error.code(), ErrorCode::ConfigInvalid, "{error}");
        error.message().to_owned()
    }

    #[test]
    fn milliseconds_are_seen_by_their_size() {
        for (value, hint) in [
            (10_000, "did you mean 10?"),
            (1_500, "did you mean 1.5?"),
            (900_000, "did you mean 900?"),
            (900_001, "such as 10 or 2.5"),
        ] {
            for setting in ["timeout", "connectTimeout"] {
                let message = message(setting, value);
                assert!(message.starts_with(setting), "{message}");
                assert!(
                    message.contains("seconds") && message.ends_with(hint),
                    "{message}"
                );
            }
        }
        let site = ("siteId", Value::from("abcd.com"));
        assert!(read(&[site.clone(), ("timeout", 900.into())]).is_ok());
        let outbox = ("outbox", Value::from("/nowhere/a.db"));
        assert!(read(&[site, outbox, ("maxAge", 864_000.into())]).is_ok());
    }

    #[test]
    fn a_site_is_a_script_name() {
        for (given, meant) in [
            ("abcd.com ", "abcd.com"),
            (" abcd.com", "abcd.com"),
            ("abcd.com.js", "abcd.com"),
            ("abcd.com.JS", "abcd.com"),
            ("https://example.net/js/abcd.net.js?v=1", "abcd.net"),
            ("/js/abcd.net.js", "abcd.net"),
            ("abcd.net\u{200b}", "abcd.com"),
            ("a b", "abcd.com"),
        ] {
            let message = message("siteId", given);
            assert!(message.starts_with("siteId "), "{message}");
            assert!(message.ends_with(meant), "{message}");
        }
    }

    #[test]
    fn an_outbox_is_the_path_of_a_file() {
        let folder = std::env::temp_dir().display().to_string();
        for (given, hint) in [
            ("file:///var/lib/a.db".to_owned(), "such as /var/lib/a.db"),
            ("file:a.db".to_owned(), "is a URL"),
            ("sqlite:///a.db".to_owned(), "is a URL"),
            ("~/a.db".to_owned(), "absolute path"),
            (":memory:".to_owned(), "file on disk"),
            (String::new(), "is empty"),
            (folder.clone(), "is a folder"),
            ("/nowhere/".to_owned(), "/nowhere/katalys.db"),
        ] {
            let message = message("outbox", given);
            assert!(message.starts_with("outbox "), "{message}");
            assert!(message.contains(hint), "{message}");
        }
    }

    #[test]
    fn a_relative_outbox_is_the_working_folders_unless_that_is_a_web_servers() {
        let options = |path: &'static str| Fields::new().set("siteId", "a.com").set("outbox", path);
        let read =
            |path, folder| without_problems(Config::read(Language::Php, &options(path), folder));
        let config = read("shop/a.db", WorkingFolder::Callers).unwrap();
        let here = std::env::current_dir().unwrap();
        assert_eq!(config.outbox.unwrap().path, here.join("shop/a.db"));
        let error = read("shop/a.db", WorkingFolder::WebServers).unwrap_err();
        assert!(
            error
                .message()
                .starts_with("outbox must be an absolute path"),
            "{error}"
        );
        assert!(read("/shop/a.db", WorkingFolder::WebServers).is_ok());
        let options = options("a.db");
        let made = Client::with_options_in(WorkingFolder::WebServers, Language::Php, &options);
        assert_eq!(made.unwrap_err().code(), ErrorCode::ConfigInvalid);
    }

    #[test]
    fn all_settings_are_checked_at_once() {
        let options: Fields<'_> = [
            ("siteId", Value::from("a b")),
            ("sideId", "a".into()),
            ("endpoint", "nowhere".into()),
            ("timeout", 10_000.into()),
            ("connectTimeout", 0.into()),
            ("caFile", "/nowhere/ca.pem".into()),
            ("proxy", "foo".into()),
            ("timezone", "Mars/Olympus".into()),
            ("invalid", "ignore".into()),
            ("allowHttp", "yes".into()),
            ("workers", 0.into()),
            ("outbox", "~/a.db".into()),
            ("durability", 1.into()),
            ("maxAge", (-1).into()),
            ("capacityRows", 0.into()),
        ]
        .into_iter()
        .collect();
        let error = Client::with_options(Language::Node, &options).unwrap_err();
        let lines: Vec<&str> = error.message().lines().collect();
        assert_eq!(lines[0], "the client was not made, 15 problems:");
        assert!(lines[1].starts_with("  there is no setting sideId; did you mean siteId?"));
        assert!(lines[1].ends_with(" [config_unknown]"), "{error}");
        assert_eq!(error.code(), ErrorCode::ConfigUnknown);
        for setting in [
            "siteId",
            "endpoint",
            "timeout",
            "connectTimeout",
            "caFile",
            "proxy",
            "timezone",
            "invalid",
            "allowHttp",
            "workers",
            "outbox",
            "durability",
            "maxAge",
            "capacityRows",
        ] {
            let about = lines[2..]
                .iter()
                .filter(|line| line.starts_with(&format!("  {setting} ")))
                .collect::<Vec<_>>();
            assert_eq!(about.len(), 1, "{setting}: {error}");
            assert!(about[0].ends_with(" [config_invalid]"), "{error}");
        }
    }

    #[test]
    fn what_only_shows_when_the_way_is_prepared_is_told_together() {
        let options = Fields::new()
            .set("site_id", "abcd.com")
            .set("ca_file", "/nowhere/ca.pem")
            .set("proxy", "foo");
        let error = Client::with_options(Language::Rust, &options).unwrap_err();
        assert!(
            error.message().contains("\n  ca_file cannot be read"),
            "{error}"
        );
        assert!(
            error.message().contains("\n  proxy is not the URL"),
            "{error}"
        );
    }

    #[test]
    fn a_proxy_gets_plain_http_only_if_that_is_allowed() {
        let options = [
            ("siteId", Value::from("abcd.com")),
            ("endpoint", "http://localhost:8080/".into()),
            ("proxy", "http://proxy.example.com:3128".into()),
        ];
        let error = read(&options).unwrap_err();
        assert!(error.message().starts_with("proxy "), "{error}");
        assert!(error.message().contains("allowHttp"), "{error}");
        let allowed = ("allowHttp", Value::from(true));
        assert!(read(&[&options[..], &[allowed]].concat()).is_ok());
        let none = ("proxy", Value::from(""));
        assert!(read(&[&options[..2], &[none]].concat()).is_ok());
    }
}
