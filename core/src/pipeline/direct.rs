//! Delivery without an outbox: on the caller's thread, or on background threads. Both share the
//! lanes, so that an update never overtakes an earlier one of its order.

use super::attempt::Attempt;
use super::call::CallProgress;
use super::link::Link;
use super::workers::{Job, Workers};
use crate::error::Error;
use crate::interrupt::{self, Rest};
use crate::order::Checked;
use crate::queue::{Lanes, Pass};
use crate::results::Receipt;
use crate::thread;
use std::sync::Arc;

/// Sends updates of one client in one process without an outbox.
pub(crate) struct Direct {
    link: Arc<Link>,
    lanes: Arc<Lanes<Job>>,
    workers: Workers,
}

impl Direct {
    pub(crate) fn new(link: &Arc<Link>, max_threads: usize) -> Self {
        let lanes = Arc::new(Lanes::new());
        Self {
            workers: Workers::new(Arc::clone(link), Arc::clone(&lanes), max_threads),
            link: Arc::clone(link),
            lanes,
        }
    }

    /// Sends an update on this thread, after the earlier updates of the same order.
    ///
    /// # Errors
    /// `RejectedError`, `TransportError` or `TimeoutError`.
    pub(crate) fn send(&self, update: Checked, mut call: CallProgress) -> Result<Receipt, Error> {
        let next = |job| self.workers.run(job);
        let Some(pass) = self.lanes.enter(update.lane, call.deadline, &next) else {
            return Err(call.out_of_time());
        };
        loop {
            let attempt = call.attempt(&self.link, &update.payload);
            if let Some(rest) = interrupt::take_rest() {
                self.finish_later(pass, update.lane, rest);
                return Err(call.out_of_time());
            }
            match attempt {
                Attempt::Delivered => return Ok(call.receipt(update.warnings)),
                Attempt::Failed(error) => return Err(error),
                Attempt::Retry(wait, _) if interrupt::sleep(wait) => {}
                Attempt::Retry(..) => return Err(call.out_of_time()),
            }
        }
    }

    /// Sends an update on a background thread, after the earlier updates of the same order.
    pub(crate) fn submit(&self, job: Job) {
        if let Some(job) = self.lanes.enter_job(job.update.lane, job) {
            self.workers.run(job);
        }
    }

    /// Keeps the lane occupied until the answer to an interrupted call has arrived, on a thread of
    /// its own.
    fn finish_later(&self, pass: Pass<'_, Job>, lane: u64, rest: Rest) {
        let (lanes, workers) = (Arc::clone(&self.lanes), self.workers.handle());
        let finish = move || {
            rest();
            if let Some(job) = lanes.leave(lane) {
                workers.run(job);
            }
        };
        if thread::spawn("katalys-finish", finish).is_ok() {
            std::mem::forget(pass); // The thread leaves the lane.
        }
    }
}
