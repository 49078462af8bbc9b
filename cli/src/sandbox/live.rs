//! Tells those who watch that something changed: server-sent events for the page, and calls that
//! wait until an order is as they expect.

use super::App;
use super::store::{Found, Tick};
use axum::response::sse::Event;
use futures_util::stream::{self, Stream};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// However much arrives, a watcher is told so often and no more.
const PAUSE: Duration = Duration::from_millis(100);

/// The changes from now on, the first event being the state as it is.
pub fn changes(app: &App) -> impl Stream<Item = Result<Event, Infallible>> + use<> {
    let state = (
        app.store.ticks.clone(),
        app.closing.clone(),
        None::<Instant>,
    );
    stream::unfold(state, |(mut ticks, mut closing, last)| async move {
        if let Some(last) = last {
            tokio::select! {
                changed = ticks.changed() => changed.ok()?,
                _ = closing.wait_for(|closing| *closing) => return None,
            }
            tokio::time::sleep_until(last + PAUSE).await;
        }
        let tick = *ticks.borrow_and_update();
        Some((Ok(event(tick)), (ticks, closing, Some(Instant::now()))))
    })
}

fn event(tick: Tick) -> Event {
    let data = serde_json::to_string(&tick).unwrap_or_default();
    Event::default()
        .event("change")
        .id(tick.revision.to_string())
        .data(data)
}

/// What a caller waits for; all that is given must hold.
#[derive(Clone)]
pub struct Expectation {
    pub order_id: Option<String>,
    pub site_id: Option<String>,
    pub status: Option<String>,
    /// At least this many updates, of the order or in total.
    pub updates: u64,
}

/// How the waiting ended.
pub enum Waited {
    Holds,
    /// With what is there instead.
    TimeIsUp(String),
    Sites(Vec<String>),
}

pub async fn wait(
    app: &Arc<App>,
    expected: Expectation,
    timeout: Duration,
) -> Result<Waited, String> {
    let end = Instant::now() + timeout;
    let mut ticks: watch::Receiver<Tick> = app.store.ticks.clone();
    let mut closing = app.closing.clone();
    loop {
        ticks.mark_unchanged();
        let waited = look(app, expected.clone()).await?;
        if !matches!(waited, Waited::TimeIsUp(_)) {
            return Ok(waited);
        }
        tokio::select! {
                changed = ticks.changed() => changed.map_err(|_| "the sandbox is ending")?,
                () = tokio::time::sleep_until(end) => return Ok(waited),
                _ = closing.wait_for(|closing| *closing) => return Err("the sandbox is ending".into()),
        }
    }
}

/// How the waiting ends if nothing changes any more.
async fn look(app: &App, expected: Expectation) -> Result<Waited, String> {
    let Some(order_id) = expected.order_id else {
        let updates = app.store.ask(|books| Ok(books.tick().updates)).await?;
        let fits = updates >= expected.updates;
        return Ok(if fits {
            Waited::Holds
        } else {
            Waited::TimeIsUp(format!("there were {updates} updates altogether"))
        });
    };
    let site_id = expected.site_id;
    let question =
        move |books: &mut super::store::Books| books.progress(&order_id, site_id.as_deref());
    Ok(match app.store.ask(question).await? {
        Found::Nothing => Waited::TimeIsUp("there is no such order".into()),
        Found::Sites(sites) => Waited::Sites(sites),
        Found::One((status, updates)) => {
            let fits = expected.status.is_none_or(|wanted| wanted == status);
            if fits && updates >= expected.updates {
                Waited::Holds
            } else {
                Waited::TimeIsUp(format!(
                    "the order's status is \"{status}\", and its updates are {updates}"
                ))
            }
        }
    })
}
