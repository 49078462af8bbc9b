//! From a client's settings to its route.

use crate::config::Config;
use crate::delivery::{Route, RouteError, Transport};
use crate::error::Error;

/// Prepares the route of a client.
///
/// # Errors
/// `ConfigError` that names every setting which makes the route unusable.
pub(crate) fn open_route(config: &Config) -> Result<Transport, Error> {
    Transport::new(&route(config)).map_err(|found| Error::all_of(named(config, &found)))
}

/// Everything that is wrong with the route, so that it can be reported with other settings.
pub(crate) fn problems_of_route(config: &Config) -> Vec<Error> {
    let found = Transport::new(&route(config)).err();
    named(config, &found.unwrap_or_default())
}

fn route(config: &Config) -> Route {
    Route {
        endpoint: config.endpoint.clone(),
        ca_file: config.ca_file.clone(),
        proxy: config.proxy.as_ref().map(|proxy| proxy.0.clone()),
        connect_timeout: config.connect_timeout,
        user_agent: config.user_agent(),
        idle_connections: config.workers,
    }
}

fn named(config: &Config, found: &[RouteError]) -> Vec<Error> {
    let named = found
        .iter()
        .map(|problem| Config::complain(config.language, problem.setting, &problem.reason));
    named.collect()
}
