//! The settings as the caller and the environment give them, and what each of them may be.

use super::{
    DAY, DEFAULT_ENDPOINT, Language, OUTBOX_ONLY, OutboxSettings, Problems, SETTINGS, Setting,
    SettingKind, WorkingFolder,
};
use crate::address::{has_usable_port, is_loopback};
use crate::error::{Error, ErrorCode};
use crate::order::{Fields, Value};
use crate::testing;
use http::Uri;
use jiff::tz::TimeZone;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The settings before they are checked.
pub(super) struct Given<'g> {
    pub language: Language,
    pub options: &'g Fields<'g>,
    pub folder: WorkingFolder,
}

impl Given<'_> {
    pub(super) fn unknown_names(&self) -> Vec<Error> {
        let names = self.options.iter().map(|(name, _)| name);
        let unknown = names.filter(|name| row(name).is_none());
        unknown.map(|name| self.unknown(name)).collect()
    }

    fn unknown(&self, name: &str) -> Error {
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
        Error::new(
            ErrorCode::ConfigUnknown,
            format!("there is no setting {shown}{hint}"),
        )
    }

    /// The last value given under a name, in either spelling.
    fn value(&self, name: &str) -> Option<&Value<'_>> {
        let named = |given: &str| row(given).is_some_and(|row| row.name == name);
        let found = self.options.iter().filter(|(given, _)| named(given)).last();
        found
            .map(|(_, value)| value)
            .filter(|value| !matches!(value, Value::Null))
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Error> {
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
    pub(super) fn proxy(&self, endpoint: &Uri, allow_http: bool) -> Result<Option<String>, Error> {
        if matches!(self.value("proxy"), Some(Value::Text(text)) if text.is_empty()) {
            return Ok(Some(String::new()));
        }
        let proxy = self.text("proxy")?;
        if proxy.is_some() && endpoint.scheme_str() == Some("http") && !allow_http {
            let allow = self.language.spell("allow_http");
            let reason = format!(
                "would carry updates unprotected, since the endpoint is plain http; use https, or \
                 set {allow} if the network in between is your own"
            );
            return Err(self.invalid("proxy", &reason));
        }
        Ok(proxy)
    }

    pub(super) fn site_id(&self) -> Result<String, Error> {
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
        match wrong_with_site(&site_id) {
            Some(reason) => Err(self.invalid("site_id", &reason)),
            None => Ok(site_id),
        }
    }

    pub(super) fn endpoint(&self, allow_http: bool) -> Result<Uri, Error> {
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
        if !has_usable_port(&uri) {
            return wrong("has a port that is not a number from 1 to 65535");
        }
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

    pub(super) fn seconds(&self, name: &str, longest: f64) -> Result<Option<Duration>, Error> {
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
            Some(number) if number > longest && number / 1000.0 <= longest => {
                let meant = number / 1000.0;
                let reason = format!("is in seconds, up to {longest}; did you mean {meant}?");
                Err(self.invalid(name, &reason))
            }
            _ => Err(self.invalid(
                name,
                &format!(
                    "must be a number of seconds above 0 and up to {longest}, such as 10 or 2.5"
                ),
            )),
        }
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<usize>, Error> {
        const MOST: i64 = 1024;
        match self.value(name) {
            None => Ok(None),
            Some(Value::Int(number)) if (1..=MOST).contains(number) => {
                Ok(usize::try_from(*number).ok())
            }
            Some(_) => Err(self.invalid(name, "must be a whole number from 1 to 1024")),
        }
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Error> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.invalid(name, "must be true or false")),
        }
    }

    pub(super) fn outbox(&self, problems: &mut Problems) -> Option<OutboxSettings> {
        // The command, which also looks at files without one, has none whatever the environment
        // says.
        if self.language == Language::Cli
            && matches!(self.value("outbox"), Some(Value::Text(text)) if text.is_empty())
        {
            return None;
        }
        let path = match self.text("outbox") {
            Ok(None) => {
                problems.0.extend(self.without_outbox());
                return None;
            }
            Ok(Some(path)) => self.outbox_path(&path),
            Err(problem) => Err(problem),
        };
        Some(OutboxSettings {
            path: problems.note(path),
            is_full: problems.note(self.choice("durability")) != Some("normal"),
            hold: problems.note(self.choice("on_rejected")) == Some("hold"),
            max_age: problems.note(self.seconds("max_age", 3660.0 * DAY)),
            collapse: problems.note(self.flag("collapse")).unwrap_or(false),
            capacity_rows: problems.note(self.large_number("capacity_rows")),
            capacity_bytes: problems.note(self.large_number("capacity_bytes")),
            deliver: problems.note(self.flag("deliver")).unwrap_or(true),
            has_plain_events: problems.note(self.choice("event_order_ids")) == Some("plain"),
        })
    }

    /// What has no meaning without an outbox.
    fn without_outbox(&self) -> impl Iterator<Item = Error> {
        let alone = OUTBOX_ONLY.iter().filter(|name| self.value(name).is_some());
        let advice = "has a meaning only with an outbox; set that, too, or leave it out";
        alone.map(move |name| self.invalid(name, advice))
    }

    /// The absolute path, so that it stays the same file wherever the process goes.
    fn outbox_path(&self, given: &str) -> Result<PathBuf, Error> {
        let wrong = |reason: &str| Err(self.invalid("outbox", reason));
        if let Some(reason) = wrong_with_path(given) {
            return wrong(&reason);
        }
        let path = Path::new(given);
        if path.is_relative() && self.folder == WorkingFolder::WebServers {
            return wrong(
                "must be an absolute path under a web server, which may publish what is in its \
                 working folder; give one outside of what it serves, such as \
                 /var/lib/shop/katalys.db",
            );
        }
        if given.ends_with(std::path::is_separator) || path.is_dir() {
            let within = path.join("katalys.db");
            let reason = format!(
                "is a folder; give the path of a file in it, such as {}",
                within.display()
            );
            return wrong(&reason);
        }
        match std::path::absolute(path) {
            Ok(path) if self.language == Language::Cli => Ok(path), // Named for one run of it.
            Ok(path) => Ok(testing::outbox(path)),
            Err(_) => wrong("is not a path that can be used"),
        }
    }

    fn large_number(&self, name: &str) -> Result<Option<u64>, Error> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Int(number)) if *number > 0 => Ok(u64::try_from(*number).ok()),
            Some(_) => Err(self.invalid(name, "must be a whole number above 0")),
        }
    }

    pub(super) fn choice(&self, name: &str) -> Result<Option<&'static str>, Error> {
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

    pub(super) fn timezone(&self) -> Result<Option<TimeZone>, Error> {
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

/// What is wrong with a site, with what is likely meant.
fn wrong_with_site(given: &str) -> Option<String> {
    let meant = || {
        let name = given.trim().rsplit('/').next().unwrap_or_default();
        let name = name.split(['?', '#']).next().unwrap_or_default();
        let name = without_extension(name).unwrap_or(name);
        let is_usable = !name.is_empty() && !name.contains(is_blank);
        if is_usable { name } else { "abcd.com" }.to_owned()
    };
    if given.contains('/') {
        let meant = meant();
        return Some(format!(
            "looks like a URL or path; give only the script name, such as {meant}"
        ));
    }
    if given.contains(is_blank) {
        let meant = meant();
        return Some(format!(
            "contains white space; give only the script name, such as {meant}"
        ));
    }
    let name = without_extension(given)?;
    Some(format!(
        "is the name of a file; give the script name without .js: {name}"
    ))
}

fn without_extension(name: &str) -> Option<&str> {
    let (stem, extension) = name.rsplit_once('.')?;
    extension.eq_ignore_ascii_case("js").then_some(stem)
}

/// White space, and what is as invisible.
fn is_blank(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
        )
}

/// What is wrong with a path that would make a file of an odd name.
fn wrong_with_path(given: &str) -> Option<String> {
    if let Some(path) = given.strip_prefix("file://")
        && path.starts_with('/')
    {
        return Some(format!("is a URL; give a path, such as {path}"));
    }
    if given.starts_with("file:") || given.contains("://") {
        return Some("is a URL; give a path, such as /var/lib/shop/katalys.db".to_owned());
    }
    if given.starts_with('~') {
        let reason = "begins with ~, which only a shell understands; give the absolute path, such \
                      as /home/shop/katalys.db";
        return Some(reason.to_owned());
    }
    (given == ":memory:").then(|| "must be a file on disk; give its path".to_owned())
}

/// The environment's value of a setting; an empty variable counts as unset.
fn environment(name: &str) -> Option<String> {
    let variable = row(name)?.env?;
    std::env::var(variable).ok().filter(|text| !text.is_empty())
}
