//! `/_sandbox`: questions and controls, for the page and for users' own tests.

use super::answer::{self, Answer};
use super::faults::Rule;
use super::live::{self, Expectation, Waited};
use super::store::{Books, Filter, Found};
use super::{App, guard};
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use axum::response::sse::KeepAlive;
use axum::response::{IntoResponse, Sse};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use katalys_core::config;
use katalys_core::order::fields::{GROUPS, ORDER_FIELDS, STATUSES};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

type Shared = State<Arc<App>>;

const LARGEST_PAGE: u64 = 1000;
const LARGEST_RULES: usize = 64 * 1024;
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// The query of a list.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    order_id: Option<String>,
    status: Option<String>,
    site_id: Option<String>,
    from: Option<String>,
    to: Option<String>,
    warnings: Option<String>,
    offset: Option<u64>,
    limit: Option<u64>,
}

pub async fn orders(State(app): Shared, uri: Uri) -> Answer {
    let query: ListQuery = match read_query(&uri) {
        Ok(query) => query,
        Err(refusal) => return refusal,
    };
    let (offset, limit) = (
        query.offset.unwrap_or(0),
        query.limit.unwrap_or(100).min(LARGEST_PAGE),
    );
    let filter = match query.filter() {
        Ok(filter) => filter,
        Err(message) => return answer::error(StatusCode::BAD_REQUEST, message),
    };
    answer::from(
        app.store
            .ask(move |books| books.page(&filter, offset, limit))
            .await,
    )
}

impl ListQuery {
    fn filter(self) -> Result<Filter, &'static str> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        Ok(Filter {
            order_id: given(self.order_id),
            status: given(self.status),
            site_id: given(self.site_id),
            from: given(self.from)
                .map(|text| moment(&text, false))
                .transpose()?,
            to: given(self.to).map(|text| moment(&text, true)).transpose()?,
            flagged: given(self.warnings)
                .is_some_and(|text| !matches!(text.as_str(), "0" | "false")),
        })
    }
}

/// A time with its offset, or a day in UTC; the end of a span includes its day.
fn moment(text: &str, is_end: bool) -> Result<i64, &'static str> {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time.as_millisecond());
    }
    let midnight = |date: Date| TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok();
    let day = text.parse().ok().and_then(midnight);
    let day = day.ok_or(
        "from and to are days (2018-01-01) or times with an offset (2018-01-01T01:23:40Z)",
    )?;
    Ok(day.as_millisecond() + if is_end { DAY } else { 0 })
}

#[allow(clippy::result_large_err, reason = "it is the answer, made once")]
fn read_query<T: for<'q> Deserialize<'q>>(uri: &Uri) -> Result<T, Answer> {
    Query::try_from_uri(uri)
        .map(|Query(query)| query)
        .map_err(|rejection| answer::error(StatusCode::BAD_REQUEST, &rejection.body_text()))
}

/// Which site an order is of, where several have the same id.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteQuery {
    site_id: Option<String>,
}

pub async fn order(State(app): Shared, Path(order_id): Path<String>, uri: Uri) -> Answer {
    match read_query::<SiteQuery>(&uri) {
        Ok(query) => one_order(&app, order_id, query.site_id, StatusCode::OK).await,
        Err(refusal) => refusal,
    }
}

async fn one_order(
    app: &App,
    order_id: String,
    site_id: Option<String>,
    status: StatusCode,
) -> Answer {
    let question = move |books: &mut Books| books.order(&order_id, site_id.as_deref());
    match app.store.ask(question).await {
        Ok(Found::One(order)) => answer::of(status, &order),
        Ok(Found::Nothing) => answer::error(StatusCode::NOT_FOUND, "there is no such order"),
        Ok(Found::Sites(sites)) => several(&sites),
        Err(message) => answer::error(StatusCode::INTERNAL_SERVER_ERROR, &message),
    }
}

fn several(sites: &[String]) -> Answer {
    let message = "several sites have an order of this id; say which with site_id";
    answer::of(
        StatusCode::CONFLICT,
        &json!({ "error": message, "sites": sites }),
    )
}

/// The query of an order's details.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetailsQuery {
    order_id: String,
    site_id: String,
}

pub async fn details(State(app): Shared, uri: Uri) -> Answer {
    let DetailsQuery { order_id, site_id } = match read_query(&uri) {
        Ok(query) => query,
        Err(refusal) => return refusal,
    };
    match app
        .store
        .ask(move |books| books.details(&order_id, &site_id))
        .await
    {
        Ok(None) => answer::error(StatusCode::NOT_FOUND, "there is no such order"),
        other => answer::from(other),
    }
}

/// The query of the stream.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdatesQuery {
    /// The cursor of an earlier answer.
    since: Option<i64>,
    limit: Option<u64>,
    /// The newest instead, with their exact bytes.
    newest: Option<u64>,
}

pub async fn updates(State(app): Shared, uri: Uri) -> Answer {
    let query: UpdatesQuery = match read_query(&uri) {
        Ok(query) => query,
        Err(refusal) => return refusal,
    };
    let question = move |books: &mut Books| {
        if let Some(newest) = query.newest {
            return books.stream(None, newest.min(LARGEST_PAGE));
        }
        let limit = query.limit.unwrap_or(100).min(LARGEST_PAGE);
        let stream = books.stream(Some(query.since.unwrap_or(0)), limit)?;
        Ok(stream.without_raw())
    };
    answer::from(app.store.ask(question).await)
}

