//! Writes the rebuilt content into the file of the outbox, so that a kill at any moment loses nothing.
//!
//! The file itself stays the same, with its owner and permissions, also for a process that is about to
//! open it. The damaged files are copied first. Then the first page is zeroed, so that no process can
//! open the file until the last step writes that page; the next repair finishes one that was killed in
//! between.

use super::files::{Files, lock_main};
use crate::error::Error;
use crate::queue::sqlite::fault;
use crate::queue::sqlite::format::with_suffix;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The size of the part that is zeroed first and written last: the smallest page.
const FIRST: usize = 512;
const BLOCK: usize = 1 << 20;

/// The file names of one repair, which contain the time of its start.
pub(super) struct Names {
    /// The complete new content.
    pub ready: PathBuf,
    /// The new content while it is written.
    pub unfinished: PathBuf,
    /// The copy of the damaged file.
    pub damaged: PathBuf,
}

impl Names {
    pub(super) fn new(path: &Path, time: &str) -> Self {
        let ready = with_suffix(path, &format!(".repair-{time}"));
        Self {
            unfinished: with_suffix(&ready, ".unfinished"),
            ready,
            damaged: with_suffix(path, &format!(".damaged-{time}")),
        }
    }
}

/// Files of earlier repairs that did not finish: the times of complete new files, and all paths.
pub(super) fn leftovers(path: &Path) -> io::Result<(Vec<String>, Vec<PathBuf>)> {
    let (mut ready, mut all) = (Vec::new(), Vec::new());
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok((ready, all));
    };
    let mut prefix = name.to_os_string();
    prefix.push(".repair-");
    let prefix = prefix.to_string_lossy().into_owned();
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(time) = name.strip_prefix(&prefix) else {
            continue;
        };
        all.push(entry.path());
        if time.bytes().all(|byte| byte.is_ascii_digit()) {
            ready.push(time.to_owned());
        }
    }
    Ok((ready, all))
}

