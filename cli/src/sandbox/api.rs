//! The paths under `/_sandbox`: queries and controls, for the page and for users' tests.

use super::faults::Rule;
use super::guard;
use super::live::{self, Expectation, WaitResult};
use super::response::{self, Response};
use super::state::App;
use super::store::{Filter, Lookup, Records};
use crate::settings;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use axum::response::sse::KeepAlive;
use axum::response::{IntoResponse, Sse};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use katalys_core::order::fields::{GROUPS, ORDER_FIELDS, STATUSES};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

type Shared = State<Arc<App>>;

const MAX_PAGE: u64 = 1000;
const MAX_RULES: usize = 64 * 1024;
const DEFAULT_WAIT: Duration = Duration::from_secs(5);
const MAX_WAIT: Duration = Duration::from_secs(600);

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

pub async fn orders(State(app): Shared, uri: Uri) -> Response {
    let query: ListQuery = match read_query(&uri) {
        Ok(query) => query,
        Err(response) => return response,
    };
    let (offset, limit) = (
        query.offset.unwrap_or(0),
        query.limit.unwrap_or(100).min(MAX_PAGE),
    );
    let filter = match query.filter() {
        Ok(filter) => filter,
        Err(message) => return response::error(StatusCode::BAD_REQUEST, message),
    };
    response::from_result(
        app.store
            .run(move |records| records.page(&filter, offset, limit))
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

/// Unix milliseconds of a time with an offset, or of a day in UTC; the end of a range includes its
/// day.
fn moment(text: &str, is_end: bool) -> Result<i64, &'static str> {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time.as_millisecond());
    }
    let midnight = |date: Date| TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok();
    let day = text.parse().ok().and_then(midnight);
    let day = day.ok_or(
        "from and to must be days (2018-01-01) or times with an offset (2018-01-01T01:23:40Z)",
    )?;
    Ok(day.as_millisecond() + if is_end { DAY } else { 0 })
}

#[allow(clippy::result_large_err, reason = "it is the response, built once")]
fn read_query<T: for<'q> Deserialize<'q>>(uri: &Uri) -> Result<T, Response> {
    Query::try_from_uri(uri)
        .map(|Query(query)| query)
        .map_err(|rejection| response::error(StatusCode::BAD_REQUEST, &rejection.body_text()))
}

/// The site of an order, needed where several sites have the same id.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteQuery {
    site_id: Option<String>,
}

pub async fn order(State(app): Shared, Path(order_id): Path<String>, uri: Uri) -> Response {
    match read_query::<SiteQuery>(&uri) {
        Ok(query) => one_order(&app, order_id, query.site_id, StatusCode::OK).await,
        Err(response) => response,
    }
}

async fn one_order(
    app: &App,
    order_id: String,
    site_id: Option<String>,
    status: StatusCode,
) -> Response {
    let command = move |records: &mut Records| records.order(&order_id, site_id.as_deref());
    match app.store.run(command).await {
        Ok(Lookup::One(order)) => response::json(status, &order),
        Ok(Lookup::NotFound) => response::error(StatusCode::NOT_FOUND, "there is no such order"),
        Ok(Lookup::Ambiguous(sites)) => ambiguous(&sites),
        Err(message) => response::error(StatusCode::INTERNAL_SERVER_ERROR, &message),
    }
}

fn ambiguous(sites: &[String]) -> Response {
    let message = "several sites have an order with this id; select one with site_id";
    response::json(
        StatusCode::CONFLICT,
        &json!({ "error": message, "sites": sites }),
    )
}

/// The order whose details are requested.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetailsQuery {
    order_id: String,
    site_id: String,
}

pub async fn details(State(app): Shared, uri: Uri) -> Response {
    let DetailsQuery { order_id, site_id } = match read_query(&uri) {
        Ok(query) => query,
        Err(response) => return response,
    };
    match app
        .store
        .run(move |records| records.details(&order_id, &site_id))
        .await
    {
        Ok(None) => response::error(StatusCode::NOT_FOUND, "there is no such order"),
        other => response::from_result(other),
    }
}

/// The query of the stream.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdatesQuery {
    /// The cursor of an earlier response.
    since: Option<i64>,
    limit: Option<u64>,
    /// Return the newest requests instead, with their exact bytes.
    newest: Option<u64>,
}

pub async fn updates(State(app): Shared, uri: Uri) -> Response {
    let query: UpdatesQuery = match read_query(&uri) {
        Ok(query) => query,
        Err(response) => return response,
    };
    let command = move |records: &mut Records| {
        if let Some(newest) = query.newest {
            return records.stream(None, newest.min(MAX_PAGE));
        }
        let limit = query.limit.unwrap_or(100).min(MAX_PAGE);
        let stream = records.stream(Some(query.since.unwrap_or(0)), limit)?;
        Ok(stream.without_raw())
    };
    response::from_result(app.store.run(command).await)
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
    timeout: Option<String>,
}

