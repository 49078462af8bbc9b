//! The route that takes the place of another while a test run is contained; see `crate::testing`.

use super::answer::Failure;
use super::transport::{Route, RouteError, Transport};
use crate::error::ErrorCode;
use crate::testing;
use http::Uri;
use std::sync::{Arc, Mutex, Once, PoisonError};

/// The route of a client to another host, in a test run: to the sandbox, once there is one.
pub(super) struct StandIn(Mutex<Option<Arc<Transport>>>);

impl StandIn {
    /// `None` for an endpoint on this machine, which needs none.
    pub(super) fn of(endpoint: &Uri) -> Option<Self> {
        (!testing::is_local(endpoint)).then(|| Self(Mutex::default()))
    }

    /// The route to where the sandbox is now; `None` if containment is off.
    pub(super) fn route(&self, replaced: &Transport) -> Result<Option<Arc<Transport>>, Failure> {
        let failure = |reason| Failure {
            code: ErrorCode::ConfigInvalid,
            reason,
        };
        let endpoint = match testing::stand_in(replaced.endpoint()) {
            Some(Ok(endpoint)) => endpoint,
            Some(Err(reason)) => {
                // An outbox tells no caller why it keeps what it was given.
                static SAID: Once = Once::new();
                SAID.call_once(|| log::warn!(target: "katalys", "{reason}"));
                return Err(failure(reason));
            }
            None => return Ok(None),
        };
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(route) = &*current
            && *route.endpoint() == endpoint
        {
            return Ok(Some(Arc::clone(route)));
        }
        let route = Route {
            endpoint,
            proxy: Some(String::new()),
            ..replaced.settings()
        };
        let route = Transport::new(&route).map_err(|found| failure(reasons(&found)))?;
        Ok(Some(Arc::clone(current.insert(Arc::new(route)))))
    }
}

fn reasons(errors: &[RouteError]) -> String {
    let reasons: Vec<&str> = errors.iter().map(|error| error.reason.as_str()).collect();
    reasons.join("; ")
}
