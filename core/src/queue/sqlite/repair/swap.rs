//! Puts the rebuilt content into the outbox's file, so that a kill at any moment loses nothing.
//!
//! The file itself stays: its owner and rights do, and so does a process that is just about to open
//! it. Copies of the damaged files are made first. Then the first page is zeroed, so that nothing can
//! open the file until the last step writes that page; a repair that was killed in between is
//! finished by the next one.

use super::Files;
use crate::error::Error;
use crate::queue::sqlite::fault;
use crate::queue::sqlite::open::with_suffix;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// What is zeroed first and written last: the smallest page.
const FIRST: usize = 512;
const BLOCK: usize = 1 << 20;

/// The names of one repair, which end in the time of its beginning.
pub(super) struct Names {
    /// The new content, which is complete under this name.
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

/// Names of earlier repairs that did not end: of complete new files, and of everything.
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

/// Whether the repair of these names was killed while it wrote the file: the first page is zeroed,
/// the log is empty, and everything else is from before or after that repair.
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

/// Copies the damaged files beside themselves.
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
        checkpoint()?;
    }
    Ok(())
}

/// Copies a file; what the disk does not give any more is zeros in the copy.
fn copy_readable(mut source: &File, target: &Path) -> io::Result<()> {
    let length = length(source)?;
    let mut copy = own(OpenOptions::new().write(true).create_new(true)).open(target)?;
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
fn own(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn own(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Names the new content complete: from here on, the next repair finishes this one.
pub(super) fn make_ready(names: &Names) -> Result<(), Error> {
    let failed = |error: io::Error| fault::file(&names.ready, "cannot be written", &error);
    OpenOptions::new()
        .write(true)
        .open(&names.unfinished)
        .and_then(|file| file.sync_all())
        .map_err(failed)?;
    checkpoint()?;
    fs::rename(&names.unfinished, &names.ready).map_err(failed)?;
    sync_folder(&names.ready).map_err(failed)?;
    checkpoint()
}

/// Creates the main file if it is missing: not valid yet, and locked before it has its name.
pub(super) fn ensure_main(path: &Path, files: &mut Files) -> Result<(), Error> {
    if files.main.is_some() {
        return Ok(());
    }
    let failed = |error: io::Error| fault::file(path, "cannot be made", &error);
    let unnamed = with_suffix(path, ".repair-main");
    let main = own(OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true))
    .open(&unnamed)
    .map_err(failed)?;
    (&main).write_all(&[0; FIRST]).map_err(failed)?;
    main.sync_all().map_err(failed)?;
    if let Some(log) = &files.log {
        give_to_owner_of(&main, log);
    }
    super::lock_main(path, &main)?;
    checkpoint()?;
    fs::rename(&unnamed, path).map_err(failed)?;
    sync_folder(path).map_err(failed)?;
    files.main = Some(main);
    checkpoint()
}

/// As far as the rights of this process go.
#[cfg(unix)]
fn give_to_owner_of(main: &File, log: &File) {
    use std::os::unix::fs::{MetadataExt, fchown};
    if let Ok(metadata) = log.metadata() {
        let _ = fchown(main, Some(metadata.uid()), Some(metadata.gid()));
    }
}

#[cfg(not(unix))]
fn give_to_owner_of(_main: &File, _log: &File) {}

/// Writes the new content over the old.
pub(super) fn replace(path: &Path, files: &Files, ready: &Path) -> Result<(), Error> {
    let Some(main) = &files.main else {
        return Err(Error::internal("a repair without a file"));
    };
    let failed =
        |error: io::Error| fault::file(path, "cannot be written; run the repair again", &error);
    write_over(path, main, files, ready).map_err(|step| match step {
        Step::System(error) => failed(error),
        Step::Stopped(error) => error,
    })?;
    checkpoint()?;
    remove(ready).map_err(failed)?;
    sync_folder(path).map_err(failed)
}

/// Why the file was not written in full.
enum Step {
    System(io::Error),
    Stopped(Error),
}

impl From<io::Error> for Step {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl From<Error> for Step {
    fn from(error: Error) -> Self {
        Self::Stopped(error)
    }
}

fn write_over(path: &Path, mut main: &File, files: &Files, ready: &Path) -> Result<(), Step> {
    let mut source = File::open(ready)?;
    let mut first = [0; FIRST];
    source.read_exact(&mut first)?;
    main.seek(SeekFrom::Start(0))?;
    main.write_all(&[0; FIRST])?;
    main.sync_all()?;
    checkpoint()?;
    if let Some(log) = &files.log {
        log.set_len(0)?;
        log.sync_all()?;
    }
    // SQLite would put what a journal has back into the file.
    remove(&with_suffix(path, "-journal"))?;
    remove(&with_suffix(path, "-shm"))?;
    checkpoint()?;
    main.seek(SeekFrom::Start(FIRST as u64))?;
    let rest = io::copy(&mut source, &mut main)?;
    main.set_len(FIRST as u64 + rest)?;
    main.sync_all()?;
    checkpoint()?;
    main.seek(SeekFrom::Start(0))?;
    main.write_all(&first)?;
    main.sync_all()?;
    Ok(checkpoint()?)
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

/// Where a test ends the repair as a kill would.
#[cfg(not(test))]
#[allow(clippy::unnecessary_wraps, reason = "a test makes it fail")]
fn checkpoint() -> Result<(), Error> {
    Ok(())
}

#[cfg(test)]
thread_local! {
    pub(super) static STEPS_LEFT: std::cell::Cell<u32> = const { std::cell::Cell::new(u32::MAX) };
}

#[cfg(test)]
fn checkpoint() -> Result<(), Error> {
    let left = STEPS_LEFT.get().saturating_sub(1);
    STEPS_LEFT.set(left);
    if left == 0 {
        return Err(Error::internal("killed"));
    }
    Ok(())
}
