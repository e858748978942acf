//! Records from and to other programs' formats.

pub mod draft;
pub mod fhir;
pub mod merge;
