//! The progress of a backfill, in a small file beside the input. The file is replaced atomically and
//! synced. A thread writes it, so that sending never waits for the disk.

use crate::failure::Failure;
use crate::input::sibling;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A row's number, from 0, and where it begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowPosition {
    pub row: u64,
    pub offset: u64,
    pub line: u64,
}

/// Everything that a backfill needs to resume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Identifies the file's content and the options that the state belongs to.
    pub mark: String,
    /// The number of rows of the file.
    pub rows: u64,
    /// The first unsettled row.
    pub next: RowPosition,
    /// Settled rows after `next`.
    pub settled_beyond: Vec<u64>,
    pub sent: u64,
    pub refused: u64,
    /// The length of the file of refused rows, as far as its rows are settled.
    pub refused_bytes: u64,
    pub finished: bool,
}

impl State {
    pub fn new(mark: String) -> Self {
        Self {
            mark,
            ..Self::default()
        }
    }
}

/// The file of a state.
pub struct StateFile(PathBuf);

impl StateFile {
    pub fn of(input: &Path) -> Self {
        Self(sibling(input, "backfill", Some("json")))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn read(&self) -> Result<Option<State>, Failure> {
        let text = match fs::read(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| Failure::file(&self.0, &error))?,
        };
        let state = serde_json::from_slice(&text);
        state.map(Some).map_err(|_| {
            let text = "is not the state of a backfill; use --restart to start over";
            Failure::usage(format!("{} {text}", self.0.display()))
        })
    }

    /// Writes the state; it is durable when this returns.
    pub fn write(&self, state: &State) -> io::Result<()> {
        let fresh = self.0.with_extension("json.new");
        let mut file = File::create(&fresh)?;
        file.write_all(&serde_json::to_vec(state)?)?;
        file.sync_data()?;
        fs::rename(&fresh, &self.0)?;
        let folder = self
            .0
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_data()
    }
}

/// Writes states on a thread: the newest, as soon as the previous one is on disk.
pub struct StateWriter {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    pending: Mutex<Pending>,
    changed: Condvar,
}

#[derive(Default)]
struct Pending {
    newest: Option<(State, Option<File>)>,
    failure: Option<io::Error>,
    is_closed: bool,
}

/// Minimum time between two writes, since each one syncs the disk.
const MIN_INTERVAL: Duration = Duration::from_millis(20);

impl StateWriter {
    pub fn start(path: &Path) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (own, file) = (Arc::clone(&shared), StateFile(path.to_owned()));
        let thread = thread::Builder::new()
            .name("katalys-state".into())
            .spawn(move || own.run(&file))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Hands over the newest state, and a file that must be synced before it.
    pub fn write_later(&self, state: State, before: Option<File>) -> io::Result<()> {
        let mut pending = self.shared.lock();
        pending.newest = Some((state, before));
        self.shared.changed.notify_one();
        pending.failure.take().map_or(Ok(()), Err)
    }

    /// Waits until the last state is on disk.
    pub fn finish(mut self) -> io::Result<()> {
        self.shared.lock().is_closed = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.shared.lock().failure.take().map_or(Ok(()), Err)
    }
}

impl Shared {
    fn run(&self, file: &StateFile) {
        while let Some((state, before)) = self.next() {
            let started = Instant::now();
            let before = before.map_or(Ok(()), |before| before.sync_data());
            if let Err(error) = before.and_then(|()| file.write(&state)) {
                self.lock().failure = Some(error);
            }
            let mut pending = self.lock();
            while !pending.is_closed && started.elapsed() < MIN_INTERVAL {
                let left = MIN_INTERVAL.saturating_sub(started.elapsed());
                let waited = self.changed.wait_timeout(pending, left);
                pending = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }

    fn next(&self) -> Option<(State, Option<File>)> {
        let mut pending = self.lock();
        loop {
            if let Some(newest) = pending.newest.take() {
                return Some(newest);
            }
            if pending.is_closed {
                return None;
            }
            pending = self
                .changed
                .wait(pending)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const SEED: u64 = 0xcbf2_9ce4_8422_2325;

fn mix(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(29) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Detects changed content; not collision-resistant against an attacker.
pub fn hash(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let hash = words
        .iter()
        .fold(SEED, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let hash = rest
        .iter()
        .fold(hash, |hash, byte| mix(hash, u64::from(*byte) + 1));
    mix(hash, bytes.len() as u64)
}

/// The hash of a file's content.
pub fn fingerprint(path: &Path) -> io::Result<u64> {
    const PIECE: usize = 256 * 1024;
    let mut file = File::open(path)?;
    let mut piece = vec![0; PIECE];
    let mut sum = SEED;
    loop {
        let mut filled = 0;
        while filled < PIECE {
            match file.read(&mut piece[filled..])? {
                0 => break,
                size => filled += size,
            }
        }
        sum = mix(sum, hash(&piece[..filled]));
        if filled < PIECE {
            return Ok(sum);
        }
    }
}
