//! The route that replaces another one while a test run is contained; see `crate::testing`.

use super::failure::Failure;
use super::route::RouteError;
use crate::error::ErrorCode;
use crate::testing;
use http::Uri;
use std::sync::{Arc, Mutex, Once, PoisonError};

/// The replacement for a route to another host: a transport `T` to the sandbox, once there is one.
pub(super) struct Replacement<T>(Mutex<Option<(Uri, Arc<T>)>>);

impl<T> Replacement<T> {
    /// `None` for an endpoint on this machine, which needs no replacement.
    pub(super) fn of(endpoint: &Uri) -> Option<Self> {
        (!testing::is_local(endpoint)).then(|| Self(Mutex::new(None)))
    }

    /// The transport to the current address of the sandbox, opened if the address is new; `None` if
    /// containment is off.
    pub(super) fn current(
        &self,
        replaced: &Uri,
        open: impl FnOnce(&Uri) -> Result<T, Vec<RouteError>>,
    ) -> Result<Option<Arc<T>>, Failure> {
        let failure = |reason| Failure {
            code: ErrorCode::ConfigInvalid,
            reason,
        };
        let endpoint = match testing::stand_in(replaced) {
            Some(Ok(endpoint)) => endpoint,
            Some(Err(reason)) => {
                // With an outbox no caller receives this error, so it is logged.
                static LOGGED: Once = Once::new();
                LOGGED.call_once(|| log::warn!(target: "katalys", "{reason}"));
                return Err(failure(reason));
            }
            None => return Ok(None),
        };
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((address, transport)) = &*current
            && *address == endpoint
        {
            return Ok(Some(Arc::clone(transport)));
        }
        let transport = Arc::new(open(&endpoint).map_err(|found| failure(reasons(&found)))?);
        *current = Some((endpoint, Arc::clone(&transport)));
        Ok(Some(transport))
    }
}

fn reasons(errors: &[RouteError]) -> String {
    let reasons: Vec<&str> = errors.iter().map(|error| error.reason.as_str()).collect();
    reasons.join("; ")
}
