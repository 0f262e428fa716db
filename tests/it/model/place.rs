//! The sets an action may be in; `PENDING << p` is that of processor `p`.

pub(crate) const LIVE: u8 = 1;
pub(crate) const INPUT: u8 = 2;
pub(crate) const DELAYED: u8 = 4;
pub(crate) const PENDING: u8 = 8;
pub(crate) const DONE: u8 = 32;
pub(crate) const FAILED: u8 = 64;
pub(crate) const OUTPUT: u8 = 128;
