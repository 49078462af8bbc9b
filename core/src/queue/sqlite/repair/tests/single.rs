//! Sound, slightly damaged, foreign and newer files.

use super::*;

#[test]
fn a_sound_file_is_unchanged() {
    let mut filled = Filled::fill("sound", 300, 1);
    for folder in [
        filled.killed(&["", "-wal", "-shm"]),
        filled.killed(&["", "-wal"]),
        filled.closed(),
    ] {
        let (before, bytes) = (names(&folder), fs::read(folder.file()).unwrap());
        let report = repair(&folder.file()).unwrap();
        assert!(report.was_sound, "{report}");
        assert_eq!(report.pending, filled.count(State::Pending));
        assert_eq!(report.dead, filled.count(State::Dead));
        assert_eq!(
            (names(&folder), fs::read(folder.file()).unwrap()),
            (before, bytes)
        );
    }
}

#[test]
fn all_rows_of_a_file_without_its_first_page_are_kept() {
    let mut filled = Filled::fill("first", 200, 2);
    let folder = filled.closed();
    overwrite(&folder.file(), 0, &[0; 2048]);
    let report = repair(&folder.file()).unwrap();
    assert_eq!(report.pending, filled.count(State::Pending));
    assert_eq!(report.dead, filled.count(State::Dead));
    assert_eq!(report.lost, Some(0));
    let copy = report.damaged_copy.clone().unwrap();
    assert!(fs::read(copy).unwrap().starts_with(&[0; 2048]));
    expect_delivered(&folder.file(), &report);
}

#[test]
fn a_wrong_index_or_counter_is_found_and_rebuilt() {
    let mut filled = Filled::fill("index", 60, 3);
    let changes = [
        "UPDATE books SET dead = dead + 1",
        "UPDATE lanes SET head = (SELECT max(id) FROM updates WHERE lane = lanes.lane)",
        "DELETE FROM lanes WHERE lane = 1",
        "UPDATE updates SET next = 1000000 WHERE next IS NULL",
    ];
    let folder = filled.closed();
    for change in changes {
        let copy = Folder::new("copy");
        fs::copy(folder.file(), copy.file()).unwrap();
        Connection::open(copy.file())
            .unwrap()
            .execute_batch(change)
            .unwrap();
        let report = repair(&copy.file()).unwrap();
        assert!(!report.was_sound, "{change}");
        assert_eq!(report.pending, filled.count(State::Pending));
        expect_delivered(&copy.file(), &report);
    }
    let root = Connection::open(folder.file())
        .unwrap()
        .query_row(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'lanes_by_due'",
            [],
            |row| row.get::<_, i64>(0),
        )
        .unwrap();
    overwrite(&folder.file(), (count(root) - 1) * 2048 + 2040, &[0xff; 8]);
    assert!(!repair(&folder.file()).unwrap().was_sound);
    expect_sound(&folder.file());
}

#[test]
fn held_orders_stay_held_and_retries_are_kept() {
    let mut filled = Filled::new("held");
    for number in 0..20 {
        filled.append(number % ORDERS, 10);
    }
    let connection = &filled.store.as_ref().unwrap().connection;
    connection
        .execute_batch(
            "UPDATE lanes SET due = 9223372036854775807 WHERE lane = 0;
                        UPDATE lanes SET failures = 5 WHERE lane = 1;
                        UPDATE books SET bytes = 1",
        )
        .unwrap();
    let folder = filled.closed();
    assert!(!repair(&folder.file()).unwrap().was_sound);
    let connection = Connection::open(folder.file()).unwrap();
    let sql =
        "SELECT group_concat(lane) FROM lanes WHERE due = 9223372036854775807 OR failures = 5";
    let lanes: String = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(lanes, "0,1");
}

#[test]
fn another_file_is_refused_and_unchanged() {
    let folder = Folder::new("foreign");
    let other = folder.0.join("other.db");
    Connection::open(&other)
        .unwrap()
        .execute_batch(
            "CREATE TABLE updates (id INTEGER PRIMARY KEY); INSERT INTO updates VALUES (1)",
        )
        .unwrap();
    let database = fs::read(other).unwrap();
    let mut zeroed = database.clone();
    zeroed[..100].fill(0);
    let mut noise = vec![0; 9000];
    fastrand::Rng::with_seed(4).fill(&mut noise);
    let contents = [
        b"order_id,status\n1,paid\n".to_vec(),
        Vec::new(),
        b"x".to_vec(),
        vec![0; 5000],
        noise,
        database,
        zeroed,
    ];
    for content in contents {
        let mut file = File::create(folder.file()).unwrap();
        file.write_all(&content).unwrap();
        let before = names(&folder);
        let error = repair(&folder.file()).unwrap_err();
        assert_eq!(
            error.code(),
            ErrorCode::OutboxForeign,
            "{} bytes",
            content.len()
        );
        assert_eq!(fs::read(folder.file()).unwrap(), content);
        assert_eq!(names(&folder), before);
    }
    assert_eq!(
        repair(&folder.0).unwrap_err().code(),
        ErrorCode::OutboxForeign
    );
    let missing = folder.0.join("missing.db");
    assert_eq!(
        repair(&missing).unwrap_err().code(),
        ErrorCode::OutboxFailed
    );
    assert!(!missing.exists());
}

#[test]
fn a_newer_or_used_outbox_is_refused() {
    let mut filled = Filled::fill("used", 20, 5);
    let error = repair(&filled.folder.file()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::OutboxFailed);
    assert!(
        error.message().contains("in use by another process"),
        "{error}"
    );
    let folder = filled.closed();
    let connection = Connection::open(folder.file()).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    assert_eq!(
        repair(&folder.file()).unwrap_err().code(),
        ErrorCode::OutboxNewer
    );
}
