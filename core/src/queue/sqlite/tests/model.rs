//! The store against a simple model, with failures between any two pieces of work.

use super::*;
use crate::queue::sqlite::format::with_suffix;
use crate::queue::store::{CLOSED, StageNumber};
use crate::results::Stats;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Action {
    Append(LaneId, StageNumber),
    Claim(Owner, usize),
    /// Settles one of the claims with this ending.
    Settle(prop::sample::Index, Ending),
    Replay(prop::sample::Index),
    Discard(prop::sample::Index),
    /// Closes the connection and opens another.
    Reopen,
    /// The process is killed within a transaction, after this number of steps of `SQLite`.
    Crash(LaneId, i32),
}

#[derive(Clone, Copy, Debug)]
enum Ending {
    Delivered,
    Retried,
    Released,
    Rejected,
    RejectedAndHeld,
}

fn action() -> impl Strategy<Value = Action> {
    use Ending::{Delivered, Rejected, RejectedAndHeld, Released, Retried};
    let ending = prop::sample::select(vec![
        Delivered,
        Delivered,
        Delivered,
        Retried,
        Released,
        Rejected,
        RejectedAndHeld,
    ]);
    prop_oneof![
        6 => (1..6_i64, 0..=CLOSED).prop_map(|(lane, stage)| Action::Append(lane, stage)),
        4 => (1..3_i64, 1..4_usize).prop_map(|(owner, most)| Action::Claim(owner, most)),
        6 => (any::<prop::sample::Index>(), ending).prop_map(|(which, how)| Action::Settle(which, how)),
        1 => any::<prop::sample::Index>().prop_map(Action::Replay),
        1 => any::<prop::sample::Index>().prop_map(Action::Discard),
        1 => Just(Action::Reopen),
        1 => (1..6_i64, 1..250).prop_map(|(lane, steps)| Action::Crash(lane, steps)),
    ]
}

/// The expected state: per lane, its ids in order, and whether it is leased or held.
#[derive(Default)]
struct Model {
    lanes: BTreeMap<LaneId, Vec<UpdateId>>,
    leased: Vec<(Claim, Owner)>,
    held: std::collections::BTreeSet<LaneId>,
    dead: BTreeMap<UpdateId, LaneId>,
    stages: BTreeMap<UpdateId, StageNumber>,
    stats: Stats,
}

impl Model {
    fn is_leased(&self, lane: LaneId) -> bool {
        self.leased.iter().any(|(claim, _)| claim.lane == lane)
    }

    fn eligible(&self) -> Vec<LaneId> {
        let lanes = self.lanes.iter().filter(|(_, ids)| !ids.is_empty());
        let free = lanes.filter(|(lane, _)| !self.is_leased(**lane) && !self.held.contains(lane));
        free.map(|(lane, _)| *lane).collect()
    }

    fn has_later_stage(&self, lane: LaneId, stage: StageNumber) -> bool {
        let pending = self.lanes.get(&lane).into_iter().flatten();
        let latest = pending.map(|id| self.stages[id]).max();
        stage > 0 && latest.is_some_and(|latest| latest > stage)
    }

    fn replay(&mut self, id: UpdateId) {
        let lane = self.dead.remove(&id).expect("dead");
        let first = usize::from(self.is_leased(lane));
        let ids = self.lanes.entry(lane).or_default();
        let place = ids.iter().skip(first).filter(|other| **other < id).count() + first;
        ids.insert(place.min(ids.len()), id);
        self.held.remove(&lane);
        self.stats.dead -= 1;
        self.stats.pending += 1;
    }

    fn end(&mut self, which: usize, how: Ending) {
        let (claim, _) = self.leased.remove(which);
        if matches!(how, Ending::Retried | Ending::Released) {
            return;
        }
        let id = self.lanes.get_mut(&claim.lane).expect("a lane").remove(0);
        assert_eq!(id, claim.id);
        self.stats.pending -= 1;
        if matches!(how, Ending::Delivered) {
            self.stats.delivered += 1;
        } else {
            self.stats.dead += 1;
            self.dead.insert(id, claim.lane);
        }
        if matches!(how, Ending::RejectedAndHeld) {
            self.held.insert(claim.lane);
        }
    }
}

fn verdict(ending: Ending) -> Verdict {
    match ending {
        Ending::Delivered => Verdict::Delivered,
        Ending::Retried => Verdict::Retry(Duration::ZERO),
        Ending::Released => Verdict::Released,
        Ending::Rejected => Verdict::Rejected {
            cause: refused(),
            hold: false,
        },
        Ending::RejectedAndHeld => Verdict::Rejected {
            cause: refused(),
            hold: true,
        },
    }
}