/// Whether the repair with these names was killed while it wrote the file: the first page is zeroed, the
/// log is empty, and every other part is from before or after that repair.
pub(super) fn is_interrupted(files: &Files, names: &Names) -> io::Result<bool> {
    let Some(mut main) = files.main.as_ref() else {
        return Ok(false);
    };
    if files.log.as_ref().map_or(Ok(0), length)? > 0 {
        return Ok(false);
    }
    main.seek(SeekFrom::Start(0))?;
    let mut main = BufReader::with_capacity(BLOCK, main);
    let mut sources = Vec::new();
    for path in [&names.ready, &names.damaged] {
        match File::open(path) {
            Ok(file) => sources.push(BufReader::with_capacity(BLOCK, file)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    if next_block(&mut main)? != [0; FIRST] {
        return Ok(false);
    }
    for source in &mut sources {
        next_block(source)?;
    }
    loop {
        let block = next_block(&mut main)?;
        let mut is_known = block.is_empty();
        for source in &mut sources {
            is_known |= next_block(source)? == block;
        }
        if !is_known || block.is_empty() {
            return Ok(is_known);
        }
    }
}

/// The next bytes; fewer at the end of the file.
fn next_block(source: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut block = Vec::with_capacity(FIRST);
    source.take(FIRST as u64).read_to_end(&mut block)?;
    Ok(block)
}

/// Copies the damaged files.
pub(super) fn copy(files: &Files, damaged: &Path) -> Result<(), Error> {
    let sources = [
        ("", &files.main),
        ("-wal", &files.log),
        ("-shm", &files.shared),
        ("-journal", &files.journal),
    ];
    for (suffix, source) in sources {
        let Some(source) = source else { continue };
        let target = with_suffix(damaged, suffix);
        copy_readable(source, &target)
            .map_err(|error| fault::file(&target, "cannot be written", &error))?;
        kill_point()?;
    }
    Ok(())
}

/// Copies a file; unreadable parts are zeros in the copy.
fn copy_readable(mut source: &File, target: &Path) -> io::Result<()> {
    let length = length(source)?;
    let mut copy = private(OpenOptions::new().write(true).create_new(true)).open(target)?;
    let mut block = vec![0; BLOCK];
    let mut offset = 0;
    while offset < length {
        let wanted = usize::try_from(length - offset).unwrap_or(BLOCK).min(BLOCK);
        source.seek(SeekFrom::Start(offset))?;
        if source.read_exact(&mut block[..wanted]).is_err() {
            copy_by_pages(source, offset, &mut block[..wanted]);
        }
        copy.write_all(&block[..wanted])?;
        offset += wanted as u64;
    }
    copy.sync_all()
}

fn copy_by_pages(mut source: &File, offset: u64, block: &mut [u8]) {
    for (number, part) in block.chunks_mut(FIRST).enumerate() {
        part.fill(0);
        let at = offset + (number * FIRST) as u64;
        if source.seek(SeekFrom::Start(at)).is_ok() && source.read_exact(part).is_err() {
            part.fill(0);
        }
    }
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Renames the new content as complete: from here on, the next repair finishes this one.
pub(super) fn make_ready(names: &Names) -> Result<(), Error> {
    let failed = |error: io::Error| fault::file(&names.ready, "cannot be written", &error);
    OpenOptions::new()
        .write(true)
        .open(&names.unfinished)
        .and_then(|file| file.sync_all())
        .map_err(failed)?;
    kill_point()?;
    fs::rename(&names.unfinished, &names.ready).map_err(failed)?;
    sync_folder(&names.ready).map_err(failed)?;
    kill_point()
}

/// Creates the main file if it is missing, invalid and locked before it gets its name.
pub(super) fn ensure_main(path: &Path, files: &mut Files) -> Result<(), Error> {
    if files.main.is_some() {
        return Ok(());
    }
    let failed = |error: io::Error| fault::file(path, "cannot be created", &error);
    let unnamed = with_suffix(path, ".repair-main");
    let main = private(
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true),
    )
    .open(&unnamed)
    .map_err(failed)?;
    (&main).write_all(&[0; FIRST]).map_err(failed)?;
    main.sync_all().map_err(failed)?;
    if let Some(log) = &files.log {
        set_owner_of(&main, log);
    }
    lock_main(path, &main)?;
    kill_point()?;
    fs::rename(&unnamed, path).map_err(failed)?;
    sync_folder(path).map_err(failed)?;
    files.main = Some(main);
    kill_point()
}

/// Changes the owner if this process is allowed to.
#[cfg(unix)]
fn set_owner_of(main: &File, log: &File) {
    use std::os::unix::fs::{MetadataExt, fchown};
    if let Ok(metadata) = log.metadata() {
        let _ = fchown(main, Some(metadata.uid()), Some(metadata.gid()));
    }
}

#[cfg(not(unix))]
fn set_owner_of(_main: &File, _log: &File) {}

/// Overwrites the file with the new content.
pub(super) fn replace(path: &Path, files: &Files, ready: &Path) -> Result<(), Error> {
    let Some(main) = &files.main else {
        return Err(Error::internal("a repair without a file"));
    };
    let failed =
        |error: io::Error| fault::file(path, "cannot be written; run the repair again", &error);
    write_over(path, main, files, ready).map_err(|error| match error {
        WriteError::System(error) => failed(error),
        WriteError::Stopped(error) => error,
    })?;
    kill_point()?;
    remove(ready).map_err(failed)?;
    sync_folder(path).map_err(failed)
}

/// Why the file was not written in full.
enum WriteError {
    System(io::Error),
    Stopped(Error),
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl From<Error> for WriteError {
    fn from(error: Error) -> Self {
        Self::Stopped(error)
    }
}

fn write_over(path: &Path, mut main: &File, files: &Files, ready: &Path) -> Result<(), WriteError> {
    let mut source = File::open(ready)?;
    let mut first = [0; FIRST];
    source.read_exact(&mut first)?;
    main.seek(SeekFrom::Start(0))?;
    main.write_all(&[0; FIRST])?;
    main.sync_all()?;
    kill_point()?;
    if let Some(log) = &files.log {
        log.set_len(0)?;
        log.sync_all()?;
    }
    // SQLite would roll a journal back into the file.
    remove(&with_suffix(path, "-journal"))?;
    remove(&with_suffix(path, "-shm"))?;
    kill_point()?;
    main.seek(SeekFrom::Start(FIRST as u64))?;
    let rest = io::copy(&mut source, &mut main)?;
    main.set_len(FIRST as u64 + rest)?;
    main.sync_all()?;
    kill_point()?;
    main.seek(SeekFrom::Start(0))?;
    main.write_all(&first)?;
    main.sync_all()?;
    Ok(kill_point()?)
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn length(mut file: &File) -> io::Result<u64> {
    file.seek(SeekFrom::End(0))
}

#[cfg(unix)]
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
pub(super) fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// A point at which a test can end the repair, as a kill would.
#[cfg(not(test))]
#[allow(clippy::unnecessary_wraps, reason = "fails in tests")]
fn kill_point() -> Result<(), Error> {
    Ok(())
}

#[cfg(test)]
thread_local! {
    pub(super) static STEPS_LEFT: std::cell::Cell<u32> = const { std::cell::Cell::new(u32::MAX) };
}

#[cfg(test)]
fn kill_point() -> Result<(), Error> {
    let left = STEPS_LEFT.get().saturating_sub(1);
    STEPS_LEFT.set(left);
    if left == 0 {
        return Err(Error::internal("killed"));
    }
    Ok(())
}
