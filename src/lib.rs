//! Kinchart keeps a family's medical records in one program. `docs/architecture.md` shows the house on one page.

pub mod access;
pub mod audit;
pub mod clock;
pub mod codes;
pub mod dates;
pub mod db;
pub mod directory;
pub mod error;
pub mod interchange;
pub mod measured;
pub mod npi;
pub mod patients;
pub mod records;
pub mod tags;
pub mod text;
pub mod units;
