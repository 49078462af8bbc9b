//! Checks the outbox's file: permissions, version, integrity and counters. Changes nothing.

use super::finding::{Finding, Verdict};
use katalys_core::{ErrorCode, inspect_outbox};
use std::fs;
use std::path::Path;

pub fn check(path: Option<&str>) -> Vec<Finding> {
    let Some(path) = path.map(Path::new) else {
        let found = "none is set; updates that cannot be sent within the timeout are lost";
        return vec![Finding::new("outbox", Verdict::Skipped, found)];
    };
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    if !path.exists() {
        return vec![missing(path, folder)];
    }
    let mut findings = Vec::from_iter(permissions(path));
    findings.extend(writable(path, folder));
    findings.push(content(path));
    findings
}

fn missing(path: &Path, folder: &Path) -> Finding {
    let found = format!("{} does not exist yet", path.display());
    if folder.exists() && !is_writable(folder) {
        let advice = "the folder is not writable for this user, so no update can be stored";
        return Finding::bad("outbox", found, advice);
    }
    Finding::good("outbox", format!("{found}; the first update creates it"))
}

#[cfg(unix)]
fn permissions(path: &Path) -> Option<Finding> {
    use std::os::unix::fs::MetadataExt;
    let mode = fs::metadata(path).ok()?.mode() & 0o777;
    if mode.trailing_zeros() >= 6 {
        return Some(Finding::good(
            "outbox",
            format!("its permissions are {mode:03o}"),
        ));
    }
    let found = format!(
        "its permissions are {mode:03o}: users other than its owner may read customer data"
    );
    let advice = format!("chmod 600 {}", path.display());
    Some(Finding::new("outbox", Verdict::Warning, found).advise(&advice))
}

#[cfg(not(unix))]
fn permissions(_path: &Path) -> Option<Finding> {
    None
}

fn writable(path: &Path, folder: &Path) -> Option<Finding> {
    let is_file_writable = fs::OpenOptions::new().write(true).open(path).is_ok();
    if is_file_writable && is_writable(folder) {
        return None;
    }
    let what = if is_file_writable { folder } else { path };
    let found = format!("{} is not writable for this user", what.display());
    let advice = "run as the owner of the file; the folder must be writable too, for the log beside \
                  the file";
    Some(Finding::bad("outbox", found, advice))
}

#[cfg(unix)]
fn is_writable(folder: &Path) -> bool {
    rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).is_ok()
}

#[cfg(not(unix))]
fn is_writable(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|metadata| !metadata.permissions().readonly())
}

fn content(path: &Path) -> Finding {
    let report = match inspect_outbox(path) {
        Ok(report) => report,
        Err(error) => return Finding::bad("outbox", error.message(), advice(error.code())),
    };
    let found = format!(
        "version {}, {} pending updates, {} dead letters",
        report.version, report.pending, report.dead
    );
    if !report.is_balanced {
        let advice =
            "the counters do not match the content of the file; keep a copy and report this";
        return Finding::bad("outbox", found, advice);
    }
    if report.dead > 0 {
        let advice = format!("katalys outbox {} list dead", path.display());
        return Finding::new("outbox", Verdict::Warning, found).advise(&advice);
    }
    Finding::good("outbox", found)
}

const fn advice(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::OutboxCorrupt => {
            "no update is accepted until it is repaired: stop the processes that use it, then run \
             `katalys outbox FILE repair`"
        }
        ErrorCode::OutboxForeign => "correct the path; the file was not changed",
        ErrorCode::OutboxNewer => "use the newer version of this program that wrote it",
        _ => "check the path and the permissions of the file",
    }
}
