//! The shared clients of this process, by their settings. PHP needs them: each web request begins
//! without state, while the process and its connections persist.

use crate::exit;
use crate::handle::katalys_client;
use arc_swap::ArcSwap;
use katalys_core::bridge::Bridge as _;
use katalys_core::config::{ROUTE_VARIABLES, SETTINGS};
use katalys_core::{Error, Fields, Language, Value, WorkingFolder, testing};
use std::ffi::OsString;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

/// Beyond this number, the client that was requested the longest ago is dropped.
const CAPACITY: usize = 64;

/// Swapped as a whole and never locked, so that a fork cannot leave it locked.
static CLIENTS: LazyLock<ArcSwap<Vec<Arc<Entry>>>> = LazyLock::new(ArcSwap::default);
static CLOCK: AtomicU64 = AtomicU64::new(0);

struct Entry {
    language: Language,
    folder: WorkingFolder,
    options: Fields<'static>,
    environment: Vec<Option<OsString>>,
    client: Arc<katalys_client>,
    last_requested: AtomicU64,
}

impl Entry {
    fn is_for(&self, request: &Request<'_>) -> bool {
        self.language == request.language
            && self.folder == request.folder
            && self.options == *request.options
            && self.environment == request.environment
    }

    fn take(&self) -> Arc<katalys_client> {
        let now = CLOCK.fetch_add(1, Ordering::Relaxed);
        self.last_requested.store(now, Ordering::Relaxed);
        Arc::clone(&self.client)
    }
}

struct Request<'r> {
    language: Language,
    folder: WorkingFolder,
    options: &'r Fields<'r>,
    environment: Vec<Option<OsString>>,
}

/// Makes a client that finishes its requests in flight when the process ends.
pub fn new_client(
    language: Language,
    folder: WorkingFolder,
    options: &Fields<'_>,
) -> Result<Arc<katalys_client>, Error> {
    let client = Arc::new(katalys_client::new(language, folder, options)?);
    if client.core.has_outbox() {
        exit::watch(&client);
    }
    Ok(client)
}

/// The shared client of these settings, made now if there is none yet.
pub fn client(
    language: Language,
    folder: WorkingFolder,
    options: &Fields<'_>,
) -> Result<Arc<katalys_client>, Error> {
    let environment = environment();
    let request = Request {
        language,
        folder,
        options,
        environment,
    };
    if let Some(entry) = CLIENTS.load().iter().find(|entry| entry.is_for(&request)) {
        return Ok(entry.take());
    }
    let made = Arc::new(Entry {
        client: new_client(language, folder, options)?,
        language,
        folder,
        options: owned(options),
        environment: request.environment.clone(),
        last_requested: AtomicU64::new(0),
    });
    Ok(insert(&request, &made).take())
}

/// Threads that request the same client at once all receive the first one.
fn insert(request: &Request<'_>, made: &Arc<Entry>) -> Arc<Entry> {
    let mut shared = Arc::clone(made);
    CLIENTS.rcu(|entries| {
        if let Some(earlier) = entries.iter().find(|entry| entry.is_for(request)) {
            shared = Arc::clone(earlier);
            return Arc::clone(entries);
        }
        shared = Arc::clone(made);
        let mut entries = Vec::clone(entries);
        if entries.len() >= CAPACITY {
            let age = |entry: &Arc<Entry>| entry.last_requested.load(Ordering::Relaxed);
            let oldest = (0..entries.len()).min_by_key(|index| age(&entries[*index]));
            entries.swap_remove(oldest.unwrap_or_default());
        }
        entries.push(Arc::clone(made));
        Arc::new(entries)
    });
    shared
}

/// Removes a client that was closed: later requests with its settings make a new one.
pub fn forget(client: &katalys_client) {
    let is_another = |entry: &&Arc<Entry>| !ptr::eq(Arc::as_ptr(&entry.client), client);
    CLIENTS.rcu(|entries| {
        entries
            .iter()
            .filter(is_another)
            .cloned()
            .collect::<Vec<_>>()
    });
}

fn environment() -> Vec<Option<OsString>> {
    let settings = SETTINGS.iter().filter_map(|setting| setting.env);
    let others = ROUTE_VARIABLES.iter().copied().chain([testing::VARIABLE]);
    settings.chain(others).map(std::env::var_os).collect()
}

fn owned(fields: &Fields<'_>) -> Fields<'static> {
    let pairs = fields.iter();
    pairs
        .map(|(key, value)| (key.to_owned(), owned_value(value)))
        .collect()
}

fn owned_value(value: &Value<'_>) -> Value<'static> {
    match value {
        Value::Null => Value::Null,
        Value::Bool(flag) => Value::Bool(*flag),
        Value::Text(text) => Value::from(text.as_ref().to_owned()),
        Value::InvalidText => Value::InvalidText,
        Value::Int(number) => Value::Int(*number),
        Value::Float(number) => Value::Float(*number),
        Value::Decimal(text) => Value::Decimal(text.as_ref().to_owned().into()),
        Value::Time(text) => Value::Time(text.as_ref().to_owned().into()),
        Value::List(items) => Value::List(items.iter().map(owned_value).collect()),
        Value::Map(fields) => Value::Map(owned(fields)),
        Value::Unsupported => Value::Unsupported,
        Value::UnsupportedType(name) => Value::UnsupportedType(name.as_ref().to_owned().into()),
    }
}
