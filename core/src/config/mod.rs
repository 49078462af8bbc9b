//! What a client is made from: arguments first, then the environment, then the defaults of the
//! settings table. What cannot work fails here, by name and all at once, with the way to fix it.
//!
//! | file | holds |
//! |---|---|
//! | `settings.rs` | the table: names, types, defaults, limits, scope and documentation; its columns are in `setting.rs` |
//! | `reader.rs` | what was given under a name, and the kinds that several settings share |
//! | `values.rs` | the kinds of one setting: site, endpoint, proxy, time zone, outbox |
//! | `wait.rs` | timeouts of calls |

mod reader;
mod setting;
mod settings;
#[cfg(test)]
mod tests;
mod values;
mod wait;

pub use crate::language::{Language, WorkingFolder};
pub use setting::{Setting, SettingKind};
pub use settings::SETTINGS;
pub use values::DEFAULT_ENDPOINT;
pub(crate) use wait::LONGEST_WAIT;
pub use wait::{DEFAULT_PAGE, DEFAULT_WAIT, EXIT_WAIT, timeout};

pub(crate) use settings::{Config, Durability, EventOrderIds, OnRejected, OutboxSettings};

use crate::error::{Error, ErrorCode};
use crate::order::Fields;
use reader::{Group as _, Reader};

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
        let reader = Reader::new(SETTINGS, language, options, folder);
        let config = Self::from_reader(language, &reader);
        (config, reader.into_problems())
    }

    /// An error about one setting that came to light later, such as a file that is not PEM.
    pub fn complain(language: Language, setting: &str, reason: &str) -> Error {
        let name = match Setting::named(setting) {
            Some(row) => language.spell(row.name),
            None => setting.to_owned(),
        };
        Error::new(ErrorCode::ConfigInvalid, format!("{name} {reason}"))
    }
}
