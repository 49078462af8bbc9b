//! Containment for test runs: while it is on, no update leaves this machine, and outboxes are opened
//! only in the folders of the tests.
//!
//! The test helpers of every language turn it on while tests run: by the variable [`VARIABLE`], which
//! child processes inherit, or by [`contain`] if the runtime gives tests a copy of the environment. A
//! contained client whose endpoint is on another host sends to `KATALYS_ENDPOINT` instead; without
//! it, the call fails. The variable is read again for each connection, so that a client which was made
//! before the sandbox started reports to it as well.

use crate::address::is_loopback;
use arc_swap::ArcSwapOption;
use http::Uri;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Turns containment on. Its value is one or more folders, separated as in `PATH`: outboxes in any
/// of them are used as given, every other one is replaced by a file in the first.
pub const VARIABLE: &str = "KATALYS_TEST_DIR";
const ENDPOINT_VARIABLE: &str = "KATALYS_ENDPOINT";

struct Containment {
    folders: Vec<PathBuf>,
    endpoint: Option<String>,
}

/// What a binding gave to [`contain`]; overrides the environment.
static ASKED: ArcSwapOption<Containment> = ArcSwapOption::const_empty();
/// The result of the last [`look`]: requests over an open connection do not read the environment.
static IS_ON: AtomicBool = AtomicBool::new(false);

/// Contains every client of this process, those made earlier included, for the rest of its life.
/// Outboxes go into `folder`, which has to exist, and updates to `endpoint`. A later call replaces an earlier one.
pub fn contain(folder: impl Into<PathBuf>, endpoint: Option<&str>) {
    ASKED.store(Some(Arc::new(Containment {
        folders: vec![folder.into()],
        endpoint: endpoint.map(str::to_owned),
    })));
    IS_ON.store(true, Ordering::Relaxed);
}

/// Finds out whether containment is on. Called before a connection is opened.
pub(crate) fn look() -> bool {
    let is_on = current().is_some();
    IS_ON.store(is_on, Ordering::Relaxed);
    is_on
}

pub(crate) fn is_on() -> bool {
    IS_ON.load(Ordering::Relaxed)
}

/// Where a contained update for another host is sent instead; an error says why it cannot be sent.
/// `None` if containment is off.
pub(crate) fn stand_in(endpoint: &Uri) -> Option<Result<Uri, String>> {
    let given = current()?.endpoint.clone();
    let local = given.and_then(|url| url.parse().ok()).filter(is_local);
    Some(local.ok_or_else(|| {
        let host = endpoint.host().unwrap_or_default();
        format!(
            "tests must not reach {host}; use the sandbox of the test helpers, or give the client \
             an endpoint on this machine"
        )
    }))
}

/// The file that a contained client uses for an outbox.
pub(crate) fn outbox(path: PathBuf) -> PathBuf {
    let Some(containment) = current() else {
        return path;
    };
    let folders = &containment.folders;
    match folders.first() {
        Some(first) if !folders.iter().any(|folder| path.starts_with(folder)) => {
            first.join(replacement_name(&path))
        }
        _ => path,
    }
}

/// Whether the endpoint is on this machine.
pub(crate) fn is_local(endpoint: &Uri) -> bool {
    endpoint.host().is_some_and(is_loopback)
}

fn current() -> Option<Arc<Containment>> {
    ASKED
        .load_full()
        .or_else(|| from_environment().map(Arc::new))
}

fn from_environment() -> Option<Containment> {
    let folders = std::env::var_os(VARIABLE).filter(|folders| !folders.is_empty())?;
    Some(Containment {
        folders: std::env::split_paths(&folders).collect(),
        endpoint: std::env::var(ENDPOINT_VARIABLE).ok(),
    })
}

/// The same in every process of a test run, so that they share an outbox as in production.
fn replacement_name(path: &Path) -> String {
    const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const FNV_PRIME: u64 = 0x0100_0000_01b3;
    let bytes = path.as_os_str().as_encoded_bytes();
    let hash = bytes.iter().fold(FNV_OFFSET, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME)
    });
    format!("katalys-{hash:016x}.db")
}
