//! Random damage.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Damage {
    Zeros,
    Noise,
    /// A few bytes in the middle of the page.
    Part,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn every_row_of_an_intact_page_is_kept_once(
        updates in 5..160_u64,
        seed in any::<u64>(),
        damaged in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(
            vec![Damage::Zeros, Damage::Noise, Damage::Part])), 0..5),
        cut in prop::option::weighted(0.2, 0.2..1.0_f64),
    ) {
        let mut filled = Filled::fill("property", updates, seed);
        let folder = filled.closed();
        let path = folder.file();
        let (places, pages) = read(&path);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut lost_pages = BTreeSet::new();
        for (which, damage) in &damaged {
            let page = u32::try_from(which.index(pages as usize)).unwrap();
            let noise: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(2048).collect();
            match damage {
                Damage::Zeros => overwrite(&path, u64::from(page) * 2048, &[0; 2048]),
                Damage::Noise => overwrite(&path, u64::from(page) * 2048, &noise),
                Damage::Part => overwrite(&path, u64::from(page) * 2048 + 900, &noise[..64]),
            }
            lost_pages.insert(page + 1);
        }
        if let Some(cut) = cut {
            let length = fs::metadata(&path).unwrap().len();
            #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let kept = (length as f64 * cut) as u64;
            OpenOptions::new().write(true).open(&path).unwrap().set_len(kept).unwrap();
            lost_pages.extend(u32::try_from(kept / 2048).unwrap() + 1..=pages);
        }
        let report = match repair(&path) {
            Ok(report) => report,
            // Nothing is left that identifies the file as an outbox.
            Err(error) => {
                prop_assert_eq!(error.code(), ErrorCode::OutboxForeign);
                prop_assert!(places.values().all(|used| is_lost(used, &lost_pages)));
                return Ok(());
            }
        };
        let kept = payloads(&path);
        for (id, used) in &places {
            if !is_lost(used, &lost_pages) {
                prop_assert_eq!(kept.get(id), Some(&(filled.rows[id], *id)), "{}", report);
            }
        }
        for (id, (state, number)) in &kept {
            prop_assert_eq!(Some(state), filled.rows.get(id), "a row that did not exist");
            prop_assert_eq!(number, id);
        }
        if let Some(lost) = report.lost {
            prop_assert_eq!(lost + kept.len() as u64, filled.rows.len() as u64);
            prop_assert_eq!(report.numbers_continue_at, count(filled.accepted) + 1);
        }
        prop_assert_eq!(report.was_sound, lost_pages.is_empty() || report.damaged_copy.is_none());
        expect_delivered(&path, &report);
        expect_sound(&path);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn every_row_of_an_intact_frame_is_kept_once(
        updates in 5..120_u64,
        seed in any::<u64>(),
        damaged in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 0..4),
        has_index in any::<bool>(),
    ) {
        const FRAME: u64 = 24 + 2048;
        let mut filled = Filled::fill("frames", updates, seed);
        // A damaged last commit may be an unfinished one, so only earlier frames are damaged.
        let length = fs::metadata(with_suffix(&filled.folder.file(), "-wal")).unwrap().len();
        let frames = (length - 32) / FRAME;
        for number in 0..3 {
            filled.append(number, 10);
        }
        let suffixes: &[&str] = if has_index { &["", "-wal", "-shm"] } else { &["", "-wal"] };
        let folder = filled.killed(suffixes);
        let (path, log) = (folder.file(), with_suffix(&folder.file(), "-wal"));
        let (places, _) = read(&path);
        let mut lost = BTreeSet::new();
        for (which, is_header) in &damaged {
            let frame = which.index(usize::try_from(frames).unwrap()) as u64;
            let offset = 32 + frame * FRAME + if *is_header { 8 } else { 1000 };
            overwrite(&log, offset, b"damage by a disk");
            lost.insert(frame);
            // The checksum of the next frame continues the one in the damaged header.
            lost.extend(is_header.then_some(frame + 1));
        }
        let report = repair(&path).unwrap();
        let is_lost = |place: &Place| match place {
            Place::Log(image) => lost.contains(&((image.offset - 24 - 32) / FRAME)),
            Place::Main(_) => false,
        };
        let kept = payloads(&path);
        for (id, used) in &places {
            if !used.iter().any(is_lost) {
                prop_assert_eq!(kept.get(id).map(|(_, number)| number), Some(id), "{}", report);
            }
        }
        prop_assert!(kept.iter().all(|(id, (_, number))| id == number && *id <= filled.accepted));
        if lost.is_empty() {
            prop_assert!(report.was_sound);
        }
        expect_delivered(&path, &report);
        expect_sound(&path);
    }
}

/// Mostly damages bytes with lengths and offsets.
#[test]
fn a_repair_of_any_content_ends_with_a_sound_file_or_an_error() {
    let filled = Filled::fill("mutated", 80, 9);
    let mut random = fastrand::Rng::with_seed(10);
    let mut repaired = 0;
    for _ in 0..60 {
        let folder = filled.killed(&["", "-wal", "-shm"]);
        for _ in 0..random.usize(1..12) {
            let (suffix, unit) = [("", 2048), ("-wal", 2072), ("-shm", 4096)][random.usize(..3)];
            let path = with_suffix(&folder.file(), suffix);
            let length = fs::metadata(&path).unwrap().len();
            let start = random.u64(..length / unit) * unit;
            let at = start
                + if random.bool() {
                    random.u64(..60)
                } else {
                    random.u64(..unit)
                };
            overwrite(
                &path,
                at,
                &[[0, 1, 0x7f, 0x80, 0xff, random.u8(..)][random.usize(..6)]],
            );
        }
        let started = Instant::now();
        match repair(&folder.file()) {
            Ok(report) => {
                repaired += 1;
                let found = inspect(&folder.file()).unwrap();
                assert!(found.is_balanced, "{report}");
                assert_eq!((found.pending, found.dead), (report.pending, report.dead));
                expect_sound(&folder.file());
            }
            Err(error) => assert!(
                matches!(
                    error.code(),
                    ErrorCode::OutboxForeign | ErrorCode::OutboxNewer
                ),
                "{error}"
            ),
        }
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "the repair takes too long"
        );
    }
    assert!(repaired > 45, "{repaired}");
}
