//! What found no home: kept whole, with the reason, until a later program understands it.

use super::super::draft::{Draft, LeftoverReason, PersonDraft};
use super::report::{Fate, Line, PatientReport};
use super::{Work, digest, storable};
use crate::{
    access::{Edit, PatientAccess},
    db::Tx,
    error::Result,
    records::origins,
};

/// Something to be kept.
struct Kept<'a> {
    key: &'a str,
    resource_type: &'a str,
    reason: LeftoverReason,
    original: &'a serde_json::Value,
}

impl<'a> Kept<'a> {
    fn draft(draft: &'a Draft, reason: LeftoverReason) -> Self {
        Self { key: &draft.source_key, resource_type: &draft.resource_type, reason, original: &draft.original }
    }
}

/// Keeps the patient's leftovers and those drafts that turned out to have no home (`homeless`); the first patient of the file also gets
/// what is about nobody in it.
pub fn keep(
    work: &mut Work<'_>,
    tx: &mut Tx<'_>,
    access: &PatientAccess<Edit>,
    person: &PersonDraft,
    homeless: &[&Draft],
    is_first: bool,
    report: &mut PatientReport,
) -> Result<()> {
    let mut leftovers = work.leftovers_of(Some(&person.source_key));
    let mut nobodys = Vec::new();
    if is_first {
        leftovers.extend(work.leftovers_of(None));
        nobodys = work.records_of(None);
    }
    for leftover in &leftovers {
        work.count(report, &leftover.resource_type, &leftover.source_key, Fate::Kept);
    }
    for draft in homeless.iter().chain(&nobodys) {
        work.count_draft(report, draft, Fate::Kept);
    }
    let mut all: Vec<Kept<'_>> = leftovers
        .iter()
        .map(|told| Kept { key: &told.source_key, resource_type: &told.resource_type, reason: told.reason, original: &told.original })
        .collect();
    all.extend(homeless.iter().map(|draft| Kept::draft(draft, LeftoverReason::NoHomeYet)));
    all.extend(nobodys.iter().map(|draft| Kept::draft(draft, LeftoverReason::NoPatient)));
    store(work, tx, access, all, report)
}

fn store(work: &mut Work<'_>, tx: &mut Tx<'_>, access: &PatientAccess<Edit>, all: Vec<Kept<'_>>, report: &mut PatientReport) -> Result<()> {
    let mut known = origins::known_leftovers(tx, access)?;
    for kept in all {
        let key = storable(kept.key);
        let original = kept.original.to_string();
        let fingerprint = digest(&[&original]);
        let news = (kept.reason.word().to_owned(), fingerprint);
        let before = known.insert(key.clone(), news.clone());
        let is_news = before.as_ref() != Some(&news);
        report.newly_kept += usize::from(is_news);
        if is_news && !work.is_rehearsal {
            let leftover = origins::Leftover {
                source_key: key.clone(),
                resource_type: storable(kept.resource_type),
                reason: news.0,
                fingerprint: news.1,
                original,
                imported_at: work.now,
            };
            origins::keep(tx, access, &leftover, before.is_some())?;
        }
        report.lines.push(Line {
            fate: Fate::Kept,
            kind: String::new(),
            resource_type: kept.resource_type.to_owned(),
            source_key: key,
            record: None,
            title: String::new(),
            date: None,
            changes: Vec::new(),
            offered: Vec::new(),
            reason: Some(kept.reason.word().to_owned()),
        });
        work.step();
    }
    Ok(())
}
