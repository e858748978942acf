//! What found no home: kept whole, with the reason, until a later program understands it.

use super::super::draft::{Draft, LeftoverReason, PersonDraft};
use super::{Work, digest, storable};
use super::report::{Fate, Line, PatientReport};
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

/// Keeps the patient's leftovers and those drafts that turned out to have no home (`homeless`); the first patient of the file also gets
/// what is about nobody in it.
pub fn keep(
    work: &mut Work<'_>, tx: &mut Tx<'_>, access: &PatientAccess<Edit>, person: &PersonDraft, homeless: &[&Draft], is_first: bool,
    report: &mut PatientReport,
) -> Result<()> {
    let told = work.told;
    let mine = |patient: Option<&String>| match patient {
        Some(key) if told.patients.iter().any(|other| other.source_key == *key) => *key == person.source_key,
        _ => is_first,
    };
    let leftovers = told.leftovers.iter().filter(|leftover| mine(leftover.patient.as_ref())).map(|leftover| Kept {
        key: &leftover.source_key,
        resource_type: &leftover.resource_type,
        reason: leftover.reason,
        original: &leftover.original,
    });
    let drafts = homeless.iter().map(|draft| Kept {
        key: &draft.source_key,
        resource_type: &draft.resource_type,
        reason: LeftoverReason::NoHomeYet,
        original: &draft.original,
    });
    let lost = told.records.iter().filter(|draft| is_first && !told.patients.iter().any(|other| other.source_key == draft.patient));
    let lost: Vec<&Draft> = lost.collect();
    let nobodys = lost.iter().map(|draft| Kept {
        key: &draft.source_key,
        resource_type: &draft.resource_type,
        reason: LeftoverReason::NoPatient,
        original: &draft.original,
    });
    let all: Vec<Kept<'_>> = leftovers.chain(drafts).chain(nobodys).collect();
    for draft in homeless.iter().chain(&lost) {
        work.count_draft(report, draft, Fate::Kept);
    }
    for leftover in told.leftovers.iter().filter(|leftover| mine(leftover.patient.as_ref())) {
        work.count(report, &leftover.resource_type, &leftover.source_key, Fate::Kept);
    }
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
        if before.as_ref() != Some(&news) {
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