fn perform(store: &mut SqliteStore, folder: &mut Folder, model: &mut Model, action: &Action) {
    match action {
        Action::Append(lane, stage) => {
            let update = Append {
                lane: *lane,
                payload: format!("of lane {lane}").into_bytes(),
                stage: *stage,
            };
            let Effect::Appended { id, stale, .. } = one(store, Work::Append(update)) else {
                panic!("another effect");
            };
            assert_eq!(
                stale,
                model.has_later_stage(*lane, *stage),
                "a later stage is pending"
            );
            model.stages.insert(id, *stage);
            model.lanes.entry(*lane).or_default().push(id);
            model.stats.accepted += 1;
            model.stats.pending += 1;
        }
        Action::Claim(owner, most) => {
            let claims = claim(store, *owner, *most, HOUR);
            let eligible = model.eligible();
            assert_eq!(claims.len(), eligible.len().min(*most));
            for claim in claims {
                assert!(eligible.contains(&claim.lane));
                assert_eq!(
                    claim.id, model.lanes[&claim.lane][0],
                    "the oldest goes first"
                );
                model.leased.push((claim, *owner));
            }
        }
        Action::Settle(which, how) if !model.leased.is_empty() => {
            let which = which.index(model.leased.len());
            let (claim, owner) = model.leased[which].clone();
            assert!(
                !settle(store, &claim, owner + 10, verdict(*how)),
                "another owner settles nothing"
            );
            assert!(settle(store, &claim, owner, verdict(*how)));
            model.end(which, *how);
        }
        Action::Replay(which) if !model.dead.is_empty() => {
            let id = *model
                .dead
                .keys()
                .nth(which.index(model.dead.len()))
                .unwrap();
            assert!(matches!(one(store, Work::Replay(id)), Effect::Found(true)));
            model.replay(id);
        }
        Action::Discard(which) if !model.dead.is_empty() => {
            let id = *model
                .dead
                .keys()
                .nth(which.index(model.dead.len()))
                .unwrap();
            assert!(matches!(
                one(store, Work::Discard(id)),
                Effect::Discarded(_)
            ));
            let lane = model.dead.remove(&id).unwrap();
            model.held.remove(&lane);
            model.stats.dead -= 1;
            model.stats.discarded += 1;
        }
        Action::Reopen => *store = open(folder),
        Action::Crash(lane, steps) => crash(store, folder, *lane, *steps),
        _ => {}
    }
}

/// Continues with the files that a process leaves if it is killed at this step. The transaction fails in
/// its last statement at the latest.
fn crash(store: &mut SqliteStore, folder: &mut Folder, lane: LaneId, steps: i32) {
    let update = Append {
        lane,
        payload: vec![1],
        stage: 0,
    };
    let left = Folder::new("left");
    let (from, to) = (folder.file(), left.file());
    let kill = move || {
        for suffix in ["", "-wal"] {
            let copied = std::fs::copy(with_suffix(&from, suffix), with_suffix(&to, suffix));
            copied.expect("copied");
        }
        true
    };
    let connection = &mut store.connection;
    connection
        .execute_batch(
            "CREATE TEMP TRIGGER fail BEFORE UPDATE ON main.books
             BEGIN SELECT RAISE(ABORT, 'fail'); END",
        )
        .unwrap();
    connection.progress_handler(steps, Some(kill)).unwrap();
    let work = [Work::Append(update), claim_order(1, 3, HOUR)];
    assert!(store.commit(&work).is_err());
    let connection = &mut store.connection;
    connection
        .progress_handler(0, None::<fn() -> bool>)
        .unwrap();
    connection.execute_batch("DROP TRIGGER fail").unwrap();
    if left.file().exists() {
        *store = open(&left);
        *folder = left;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn the_store_behaves_like_the_model(actions in prop::collection::vec(action(), 1..60)) {
        let mut folder = Folder::new("model");
        let mut store = open(&folder);
        let mut model = Model::default();
        for action in &actions {
            perform(&mut store, &mut folder, &mut model, action);
            let stats = store.audit().unwrap();
            let in_flight = u64::try_from(model.leased.len()).unwrap();
            let expected = Stats { in_flight, oldest_pending_seconds: stats.oldest_pending_seconds, ..model.stats };
            prop_assert_eq!(stats, expected);
        }
    }
}
