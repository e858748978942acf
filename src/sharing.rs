//! Giving others a part of a patient's records.

pub mod sets;
