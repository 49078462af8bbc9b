//! The tables, and how a database is opened.

use rusqlite::{Connection, OpenFlags};
use std::fs::OpenOptions;
use std::path::Path;

/// `KSBX` identifies a file as a sandbox's.
const APPLICATION: i64 = 0x4b53_4258;

/// An order has one row, and any number of ids. The index `listed` covers every column that a list
/// is filtered by, so that filtering reads the index only.
const TABLES: &str = "
CREATE TABLE orders(
  order_no INTEGER PRIMARY KEY, site_id TEXT NOT NULL, order_id TEXT NOT NULL,
  fields TEXT NOT NULL, status TEXT NOT NULL, sale TEXT, currency TEXT, order_time TEXT,
  placed_ms INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
  last_seq INTEGER NOT NULL, updates INTEGER NOT NULL, ignored INTEGER NOT NULL,
  warnings INTEGER NOT NULL, flagged INTEGER NOT NULL, order_count INTEGER NOT NULL) STRICT;
CREATE INDEX listed ON orders(last_seq, order_id, status, site_id, placed_ms, flagged);
CREATE TABLE ids(
  order_id TEXT NOT NULL, site_id TEXT NOT NULL, order_no INTEGER NOT NULL,
  PRIMARY KEY(order_id, site_id)) STRICT, WITHOUT ROWID;
CREATE INDEX ids_of_order ON ids(order_no);
CREATE TABLE updates(
  seq INTEGER PRIMARY KEY, order_no INTEGER, received_ms INTEGER NOT NULL,
  site_id TEXT, order_id TEXT, payload TEXT NOT NULL, ignored TEXT, warnings TEXT,
  outcome INTEGER NOT NULL, status INTEGER NOT NULL, fault TEXT, refusal TEXT) STRICT;
CREATE INDEX updates_of_order ON updates(order_no, seq) WHERE order_no IS NOT NULL;
CREATE INDEX unrecorded ON updates(outcome) WHERE outcome > 0;
";

/// Opens the file and creates it if it does not exist; without a file, opens a database in memory.
pub fn open(file: Option<&Path>) -> Result<Connection, String> {
    let Some(path) = file else {
        let connection = Connection::open_in_memory().map_err(|error| error.to_string())?;
        return prepare(
            connection,
            "PRAGMA journal_mode=MEMORY; PRAGMA temp_store=MEMORY;",
        );
    };
    make_private(path).map_err(|error| error.to_string())?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| error.to_string())?;
    let settings =
        "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;";
    prepare(connection, settings)
}

/// Orders are customer data: only the owner may read the file.
fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn prepare(connection: Connection, settings: &str) -> Result<Connection, String> {
    let explain = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseBusy) => "another sandbox has it open".to_owned(),
        Some(rusqlite::ErrorCode::NotADatabase) => "is not a sandbox's file".to_owned(),
        _ => error.to_string(),
    };
    let number = |pragma: &str| -> rusqlite::Result<i64> {
        connection.query_row(pragma, [], |row| row.get(0))
    };
    let tables = number("SELECT count(*) FROM sqlite_schema").map_err(explain)?;
    let application = number("PRAGMA application_id").map_err(explain)?;
    if tables > 0 && application != APPLICATION {
        return Err("is not a sandbox's file".into());
    }
    connection.execute_batch(settings).map_err(explain)?;
    if tables == 0 {
        let make = format!("BEGIN; {TABLES} PRAGMA application_id={APPLICATION}; COMMIT;");
        connection.execute_batch(&make).map_err(explain)?;
    }
    Ok(connection)
}
