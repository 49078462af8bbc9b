//! The client: the one door that every language's own door leads to.

use crate::config::{Config, Language, WorkingFolder};
use crate::delivery::{Answer, RouteChoice};
use crate::error::Error;
use crate::interrupt;
use crate::order::{self, Call, Checked, Code, Context, Fields, Invalid, Problem, Value};
use crate::pipeline::outbox::{Arrival, Outbox, Then};
use crate::pipeline::{
    Attempts, Engine, Jitter, Job, ObserverPlace, Pool, Step, open_route, problems_of_route,
};
use crate::queue::{Lanes, Pass};
use crate::results::{Receipt, Validation};
use crate::thread;
use arc_swap::ArcSwap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

impl Validation {
    /// Checks an update of any site without a client, for tools that look at what others sent:
    /// times need an offset, and an invalid field is an error.
    ///
    /// ```
    /// use katalys_core::{Call, Fields, Validation};
    /// let fields = Fields::new().set("order_status", "refund");
    /// let found = Validation::of(Call::Update, "abcd.com", &"1001".into(), &fields).problems;
    /// assert_eq!(found[0].code.as_str(), "status_misspelled");
    /// ```
    pub fn of(call: Call, site_id: &str, order_id: &Value<'_>, fields: &Fields<'_>) -> Self {
        let context = Context {
            call,
            site_id,
            zone: None,
            invalid: Invalid::Raise,
        };
        Self::from(order::check(&context, order_id, fields))
    }
}

impl From<Result<Checked, Vec<Problem>>> for Validation {
    fn from(checked: Result<Checked, Vec<Problem>>) -> Self {
        match checked {
            Ok(checked) => Self {
                payload: Some(checked.payload),
                problems: checked.warnings,
            },
            Err(problems) => Self {
                payload: None,
                problems,
            },
        }
    }
}

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
    config: Config,
    process: ArcSwap<Process>,
    observer: ObserverPlace,
    /// A bit per problem code that has been logged.
    logged: AtomicU64,
}

const _: () = assert!(
    Code::ALL.len() <= u64::BITS as usize,
    "`logged` has a bit per code"
);

/// What a client has in one process; a forked child must not touch its parent's, whose locks
/// may be held by threads that the child does not have.
struct Process {
    id: u32,
    engine: Arc<Engine>,
    pool: Pool,
    outbox: Option<Arc<Outbox>>,
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

    /// As [`with_options`](Self::with_options), for a binding that knows what its process is. PHP's
    /// gives [`WorkingFolder::WebServers`] unless `PHP_SAPI` is that of a command line (`cli`,
    /// `phpdbg`, `embed`): a relative path of an outbox would then lie among what is served, and is
    /// refused.
    ///
    /// # Errors
    /// As there.
    pub fn with_options_in(
        folder: WorkingFolder,
        language: Language,
        options: &Fields<'_>,
    ) -> Result<Self, Error> {
        let (config, mut problems) = Config::read(language, options, folder);
        if !problems.is_empty() {
            problems.extend(problems_of_route(&config));
            return Err(Error::all_of(problems));
        }
        let observer = ObserverPlace::default();
        let process = Process::start(&config, &observer)?;
        if let Some(outbox) = &process.outbox {
            outbox.try_out()?;
        }
        Ok(Self {
            config,
            process: ArcSwap::from_pointee(process),
            observer,
            logged: AtomicU64::new(0),
        })
    }

