//! The link to the endpoint that all attempts of a client share within one process.

use super::policy::Jitter;
use crate::config::Config;
use crate::delivery::{Route, RouteError, Transport};
use crate::error::Error;

/// The transport with its connections, and the random numbers for the waits between attempts.
pub(crate) struct Link {
    pub transport: Transport,
    pub jitter: Jitter,
}

impl Link {
    /// Prepares the link of a client; opens no connection.
    ///
    /// # Errors
    /// `ConfigError` that names every setting that makes the route unusable.
    pub(crate) fn new(config: &Config) -> Result<Self, Error> {
        let transport = Transport::new(&route(config));
        Ok(Self {
            transport: transport.map_err(|found| Error::all_of(named(config, &found)))?,
            jitter: Jitter::new(),
        })
    }

    /// Every error of the route's settings, so that they can be reported with those of other
    /// settings.
    pub(crate) fn problems(config: &Config) -> Vec<Error> {
        let found = Transport::new(&route(config)).err();
        named(config, &found.unwrap_or_default())
    }
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
