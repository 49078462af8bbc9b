//! One rule per kind of field: what a value must look like, and what it is sent as.

pub(super) mod amount;
pub(super) mod customer;
pub(super) mod iso;
pub(super) mod status;
pub(super) mod text;
pub(super) mod time;