    /// Reports what became of an order and waits until the endpoint has it.
    ///
    /// # Errors
    /// Any [`Error`]; see its kinds.
    pub fn update_order<'v>(
        &self,
        order_id: impl Into<Value<'v>>,
        fields: impl Into<Fields<'v>>,
    ) -> Result<Receipt, Error> {
        self.call(Call::Update, &order_id.into(), &fields.into())
    }

    /// Reports an order as a whole, with the fields the endpoint requires of it, and waits until
    /// the endpoint has it. Without an `order_time`, the time of this call is sent.
    ///
    /// # Errors
    /// Any [`Error`]; see its kinds.
    pub fn report_order<'v>(
        &self,
        order_id: impl Into<Value<'v>>,
        fields: impl Into<Fields<'v>>,
    ) -> Result<Receipt, Error> {
        self.call(Call::Report, &order_id.into(), &fields.into())
    }

    /// Checks what [`update_order`](Self::update_order) would send, and sends nothing.
    ///
    /// ```
    /// # use katalys_core::{Client, Fields};
    /// let client = Client::new("abcd.com")?;
    /// let checked = client.validate_update("1001", Fields::new().set("currency", "eur"));
    /// let payload = br#"{"site_id":"abcd.com","order_id":"1001","currency":"EUR"}"#;
    /// assert_eq!(checked.payload.unwrap(), payload);
    /// # Ok::<(), katalys_core::Error>(())
    /// ```
    pub fn validate_update<'v>(
        &self,
        order_id: impl Into<Value<'v>>,
        fields: impl Into<Fields<'v>>,
    ) -> Validation {
        self.validate(Call::Update, &order_id.into(), &fields.into())
    }

    /// Checks what [`report_order`](Self::report_order) would send, and sends nothing.
    pub fn validate_report<'v>(
        &self,
        order_id: impl Into<Value<'v>>,
        fields: impl Into<Fields<'v>>,
    ) -> Validation {
        self.validate(Call::Report, &order_id.into(), &fields.into())
    }

    /// The same check, for bindings.
    pub fn validate(&self, call: Call, order_id: &Value<'_>, fields: &Fields<'_>) -> Validation {
        order::check(&self.context(call), order_id, fields).into()
    }

    /// The first half of a call, for bindings: everything that looks at the caller's values.
    ///
    /// # Errors
    /// `ValidationError` with every problem.
    pub fn prepare(
        &self,
        call: Call,
        order_id: &Value<'_>,
        fields: &Fields<'_>,
    ) -> Result<Checked, Error> {
        order::check(&self.context(call), order_id, fields).map_err(Error::validation)
    }

    /// The second half of a waiting call: sends on this thread, after the earlier updates of the
    /// same order.
    ///
    /// # Errors
    /// `RejectedError`, `TransportError` or `TimeoutError`.
    pub fn send(&self, update: Checked) -> Result<Receipt, Error> {
        let mut attempts = Attempts::within(self.config.timeout);
        let process = self.process()?;
        if let Some(outbox) = &process.outbox {
            return outbox.deliver(update, &attempts);
        }
        let next = |job| process.pool.run(job);
        let turn = process
            .engine
            .lanes
            .enter(update.lane, attempts.deadline, &next);
        let Some(turn) = turn else {
            return Err(attempts.out_of_time());
        };
        let Engine {
            transport, jitter, ..
        } = &*process.engine;
        loop {
            let step = attempts.attempt(transport, &update.payload, jitter);
            if let Some(rest) = interrupt::take_rest() {
                process.finish_later(turn, update.lane, rest);
                return Err(attempts.out_of_time());
            }
            match step {
                Step::Received => return Ok(attempts.receipt(update.warnings)),
                Step::Failed(error) => return Err(error),
                Step::Again(wait) if interrupt::sleep(wait) => {}
                Step::Again(_) => return Err(attempts.out_of_time()),
            }
        }
    }

    /// The second half of a call that does not wait, for bindings: sends on a thread of the
    /// client's own, and calls `complete` there with the result.
    ///
    /// # Errors
    /// `ConfigError` if after a fork a file of the settings can no longer be read.
    pub fn submit(
        &self,
        update: Checked,
        complete: impl FnOnce(Result<Receipt, Error>) + Send + 'static,
    ) -> Result<Submission, Error> {
        let process = self.process()?;
        let cancelled = Arc::new(AtomicBool::new(false));
        let submission = Submission {
            cancelled: Arc::clone(&cancelled),
        };
        let lane = update.lane;
        let attempts = Attempts::within(self.config.timeout);
        let complete = Box::new(complete);
        if let Some(outbox) = &process.outbox {
            let then = Then::Delivered {
                attempts,
                cancelled,
                complete,
            };
            Outbox::accept_soon(outbox, Arrival { update, then })?;
            return Ok(submission);
        }
        let job = Job {
            update,
            attempts,
            cancelled,
            complete,
        };
        if let Some(job) = process.engine.lanes.enter_job(lane, job) {
            process.pool.run(job);
        }
        Ok(submission)
    }

    /// Those of the warnings whose code this client has not logged yet: a log gets each code
    /// once, a receipt gets them all.
    pub fn unlogged<'p>(&self, warnings: &'p [Problem]) -> impl Iterator<Item = &'p Problem> {
        warnings.iter().filter(|warning| {
            let bit = 1_u64 << (warning.code as u8);
            self.logged.fetch_or(bit, Ordering::Relaxed) & bit == 0
        })
    }

    /// The way that updates take: endpoint, proxy, trust.
    ///
    /// # Errors
    /// `ConfigError` if after a fork a file of the settings can no longer be read.
    pub fn route(&self) -> Result<RouteChoice, Error> {
        Ok(self.process()?.engine.transport.route())
    }

    /// Asks the endpoint whether it is there, over a connection made as for an update. Sends no
    /// order, and tries once, for as long as the client's `timeout` at most.
    ///
    /// # Errors
    /// `TransportError` or `TimeoutError`, as a call would have it.
    pub fn probe(&self) -> Result<Answer, Error> {
        let deadline = Instant::now() + self.config.timeout;
        let answer = self.process()?.engine.transport.probe(deadline);
        answer.map_err(|failure| Error::new(failure.code, failure.reason))
    }

    fn call(
        &self,
        call: Call,
        order_id: &Value<'_>,
        fields: &Fields<'_>,
    ) -> Result<Receipt, Error> {
        let update = self.prepare(call, order_id, fields)?;
        for warning in self.unlogged(&update.warnings) {
            log::warn!(target: "katalys", "{warning}");
        }
        self.send(update)
    }

    fn context(&self, call: Call) -> Context<'_> {
        Context {
            call,
            site_id: &self.config.site_id,
            zone: self.config.timezone.as_ref(),
            invalid: self.config.invalid,
        }
    }

    /// What belongs to this process; after a fork, made anew. The parent's is left as it is: its
    /// destructor would need locks, and would end connections that the parent still uses.
    fn process(&self) -> Result<Arc<Process>, Error> {
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

/// What is in the outbox stays there for another client. A forked child leaves alone what it has of its parent: locks that may be held for ever, and
/// connections that the parent still uses.
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
    /// Keeps a lane until an answer that no caller waits for any more has come.
    fn finish_later(self: &Arc<Self>, turn: Pass<'_, Job>, lane: u64, rest: interrupt::Rest) {
        let own = Arc::clone(self);
        let finish = move || {
            rest();
            if let Some(job) = own.engine.lanes.leave(lane) {
                own.pool.run(job);
            }
        };
        if thread::spawn("katalys-finish", finish).is_ok() {
            std::mem::forget(turn); // The thread leaves the lane.
        }
    }

    fn start(config: &Config, observer: &ObserverPlace) -> Result<Self, Error> {
        let engine = Arc::new(Engine {
            transport: open_route(config)?,
            lanes: Lanes::new(),
            jitter: Jitter::new(),
        });
        let outbox = Outbox::configured(config, &engine, observer)?.map(Arc::new);
        let pool = Pool::new(Arc::clone(&engine), config.workers);
        Ok(Self {
            id: std::process::id(),
            engine,
            pool,
            outbox,
        })
    }
}

mod outbox;

/// A call that runs in the background.
#[derive(Clone, Debug)]
pub struct Submission {
    cancelled: Arc<AtomicBool>,
}

impl Submission {
    /// Gives the call up: if no request has been made yet, none will be; one that is under way
    /// runs to its end, and no further one follows. The completion is called all the same.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}
