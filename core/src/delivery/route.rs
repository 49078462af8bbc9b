//! The settings of a route to the endpoint, and what can be wrong with them.

use http::Uri;
use std::path::PathBuf;
use std::time::Duration;

/// How updates reach the endpoint.
pub(crate) struct Route {
    pub(crate) endpoint: Uri,
    /// Trust these authorities alone.
    pub(crate) ca_file: Option<PathBuf>,
    /// Overrides the environment; empty means no proxy.
    pub(crate) proxy: Option<String>,
    pub(crate) connect_timeout: Duration,
    pub(crate) user_agent: String,
    /// The maximum number of unused connections that are kept: ideally one per sending thread.
    pub(crate) idle_connections: usize,
}

/// A route that cannot be used: which setting is wrong, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RouteError {
    /// The option or environment variable.
    pub(crate) setting: &'static str,
    /// Continues a sentence that begins with the setting's name. Never holds a password.
    pub(crate) reason: String,
}

/// Reads an environment variable; a parameter so that tests need no environment of their own.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;