/// Responds as soon as the order, or the total number of updates, is as expected; 408 when the
/// wait times out.
pub async fn wait(State(app): Shared, uri: Uri) -> Response {
    let query: WaitQuery = match read_query(&uri) {
        Ok(query) => query,
        Err(response) => return response,
    };
    if query.order_id.is_none() && (query.status.is_some() || query.site_id.is_some()) {
        return response::error(
            StatusCode::BAD_REQUEST,
            "status and site_id need an order_id",
        );
    }
    let timeout = match query.timeout.as_deref().map(settings::duration) {
        None => DEFAULT_WAIT,
        Some(Ok(timeout)) => timeout.min(MAX_WAIT),
        Some(Err(problem)) => {
            return response::error(StatusCode::BAD_REQUEST, &problem);
        }
    };
    let expected = Expectation {
        order_id: query.order_id.clone(),
        site_id: query.site_id.clone(),
        status: query.status,
        updates: query.updates.unwrap_or(1),
    };
    match live::wait(&app, expected, timeout).await {
        Ok(WaitResult::Met) => {}
        Ok(WaitResult::TimedOut(found)) => {
            let message = format!("the wait timed out: {found}");
            return response::error(StatusCode::REQUEST_TIMEOUT, &message);
        }
        Ok(WaitResult::Ambiguous(sites)) => return ambiguous(&sites),
        Err(message) => return response::error(StatusCode::SERVICE_UNAVAILABLE, &message),
    }
    match query.order_id {
        Some(order_id) => one_order(&app, order_id, query.site_id, StatusCode::OK).await,
        None => counts(&app).await,
    }
}

async fn counts(app: &App) -> Response {
    response::from_result(app.store.run(|records| Ok(records.counters())).await)
}

pub async fn events(State(app): Shared) -> Response {
    Sse::new(live::changes(&app))
        .keep_alive(KeepAlive::default())
        .into_response()
}

pub async fn clear(State(app): Shared) -> Response {
    app.faults.remove(None);
    match app.store.run(Records::clear).await {
        Ok(()) => response::empty(StatusCode::NO_CONTENT),
        Err(message) => response::error(StatusCode::INTERNAL_SERVER_ERROR, &message),
    }
}

/// The endpoint's URL, fields and statuses, from the core's tables.
pub async fn about(State(app): Shared) -> Response {
    let field = |field: &katalys_core::order::fields::Field| json!({ "name": field.name, "doc": field.doc });
    let fields: Vec<Value> = ORDER_FIELDS.iter().map(field).collect();
    let groups = GROUPS.iter().map(|group| {
        let fields: Vec<Value> = group.fields.iter().map(field).collect();
        json!({ "list": group.list, "prefix": group.prefix, "doc": group.doc, "fields": fields })
    });
    let statuses = STATUSES
        .iter()
        .map(|status| json!({ "name": status.name, "doc": status.doc }));
    response::ok(&json!({
        "version": katalys_core::VERSION,
        "endpoint": app.endpoint,
        "fields": fields,
        "groups": groups.collect::<Value>(),
        "statuses": statuses.collect::<Value>(),
    }))
}

pub async fn faults(State(app): Shared) -> Response {
    response::ok(&json!({ "faults": app.faults.list() }))
}

/// Adds one rule or a list of rules.
pub async fn add_faults(State(app): Shared, request: Request<Body>) -> Response {
    if !guard::is_json(request.headers()) {
        let message = "send the fault as application/json";
        return response::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
    }
    let Ok(body) = axum::body::to_bytes(request.into_body(), MAX_RULES).await else {
        return response::error(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large");
    };
    match Rule::parse_all(&body) {
        Ok(rules) => {
            let added = app.faults.add(rules);
            touch(&app).await;
            response::json(StatusCode::CREATED, &json!({ "faults": added }))
        }
        Err(message) => response::error(StatusCode::BAD_REQUEST, &message),
    }
}

pub async fn clear_faults(State(app): Shared) -> Response {
    app.faults.remove(None);
    touch(&app).await;
    response::empty(StatusCode::NO_CONTENT)
}

pub async fn remove_fault(State(app): Shared, Path(id): Path<u64>) -> Response {
    if !app.faults.remove(Some(id)) {
        return response::error(StatusCode::NOT_FOUND, "there is no such fault");
    }
    touch(&app).await;
    response::empty(StatusCode::NO_CONTENT)
}

async fn touch(app: &App) {
    let touched = |records: &mut Records| {
        records.touch();
        Ok(())
    };
    // This fails only at shutdown, when no page is watching.
    let _ = app.store.run(touched).await;
}

pub async fn not_found(uri: Uri, headers: HeaderMap) -> Response {
    let is_page = headers
        .get(header::ACCEPT)
        .is_some_and(|accept: &HeaderValue| accept.as_bytes().starts_with(b"text/html"));
    if is_page && !uri.path().starts_with("/_sandbox") {
        return axum::response::Redirect::to("/").into_response();
    }
    response::error(
        StatusCode::NOT_FOUND,
        "not found; the endpoint is /v2/_tr_offline",
    )
}
