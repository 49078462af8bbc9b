//! How far a backfill has come: a small file beside the input, replaced as a whole and on disk
//! before it counts. A thread writes it, so that sending never waits for the disk.

use crate::failure::Failure;
use crate::input::beside;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A row by its number, from 0, and where it begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub row: u64,
    pub offset: u64,
    pub line: u64,
}

/// Everything that is needed to resume.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// What it belongs to: the file's content and the options.
    pub mark: String,
    /// How many rows there are.
    pub rows: u64,
    /// The first row that is not settled; all before it are.
    pub next: Place,
    /// Rows behind that one which are settled all the same.
    pub settled_beyond: Vec<u64>,
    pub sent: u64,
    pub refused: u64,
    /// How much of the file of refused rows belongs to what is settled.
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
        Self(beside(input, "backfill", Some("json")))
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
            let text = "is not the state of a backfill; --restart starts over";
            Failure::usage(format!("{} {text}", self.0.display()))
        })
    }

    /// Durable when it returns.
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

/// Writes states on a thread of its own, the newest as soon as the one before is on disk.
pub struct Saver {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    work: Mutex<Work>,
    news: Condvar,
}

#[derive(Default)]
struct Work {
    newest: Option<(State, Option<File>)>,
    failure: Option<io::Error>,
    is_over: bool,
}

/// No more often, since each is a write to the disk.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);

impl Saver {
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

    /// Hands over the newest state, and a file that has to be on disk before it.
    pub fn offer(&self, state: State, before: Option<File>) -> io::Result<()> {
        let mut work = self.shared.lock();
        work.newest = Some((state, before));
        self.shared.news.notify_one();
        work.failure.take().map_or(Ok(()), Err)
    }

    /// Returns when the last state is on disk.
    pub fn finish(mut self) -> io::Result<()> {
        self.shared.lock().is_over = true;
        self.shared.news.notify_one();
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
            let mut work = self.lock();
            while !work.is_over && started.elapsed() < SHORTEST_PAUSE {
                let left = SHORTEST_PAUSE.saturating_sub(started.elapsed());
                let waited = self.news.wait_timeout(work, left);
                work = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }

    fn next(&self) -> Option<(State, Option<File>)> {
        let mut work = self.lock();
        loop {
            if let Some(newest) = work.newest.take() {
                return Some(newest);
            }
            if work.is_over {
                return None;
            }
            work = self.news.wait(work).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const SEED: u64 = 0xcbf2_9ce4_8422_2325;

fn mix(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(29) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Tells changed content, not content made to look the same.
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

/// The same of a file's content.
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
