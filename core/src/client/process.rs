//! A client, and the part of it that belongs to one process.

use crate::config::{Config, Language, WorkingFolder};
use crate::error::Error;
use crate::order::{Call, Code, Context, Fields};
use crate::pipeline::{Direct, Link, ObserverSlot, Outbox};
use arc_swap::ArcSwap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// Reports orders of one site. Cheap to keep, made to be shared between threads, and good
/// across `fork`: the child opens its own connections on its first call.
///
/// ```no_run
/// use katalys_core::{Client, Fields};
/// # fn main() -> Result<(), katalys_core::Error> {
/// let client = Client::new("abcd.com")?;
/// let receipt = client.update_order("1001", Fields::new().set("order_status", "paid"))?;
/// println!("received after {} attempt(s)", receipt.attempts);
/// # Ok(())
/// # }
/// ```
pub struct Client {
    pub(super) config: Config,
    pub(super) process: ArcSwap<Process>,
    pub(super) observer: Arc<ObserverSlot>,
    /// A bit per problem code that was logged.
    pub(super) logged: AtomicU64,
}

const _: () = assert!(
    Code::ALL.len() <= u64::BITS as usize,
    "`logged` has a bit per code"
);

/// The part of a client that belongs to one process. A forked child must not use its parent's, whose
/// locks may be held by threads that the child does not have.
pub(super) struct Process {
    pub id: u32,
    pub link: Arc<Link>,
    pub direct: Direct,
    pub outbox: Option<Arc<Outbox>>,
}

impl Client {
    /// A client for one site, with all other settings from the environment or their defaults.
    ///
    /// # Errors
    /// `ConfigError` if the environment holds a setting that cannot be used.
    pub fn new(site_id: &str) -> Result<Self, Error> {
        Self::with_options(Language::Rust, &Fields::new().set("site_id", site_id))
    }

    /// A client from settings by name, as in [`SETTINGS`](crate::config::SETTINGS).
    ///
    /// ```
    /// use katalys_core::{Client, Fields, Language};
    /// let options = Fields::new().set("site_id", "abcd.com").set("timeout", 2.5);
    /// let client = Client::with_options(Language::Rust, &options)?;
    /// # Ok::<(), katalys_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `ConfigError` that names every setting which cannot be used, and says how to fix it.
    pub fn with_options(language: Language, options: &Fields<'_>) -> Result<Self, Error> {
        Self::with_options_in(WorkingFolder::Callers, language, options)
    }

    /// As [`with_options`](Self::with_options), for a binding that knows who chose the working
    /// folder. The PHP binding passes [`WorkingFolder::WebServers`] unless `PHP_SAPI` is that of a
    /// command line (`cli`, `phpdbg`, `embed`). A relative path of an outbox is then refused, since
    /// the web server might publish the file.
    ///
    /// # Errors
    /// As for [`with_options`](Self::with_options).
    pub fn with_options_in(
        folder: WorkingFolder,
        language: Language,
        options: &Fields<'_>,
    ) -> Result<Self, Error> {
        let (config, mut problems) = Config::read(language, options, folder);
        if !problems.is_empty() {
            problems.extend(Link::problems(&config));
            return Err(Error::all_of(problems));
        }
        let observer = Arc::default();
        let process = Process::start(&config, &observer)?;
        if let Some(outbox) = &process.outbox {
            outbox.try_open()?;
        }
        Ok(Self {
            config,
            process: ArcSwap::from_pointee(process),
            observer,
            logged: AtomicU64::new(0),
        })
    }

    pub(super) fn context(&self, call: Call) -> Context<'_> {
        Context {
            call,
            site_id: &self.config.site_id,
            zone: self.config.timezone.as_ref(),
            invalid: self.config.invalid,
        }
    }

    /// The part of this process; after a fork, a new one. The parent's is leaked: its destructor would
    /// need locks, and would close connections that the parent still uses.
    pub(super) fn process(&self) -> Result<Arc<Process>, Error> {
        let current = self.process.load();
        if current.id == std::process::id() {
            return Ok(Arc::clone(&current));
        }
        let own = Arc::new(Process::start(&self.config, &self.observer)?);
        let earlier = self.process.compare_and_swap(&current, Arc::clone(&own));
        if Arc::ptr_eq(&earlier, &current) {
            std::mem::forget(Arc::clone(&earlier));
            return Ok(own);
        }
        Ok(Arc::clone(&earlier)) // Another thread of this process was first.
    }
}

/// Pending updates stay in the outbox for another client. A forked child does not touch the part of
/// its parent: its locks may be held forever, and the parent still uses its connections.
impl Drop for Client {
    fn drop(&mut self) {
        let process = self.process.load_full();
        if process.id != std::process::id() {
            std::mem::forget(process);
        } else if let Some(outbox) = &process.outbox {
            outbox.stop();
        }
    }
}

/// Shows no setting: some hold passwords.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.config.site_id)
    }
}

impl Process {
    fn start(config: &Config, observer: &Arc<ObserverSlot>) -> Result<Self, Error> {
        let link = Arc::new(Link::new(config)?);
        let outbox = Outbox::configured(config, &link, observer)?;
        Ok(Self {
            id: std::process::id(),
            direct: Direct::new(&link, config.workers),
            outbox: outbox.map(Arc::new),
            link,
        })
    }
}
