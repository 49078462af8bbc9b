//! How settings are read, and the error messages for those that cannot be used.

use super::*;
use crate::error::Error;
use crate::order::{Invalid, Value};
use crate::{Client, Language};
use std::time::Duration;

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
fn either_spelling_is_read_and_messages_use_the_callers_spelling() {
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
fn unusable_settings_are_named() {
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
fn a_relative_outbox_path_is_refused_in_a_web_servers_folder() {
    let options = |path: &'static str| Fields::new().set("siteId", "a.com").set("outbox", path);
    let read = |path, folder| without_problems(Config::read(Language::Php, &options(path), folder));
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
    assert_eq!(lines[0], "the client was not created, 15 problems:");
    assert!(lines[1].starts_with("  unknown setting sideId; did you mean siteId?"));
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
fn route_errors_are_reported_with_those_of_other_settings() {
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

#[test]
fn the_documentation_of_a_setting_has_its_default_its_unit_and_its_limit() {
    let row = |name| Setting::named(name).expect("a setting");
    for (name, default, end) in [
        ("timeout", "10", ", in seconds, up to 900."),
        ("connectTimeout", "3", ", in seconds, up to 900."),
        ("endpoint", DEFAULT_ENDPOINT, "sent to."),
        ("workers", "32", "when they are needed."),
        ("invalid", "raise", "warns."),
        ("allow_http", "false", "unprotected."),
        ("deliver", "true", "must."),
        ("capacity_rows", "", "refused."),
    ] {
        let (row, doc) = (row(name), row(name).doc());
        assert_eq!(row.default(), default, "{name}");
        assert!(doc.ends_with(end), "{doc}");
    }
    assert!(
        row("workers")
            .doc()
            .contains(" in the background, up to 1024. ")
    );
    assert!(
        row("max_age")
            .doc()
            .contains(", in seconds, up to 316224000. ")
    );
}

#[test]
fn without_arguments_the_defaults_of_the_table_apply() {
    let config = read(&[
        ("siteId", "abcd.com".into()),
        ("outbox", "/nowhere/a.db".into()),
    ])
    .unwrap();
    assert_eq!(config.timeout, Duration::from_secs(10));
    assert_eq!(config.connect_timeout, Duration::from_secs(3));
    assert_eq!(config.workers, 32);
    assert_eq!(config.invalid, Invalid::Raise);
    let outbox = config.outbox.unwrap();
    assert_eq!(outbox.durability, Durability::Full);
    assert_eq!(outbox.on_rejected, OnRejected::Continue);
    assert_eq!(outbox.event_order_ids, EventOrderIds::Hashed);
    assert!(outbox.deliver && !outbox.collapse);
    assert_eq!((outbox.max_age, outbox.capacity_rows), (None, None));
}

#[test]
fn a_setting_of_the_outbox_requires_an_outbox() {
    for row in SETTINGS.iter().filter(|row| row.needs_outbox) {
        let value = match row.kind {
            SettingKind::Choice(words) => words[0].into(),
            SettingKind::Flag { default } => default.into(),
            _ => 1.into(),
        };
        let site = ("site_id", Value::from("abcd.com"));
        let setting = (row.name, value);
        let error = read(&[site.clone(), setting.clone()]).unwrap_err();
        assert!(error.message().contains("only with an outbox"), "{error}");
        assert!(read(&[site, setting, ("outbox", "/nowhere/a.db".into())]).is_ok());
    }
}
