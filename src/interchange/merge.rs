//! stub
use crate::{access::{PatientAccess, Edit, Level}, db::{Conn, Tx, types::RecordId}, error::Result, records::Kind};
pub struct Offer { pub field: String, pub value: String }
pub fn offers<L: Level>(_: &mut Conn, _: &PatientAccess<L>, _: &RecordId) -> Result<Vec<Offer>> { Ok(vec![]) }
pub fn accept(_: &mut Tx<'_>, _: &PatientAccess<Edit>, _: &'static Kind, _: &RecordId, _: &str) -> Result<()> { Ok(()) }
pub fn dismiss(_: &mut Tx<'_>, _: &PatientAccess<Edit>, _: &'static Kind, _: &RecordId, _: &str) -> Result<()> { Ok(()) }
