//! The rules: for one value (by the kind of its field), for records, and across fields. The map is in
//! the documentation of the parent module.

pub(super) mod across;
pub(super) mod amount;
pub(super) mod customer;
pub(super) mod identifier;
pub(super) mod iso;
pub(super) mod numbering;
pub(super) mod record;
pub(super) mod status;
pub(super) mod text;
pub(super) mod time;
