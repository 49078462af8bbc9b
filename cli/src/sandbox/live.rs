//! Publishes changes: server-sent events for the page, and calls that wait for the expected state of
//! an order.

use super::App;
use super::store::{Counters, Lookup};
use axum::response::sse::Event;
use futures_util::stream::{self, Stream};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Minimum time between two events of one watcher.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// A stream of the counters: their current values, then each change.
pub fn changes(app: &App) -> impl Stream<Item = Result<Event, Infallible>> + use<> {
    let state = (
        app.store.counters.clone(),
        app.closing.clone(),
        None::<Instant>,
    );
    stream::unfold(state, |(mut counters, mut closing, last)| async move {
        if let Some(last) = last {
            tokio::select! {
                changed = counters.changed() => changed.ok()?,
                _ = closing.wait_for(|closing| *closing) => return None,
            }
            tokio::time::sleep_until(last + MIN_INTERVAL).await;
        }
        let current = *counters.borrow_and_update();
        Some((
            Ok(event(current)),
            (counters, closing, Some(Instant::now())),
        ))
    })
}

fn event(current: Counters) -> Event {
    let data = serde_json::to_string(&current).unwrap_or_default();
    Event::default()
        .event("change")
        .id(current.revision.to_string())
        .data(data)
}

/// The state that a caller waits for; every given condition must hold.
#[derive(Clone)]
pub struct Expectation {
    pub order_id: Option<String>,
    pub site_id: Option<String>,
    pub status: Option<String>,
    /// Minimum number of updates, of the order or in total.
    pub updates: u64,
}

/// The result of a wait.
pub enum WaitResult {
    Met,
    /// The state at the end of the wait.
    TimedOut(String),
    /// The sites that have an order of this id.
    Ambiguous(Vec<String>),
}

pub async fn wait(
    app: &Arc<App>,
    expected: Expectation,
    timeout: Duration,
) -> Result<WaitResult, String> {
    let end = Instant::now() + timeout;
    let mut counters: watch::Receiver<Counters> = app.store.counters.clone();
    let mut closing = app.closing.clone();
    loop {
        counters.mark_unchanged();
        let waited = check(app, expected.clone()).await?;
        if !matches!(waited, WaitResult::TimedOut(_)) {
            return Ok(waited);
        }
        tokio::select! {
                changed = counters.changed() => changed.map_err(|_| "the sandbox is shutting down")?,
                () = tokio::time::sleep_until(end) => return Ok(waited),
                _ = closing.wait_for(|closing| *closing) => return Err("the sandbox is shutting down".into()),
        }
    }
}

/// The result if nothing changes any more.
async fn check(app: &App, expected: Expectation) -> Result<WaitResult, String> {
    let Some(order_id) = expected.order_id else {
        let updates = app
            .store
            .run(|records| Ok(records.counters().updates))
            .await?;
        let fits = updates >= expected.updates;
        return Ok(if fits {
            WaitResult::Met
        } else {
            WaitResult::TimedOut(format!("there are {updates} updates in total"))
        });
    };
    let site_id = expected.site_id;
    let command =
        move |records: &mut super::store::Records| records.progress(&order_id, site_id.as_deref());
    Ok(match app.store.run(command).await? {
        Lookup::NotFound => WaitResult::TimedOut("there is no such order".into()),
        Lookup::Ambiguous(sites) => WaitResult::Ambiguous(sites),
        Lookup::One((status, updates)) => {
            let fits = expected.status.is_none_or(|wanted| wanted == status);
            if fits && updates >= expected.updates {
                WaitResult::Met
            } else {
                WaitResult::TimedOut(format!(
                    "the order's status is \"{status}\", and its updates are {updates}"
                ))
            }
        }
    })
}
