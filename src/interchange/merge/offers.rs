//! A person's answer to what a source offers: take it, or dismiss it. Either way the value counts as told, so that it is not offered again.

use super::three_way;
use crate::{
    access::{AtLeast, Edit, PatientAccess},
    db::{Tx, types::RecordId},
    error::{Error, Result},
    records::{
        AnyRecord, Kind,
        chart::{self, Chart},
        field::{FieldError, Mode},
        input::{self, Raw},
        kind,
        origins::{self, Offer},
        version::Snapshot,
    },
};

/// Takes the offered value, as a version of the record whose source is the import. Returns the record's version.
pub fn accept<L: AtLeast<Edit>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, record: &RecordId, field: &str) -> Result<i32> {
    let offer = find(tx, access, record, field)?;
    let chart = chart_of(tx, access, record)?;
    let current = chart.get(tx, record)?;
    let mut entry = current.entry;
    put(chart.kind(), entry.as_mut(), &offer)?;
    let missing = input::check_kept_references(tx, access, chart.kind(), entry.as_ref(), Some(record))?;
    if !missing.is_empty() {
        return Err(Error::Invalid(missing));
    }
    let draft = chart::Draft { entry, tags: None, links: None, source: "import".to_owned() };
    let version = chart.change(tx, record, current.head.version, &draft)?;
    settle(tx, access, record, chart.kind(), &offer)?;
    Ok(version)
}

/// Keeps what the person wrote; the same value is not offered again.
pub fn dismiss<L: AtLeast<Edit>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, record: &RecordId, field: &str) -> Result<()> {
    let offer = find(tx, access, record, field)?;
    let chart = chart_of(tx, access, record)?;
    settle(tx, access, record, chart.kind(), &offer)
}

fn find<L: AtLeast<Edit>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, record: &RecordId, field: &str) -> Result<Offer> {
    let offers = origins::offers(tx, access, record)?;
    offers.into_iter().find(|offer| offer.field == field).ok_or(Error::NotFound)
}

fn chart_of<'a, L: AtLeast<Edit>>(tx: &mut Tx<'_>, access: &'a PatientAccess<L>, record: &RecordId) -> Result<Chart<'a, L>> {
    let head = chart::headings(tx, access, std::slice::from_ref(record))?.remove(record).ok_or(Error::NotFound)?;
    access.chart(kind(&head.kind).ok_or(Error::NotFound)?)
}

fn put(kind: &Kind, entry: &mut dyn AnyRecord, offer: &Offer) -> Result<()> {
    if kind.children.as_ref().is_some_and(|children| children.name == offer.field) {
        let rows = three_way::rows_from_text(&offer.value).ok_or_else(|| Error::Internal("an offer cannot be read".into()))?;
        let errors = input::fill(kind, entry, &Raw { fields: Vec::new(), children: Some(rows) }, Mode::Strict);
        return if errors.is_empty() { Ok(()) } else { Err(Error::Invalid(errors)) };
    }
    let (index, _) = kind.field(&offer.field).ok_or(Error::NotFound)?;
    let set = entry.set(index, &offer.value, Mode::Strict);
    set.map_err(|error: FieldError| Error::Invalid(vec![(offer.field.clone(), error)]))
}

/// The offer is answered: its value is what the source told, as far as the next import is concerned.
fn settle<L: AtLeast<Edit>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, record: &RecordId, kind: &Kind, offer: &Offer) -> Result<()> {
    let told = origins::told(tx, access, std::slice::from_ref(record))?.remove(record);
    let mut told = told.and_then(|text| Snapshot::from_text(&text)).unwrap_or_default();
    if kind.children.as_ref().is_some_and(|children| children.name == offer.field) {
        told.children = three_way::rows_from_text(&offer.value).unwrap_or_default();
    } else {
        told.fields.retain(|(name, _)| *name != offer.field);
        told.fields.push((offer.field.clone(), offer.value.clone()));
    }
    origins::set_told(tx, access, record, &told.to_text())?;
    origins::withdraw(tx, access, record, &offer.field)?;
    Ok(())
}
