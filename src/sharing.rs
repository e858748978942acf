//! Sharing a patient: what a share opens, who has which, and what ends.

pub mod overview;
pub mod pages;
pub mod sets;
pub mod shares;
pub mod terms;
pub mod watch;