/// The query of a call that waits.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitQuery {
    order_id: Option<String>,
    site_id: Option<String>,
    status: Option<String>,
    updates: Option<u64>,
    /// Seconds.
    timeout: Option<f64>,
}

/// Answers as soon as the order (or the number of updates altogether) is as expected, and 408
/// when the time is up.
pub async fn wait(State(app): Shared, uri: Uri) -> Answer {
    let query: WaitQuery = match read_query(&uri) {
        Ok(query) => query,
        Err(refusal) => return refusal,
    };
    if query.order_id.is_none() && (query.status.is_some() || query.site_id.is_some()) {
        return answer::error(
            StatusCode::BAD_REQUEST,
            "status and site_id need an order_id",
        );
    }
    let timeout = match config::timeout(query.timeout.unwrap_or(5.0)) {
        Ok(timeout) => timeout.min(LONGEST_WAIT),
        Err(error) => return answer::error(StatusCode::BAD_REQUEST, error.message()),
    };
    let expected = Expectation {
        order_id: query.order_id.clone(),
        site_id: query.site_id.clone(),
        status: query.status,
        updates: query.updates.unwrap_or(1),
    };
    match live::wait(&app, expected, timeout).await {
        Ok(Waited::Holds) => {}
        Ok(Waited::TimeIsUp(found)) => {
            let message = format!("the time is up: {found}");
            return answer::error(StatusCode::REQUEST_TIMEOUT, &message);
        }
        Ok(Waited::Sites(sites)) => return several(&sites),
        Err(message) => return answer::error(StatusCode::SERVICE_UNAVAILABLE, &message),
    }
    match query.order_id {
        Some(order_id) => one_order(&app, order_id, query.site_id, StatusCode::OK).await,
        None => counts(&app).await,
    }
}

async fn counts(app: &App) -> Answer {
    answer::from(app.store.ask(|books| Ok(books.tick())).await)
}

pub async fn events(State(app): Shared) -> Answer {
    Sse::new(live::changes(&app))
        .keep_alive(KeepAlive::default())
        .into_response()
}

pub async fn clear(State(app): Shared) -> Answer {
    app.faults.remove(None);
    match app.store.ask(Books::clear).await {
        Ok(()) => answer::empty(StatusCode::NO_CONTENT),
        Err(message) => answer::error(StatusCode::INTERNAL_SERVER_ERROR, &message),
    }
}

/// What the page has to know of the endpoint and of its fields; the core's tables, as JSON.
pub async fn about(State(app): Shared) -> Answer {
    let field = |field: &katalys_core::order::fields::Field| json!({ "name": field.name, "doc": field.doc });
    let fields: Vec<Value> = ORDER_FIELDS.iter().map(field).collect();
    let groups = GROUPS.iter().map(|group| {
        let fields: Vec<Value> = group.fields.iter().map(field).collect();
        json!({ "list": group.list, "prefix": group.prefix, "doc": group.doc, "fields": fields })
    });
    let statuses = STATUSES
        .iter()
        .map(|status| json!({ "name": status.name, "doc": status.doc }));
    answer::ok(&json!({
        "version": katalys_core::VERSION,
        "endpoint": app.endpoint,
        "fields": fields,
        "groups": groups.collect::<Value>(),
        "statuses": statuses.collect::<Value>(),
    }))
}

pub async fn faults(State(app): Shared) -> Answer {
    answer::ok(&json!({ "faults": app.faults.list() }))
}

/// Takes one rule or a list of them.
pub async fn add_faults(State(app): Shared, request: Request<Body>) -> Answer {
    if !guard::is_json(request.headers()) {
        let message = "send the fault as application/json";
        return answer::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
    }
    let Ok(body) = axum::body::to_bytes(request.into_body(), LARGEST_RULES).await else {
        return answer::error(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large");
    };
    match Rule::parse_all(&body) {
        Ok(rules) => {
            let added = app.faults.add(rules);
            touch(&app).await;
            answer::of(StatusCode::CREATED, &json!({ "faults": added }))
        }
        Err(message) => answer::error(StatusCode::BAD_REQUEST, &message),
    }
}

pub async fn clear_faults(State(app): Shared) -> Answer {
    app.faults.remove(None);
    touch(&app).await;
    answer::empty(StatusCode::NO_CONTENT)
}

pub async fn remove_fault(State(app): Shared, Path(id): Path<u64>) -> Answer {
    if !app.faults.remove(Some(id)) {
        return answer::error(StatusCode::NOT_FOUND, "there is no such fault");
    }
    touch(&app).await;
    answer::empty(StatusCode::NO_CONTENT)
}

async fn touch(app: &App) {
    let touched = |books: &mut Books| {
        books.touch();
        Ok(())
    };
    // It fails only when the sandbox is ending, and then there are no watchers.
    let _ = app.store.ask(touched).await;
}

pub async fn nothing(uri: Uri, headers: HeaderMap) -> Answer {
    let is_page = headers
        .get(header::ACCEPT)
        .is_some_and(|accept: &HeaderValue| accept.as_bytes().starts_with(b"text/html"));
    if is_page && !uri.path().starts_with("/_sandbox") {
        return axum::response::Redirect::to("/").into_response();
    }
    answer::error(
        StatusCode::NOT_FOUND,
        "there is nothing here; the endpoint is /v2/_tr_offline",
    )
}
