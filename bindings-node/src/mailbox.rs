//! Where the results of calls wait for JavaScript: sending threads put them in, and ring only
//! if it was empty; JavaScript's thread takes all of them out at once.

use crate::report::{Report, json};
use katalys_core::{Error, Receipt};
use napi::bindgen_prelude::{FnArgs, Function};
use napi::threadsafe_function::{
    ThreadsafeCallContext, ThreadsafeFunction, ThreadsafeFunctionCallMode,
};
use napi::{Env, Status, sys};
use std::sync::{Arc, Mutex, PoisonError};

/// What one visit brings: three numbers for each receipt without warnings (the call's number,
/// attempts, seconds), and all other results as JSON.
pub type Delivery = FnArgs<(Vec<f64>, Option<String>)>;

type Outcome = (f64, Result<Receipt, Error>);

/// The mailbox of one JavaScript environment.
pub struct Mailbox {
    results: Arc<Results>,
    bell: Bell,
}

/// Takes no error in place of its arguments, does not by itself keep the process alive, and has
/// no limit: it is rung once per visit, not once per result.
type Bell = ThreadsafeFunction<(), (), Delivery, Status, false, true, 0>;

#[derive(Default)]
struct Results(Mutex<Vec<Outcome>>);

impl Mailbox {
    /// `deliver` is called on JavaScript's thread with everything that has arrived.
    pub fn new(deliver: &Function<'_, Delivery, ()>) -> napi::Result<Self> {
        let results = Arc::<Results>::default();
        let arrived = Arc::clone(&results);
        let bell = deliver
            .build_threadsafe_function::<()>()
            .callee_handled::<false>()
            .weak::<true>()
            .build_callback(move |_: ThreadsafeCallContext<()>| Ok(arrived.take_all()))?;
        Ok(Self { results, bell })
    }

    /// Called by a sending thread. Once the environment is gone the bell is deaf, and the result
    /// goes with the mailbox.
    pub fn put(&self, call: f64, result: Result<Receipt, Error>) {
        if self.results.put((call, result)) {
            self.bell.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// Lets the process live as long as calls are pending, and no longer. Only for JavaScript's
    /// own thread.
    #[allow(
        unsafe_code,
        reason = "napi-rs has no safe call for this that is not deprecated"
    )]
    pub fn keep_process_alive(&self, env: Env, alive: bool) {
        let change = if alive {
            sys::napi_ref_threadsafe_function
        } else {
            sys::napi_unref_threadsafe_function
        };
        self.bell.handle.with_read_aborted(|gone| {
            if !gone {
                // SAFETY: the environment is the current one, and the handle is not released
                // while this lock is held. The only possible status is success.
                unsafe { change(env.raw(), self.bell.handle.get_raw()) };
            }
        });
    }
}

impl Results {
    /// Whether it was empty before.
    fn put(&self, outcome: Outcome) -> bool {
        let mut results = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        results.push(outcome);
        results.len() == 1
    }

    fn take_all(&self) -> Delivery {
        let mut results = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let outcomes = std::mem::take(&mut *results);
        drop(results);
        let mut receipts = Vec::with_capacity(outcomes.len() * 3);
        let mut others = Vec::new();
        for (call, result) in &outcomes {
            match result {
                Ok(receipt) if receipt.warnings.is_empty() => {
                    let attempts = f64::from(receipt.attempts);
                    receipts.extend([*call, attempts, receipt.elapsed.as_secs_f64()]);
                }
                Ok(receipt) => others.push(Report::receipt(*call, receipt)),
                Err(error) => others.push(Report::failure(*call, error)),
            }
        }
        let others = (!others.is_empty()).then(|| json(&others));
        FnArgs::from((receipts, others))
    }
}
