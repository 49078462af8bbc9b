//! The kinds of values that one setting has: the site, the endpoint, the proxy, the files and the
//! time zone.

use super::reader::{Given, Group, Kind, Reader};
use super::setting::SettingKind;
use crate::address::{has_usable_port, is_loopback};
use crate::error::{Error, ErrorCode};
use crate::language::{Language, WorkingFolder};
use crate::testing;
use http::Uri;
use jiff::tz::TimeZone;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// The vendor's endpoint.
pub const DEFAULT_ENDPOINT: &str = "https://db.revoffers.com/v2/_tr_offline";

/// Text that may hold a password and is never shown.
pub(crate) struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(hidden)")
    }
}

/// Gives each of these kinds what its row holds.
macro_rules! kinds {
    ($($kind:ident = $holds:ident;)*) => {$(
        impl $kind {
            #[allow(clippy::unused_self, reason = "as all kinds have it")]
            pub const fn kind(&self) -> SettingKind {
                SettingKind::$holds
            }
        }
    )*};
}

kinds! {
    Site = Text;
    Zone = Text;
    Proxy = SecretUrl;
    CaFile = Path;
}

/// The site; empty where each update has to name its own.
pub(super) struct Site;

impl Kind for Site {
    type Value = String;

    fn read(&self, given: &Given<'_>) -> Result<Option<String>, Error> {
        let Some(site_id) = given.text()? else {
            return missing_site(given.reader.language);
        };
        match wrong_with_site(&site_id) {
            Some(reason) => Err(given.invalid(&reason)),
            None => Ok(Some(site_id)),
        }
    }

    fn default(&self) -> String {
        String::new()
    }
}

fn missing_site(language: Language) -> Result<Option<String>, Error> {
    if !language.needs_site() {
        return Ok(None);
    }
    let name = language.spell("site_id");
    let message = format!(
        "{name} is missing; give the script name of your tracking snippet (abcd.com of \
         /js/abcd.com.js), or set KATALYS_SITE_ID"
    );
    Err(Error::new(ErrorCode::ConfigMissing, message))
}

/// The endpoint's URL.
pub(super) struct Endpoint {
    pub default: &'static str,
}

impl Endpoint {
    pub const fn kind(&self) -> SettingKind {
        SettingKind::Url {
            default: self.default,
        }
    }
}

impl Kind for Endpoint {
    type Value = Uri;

    fn read(&self, given: &Given<'_>) -> Result<Option<Uri>, Error> {
        let Some(text) = given.text()? else {
            return Ok(None);
        };
        let endpoint = endpoint(&text, given.reader);
        endpoint.map(Some).map_err(|reason| given.invalid(&reason))
    }

    fn default(&self) -> Uri {
        Uri::from_static(self.default)
    }
}

/// The endpoint of a text, or what is wrong with it.
fn endpoint(text: &str, reader: &Reader<'_>) -> Result<Uri, String> {
    let wrong = |reason: &str| Err(reason.to_owned());
    if text.contains('#') {
        return wrong("must not have a fragment (#…)");
    }
    let Ok(uri) = text.parse::<Uri>() else {
        return wrong(NOT_A_URL);
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
        return wrong("must not contain a user name or password");
    }
    match scheme {
        "https" => Ok(uri),
        "http" if allows_http(reader) || is_loopback(host) => Ok(uri),
        "http" => Err(format!(
            "is plain http to another host; use https, or set {} if the network to it is your own",
            reader.language.spell("allow_http")
        )),
        _ => wrong("must begin with https://"),
    }
}

/// With a value that cannot be used it is not known what is allowed, so nothing else is refused for
/// it.
fn allows_http(reader: &Reader<'_>) -> bool {
    reader
        .given("allow_http")
        .flag()
        .map_or(true, Option::unwrap_or_default)
}

/// The proxy's URL. An empty one is a value, too: no proxy, whatever the environment says.
pub(super) struct Proxy;

impl Kind for Proxy {
    type Value = Option<Secret>;

    fn read(&self, given: &Given<'_>) -> Result<Option<Self::Value>, Error> {
        if given.is_empty() {
            return Ok(Some(Some(Secret(String::new()))));
        }
        let proxy = given.text()?;
        if proxy.is_some() && has_plain_endpoint(given.reader) && !allows_http(given.reader) {
            let reason = format!(
                "would carry updates unprotected, since the endpoint is plain http; use https, or \
                 set {} if the network to it is your own",
                given.reader.language.spell("allow_http")
            );
            return Err(given.invalid(&reason));
        }
        Ok(Some(proxy.map(Secret)))
    }

