//! The lane of an order: a hash of `site_id` and `order_id`, the same for every update of the order.

/// Hashes the two ids one after the other (FNV-1a).
pub(super) struct LaneHash(u64);

impl LaneHash {
    const SEED: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;

    pub(super) fn new() -> Self {
        Self(Self::SEED)
    }

    /// Adds one id. A separator follows it, so that `ab` + `c` and `a` + `bc` differ. Two orders that
    /// collide share a lane: they wait for each other, and nothing else changes.
    pub(super) fn add(&mut self, id: &str) {
        const SEPARATOR: u8 = 0xFF;
        for byte in id.bytes().chain([SEPARATOR]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(Self::PRIME);
        }
    }

    pub(super) fn get(&self) -> u64 {
        self.0
    }
}
