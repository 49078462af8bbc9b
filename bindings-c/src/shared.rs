//! The clients of this process by their settings, so that one that is asked for again keeps its
//! connections. PHP needs it: each web request starts from nothing, but the process lives on.

use crate::client::katalys_client;
use arc_swap::ArcSwap;
use katalys_core::config::{ROUTE_VARIABLES, SETTINGS};
use katalys_core::{Error, Fields, Language, Value, testing};
use std::ffi::OsString;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

/// With more settings than this in turn, the client that was asked for longest ago is let go.
const MOST_CLIENTS: usize = 64;

/// Swapped as a whole and never locked, so that a fork cannot leave it locked for ever.
static CLIENTS: LazyLock<ArcSwap<Vec<Arc<Entry>>>> = LazyLock::new(ArcSwap::default);
static CLOCK: AtomicU64 = AtomicU64::new(0);

struct Entry {
    language: Language,
    options: Fields<'static>,
    environment: Vec<Option<OsString>>,
    client: Arc<katalys_client>,
    last_asked_for: AtomicU64,
}

impl Entry {
    fn is_for(&self, wanted: &Wanted<'_>) -> bool {
        self.language == wanted.language
            && self.options == *wanted.options
            && self.environment == wanted.environment
    }

    fn take(&self) -> Arc<katalys_client> {
        let now = CLOCK.fetch_add(1, Ordering::Relaxed);
        self.last_asked_for.store(now, Ordering::Relaxed);
        Arc::clone(&self.client)
    }
}

struct Wanted<'w> {
    language: Language,
    options: &'w Fields<'w>,
    environment: Vec<Option<OsString>>,
}

/// The client of these settings, made now if there is none yet.
pub fn client(language: Language, options: &Fields<'_>) -> Result<Arc<katalys_client>, Error> {
    let environment = environment();
    let wanted = Wanted {
        language,
        options,
        environment,
    };
    if let Some(entry) = CLIENTS.load().iter().find(|entry| entry.is_for(&wanted)) {
        return Ok(entry.take());
    }
    let made = Arc::new(Entry {
        client: katalys_client::make(language, options)?,
        language,
        options: owned(options),
        environment: wanted.environment.clone(),
        last_asked_for: AtomicU64::new(0),
    });
    Ok(insert(&wanted, &made).take())
}

/// Of threads that ask for the same client at once, all get that of the first.
fn insert(wanted: &Wanted<'_>, made: &Arc<Entry>) -> Arc<Entry> {
    let mut kept = Arc::clone(made);
    CLIENTS.rcu(|entries| {
        if let Some(earlier) = entries.iter().find(|entry| entry.is_for(wanted)) {
            kept = Arc::clone(earlier);
            return Arc::clone(entries);
        }
        kept = Arc::clone(made);
        let mut entries = Vec::clone(entries);
        if entries.len() >= MOST_CLIENTS {
            let age = |entry: &Arc<Entry>| entry.last_asked_for.load(Ordering::Relaxed);
            let oldest = (0..entries.len()).min_by_key(|index| age(&entries[*index]));
            entries.swap_remove(oldest.unwrap_or_default());
        }
        entries.push(Arc::clone(made));
        Arc::new(entries)
    });
    kept
}

/// Who asks from now on gets another client than this one, which was closed.
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