    fn default(&self) -> Self::Value {
        None
    }
}

fn has_plain_endpoint(reader: &Reader<'_>) -> bool {
    let text = reader.given("endpoint").text().ok().flatten();
    let endpoint = text.and_then(|text| endpoint(&text, reader).ok());
    endpoint.is_some_and(|endpoint| endpoint.scheme_str() == Some("http"))
}

/// The file of certificate authorities.
pub(super) struct CaFile;

impl Kind for CaFile {
    type Value = Option<PathBuf>;

    fn read(&self, given: &Given<'_>) -> Result<Option<Self::Value>, Error> {
        Ok(Some(given.text()?.map(PathBuf::from)))
    }

    fn default(&self) -> Self::Value {
        None
    }
}

/// The time zone of times without an offset.
pub(super) struct Zone;

impl Kind for Zone {
    type Value = Option<TimeZone>;

    fn read(&self, given: &Given<'_>) -> Result<Option<Self::Value>, Error> {
        let Some(name) = given.text()? else {
            return Ok(None);
        };
        let unknown = "is not an IANA time zone, such as America/New_York or UTC";
        let zone = TimeZone::get(&name).map_err(|_| given.invalid(unknown))?;
        Ok(Some(Some(zone)))
    }

    fn default(&self) -> Self::Value {
        None
    }
}

/// The outbox's file, and with it the settings of an outbox, the group `G`.
pub(super) struct OutboxFile<G>(PhantomData<G>);

impl<G> OutboxFile<G> {
    pub const fn new() -> Self {
        Self(PhantomData)
    }

    #[allow(clippy::unused_self, reason = "as all kinds have it")]
    pub const fn kind(&self) -> SettingKind {
        SettingKind::Path
    }
}

impl<G: Group<Known = PathBuf>> Kind for OutboxFile<G> {
    type Value = Option<G>;

    fn read(&self, given: &Given<'_>) -> Result<Option<Self::Value>, Error> {
        // The command, which also looks at files without one, has none whatever the environment
        // says.
        if given.reader.language == Language::Cli && given.is_empty() {
            return Ok(None);
        }
        let path = match given.text() {
            Ok(None) => {
                given.reader.refuse_outbox_settings();
                return Ok(None);
            }
            Ok(Some(path)) => outbox_path(&path, given),
            Err(problem) => Err(problem),
        };
        let path = given.reader.note(path);
        Ok(Some(Some(G::from_reader(path, given.reader))))
    }

    fn default(&self) -> Self::Value {
        None
    }
}

/// The absolute path, so that it stays the same file wherever the process goes.
fn outbox_path(text: &str, given: &Given<'_>) -> Result<PathBuf, Error> {
    let reader = given.reader;
    let wrong = |reason: &str| Err(given.invalid(reason));
    if let Some(reason) = wrong_with_path(text) {
        return wrong(&reason);
    }
    let path = Path::new(text);
    if path.is_relative() && reader.folder == WorkingFolder::WebServers {
        return wrong(
            "must be an absolute path under a web server, because its working folder may be public; \
             give one outside of the folders that it serves, such as /var/lib/shop/katalys.db",
        );
    }
    if text.ends_with(std::path::is_separator) || path.is_dir() {
        let within = path.join("katalys.db");
        let reason = format!(
            "is a folder; give the path of a file in it, such as {}",
            within.display()
        );
        return wrong(&reason);
    }
    match std::path::absolute(path) {
        Ok(path) if reader.language == Language::Cli => Ok(path), // Named for one run of it.
        Ok(path) => Ok(testing::outbox(path)),
        Err(_) => wrong("is not a usable path"),
    }
}

const NOT_A_URL: &str =
    "is not a URL; give the full URL, such as https://db.revoffers.com/v2/_tr_offline";

/// What is wrong with a site, and what is probably meant.
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
        "is a file name; give the script name without .js: {name}"
    ))
}

fn without_extension(name: &str) -> Option<&str> {
    let (stem, extension) = name.rsplit_once('.')?;
    extension.eq_ignore_ascii_case("js").then_some(stem)
}

/// White space and other invisible characters.
fn is_blank(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
        )
}

/// What is wrong with a path that is probably not meant as one.
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
        let reason = "begins with ~, which only a shell expands; give the absolute path, such \
                      as /home/shop/katalys.db";
        return Some(reason.to_owned());
    }
    (given == ":memory:").then(|| "must be a file on disk; give its path".to_owned())
}
