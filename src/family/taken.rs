//! Members of somebody else's history taken over into one's own: the source is kept with the record, and what changes there later is offered
//! field by field, never applied. When the share is over nothing more is offered, and what was taken stays.

use std::collections::HashMap;

use super::{
    kind,
    shares::{self, ReceivedMember},
};
use crate::{
    access::{Edit, Level, PatientAccess, family::KIND},
    db::{
        Conn, Tx,
        types::{RecordId, ShareId},
    },
    error::{Error, Result},
    interchange::merge::{digest, rows_to_text},
    records::{
        Context, Kind,
        chart::{Draft, Loaded},
        field::{FieldError, Mode},
        input::{self, Raw},
        origins::{self, Telling},
        version::Snapshot,
    },
};

/// What every record that was taken over says of where it comes from.
const SOURCE: &str = "family";
/// What is taken over. How a relative is related, who their parents are and what the sender noted is the sender's own.
const FIELDS: &[&str] = &["name", "gender", "birth_year", "death_year", "is_deceased", "sensitivity"];
const NOT_OF_CHILDREN: &str = "notes";

fn source_key(member: &RecordId) -> String {
    format!("{SOURCE}:{member}")
}

/// What the source tells of a member.
fn told(kind: &Kind, row: &Loaded) -> Snapshot {
    let mut snapshot = Snapshot::of(kind, row.entry.as_ref(), &[], &[]);
    snapshot.fields.retain(|(name, _)| FIELDS.contains(&name.as_str()));
    for child in &mut snapshot.children {
        child.retain(|(name, _)| name != NOT_OF_CHILDREN);
    }
    snapshot
}

/// Where this relative stands in the receiver's own family.
pub struct Place {
    pub relationship: String,
    pub side: String,
}

/// Makes a record of a shared member in this chart. A member is taken once.
pub fn take(tx: &mut Tx<'_>, access: &PatientAccess<Edit>, share: &ShareId, place: &Place) -> Result<RecordId> {
    let kind = kind()?;
    let chart = access.chart(kind)?;
    let received = shares::received(tx, &access.actor, access.now)?;
    let shown = received.into_iter().find(|one| one.share.id == *share).ok_or(Error::NotFound)?;
    let key = source_key(&shown.share.member);
    if origins::is_known(tx, access, &key)? {
        return Err(Error::Invalid(vec![("patient".to_owned(), FieldError::Rule("error.member_taken_already"))]));
    }
    let told = told(kind, &shown.row);
    let mut fields = told.fields.clone();
    fields.push(("relationship".to_owned(), place.relationship.clone()));
    fields.push(("side".to_owned(), place.side.clone()));
    let raw = Raw { fields, children: Some(told.children.clone()) };
    let mut entry = (kind.blank)();
    let mut errors = input::fill(kind, entry.as_mut(), &raw, Mode::Strict);
    if place.relationship.trim().is_empty() {
        errors.push(("relationship".to_owned(), FieldError::Required));
    }
    // What the source tells is told; the receiver is not asked to correct it.
    let context = Context { today: access.now.date(), birth: None, strict: false };
    input::settle(kind, entry.as_mut(), None, &context, &mut errors);
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let id = chart.add(tx, &Draft { entry, tags: None, links: None, source: format!("{SOURCE}:{}", shown.sender_name) })?;
    let text = told.to_text();
    let telling = Telling {
        source_key: key,
        resource_type: "family_member".to_owned(),
        fingerprint: digest(&[&text]),
        original: text.clone(),
        told: text,
        imported_at: access.now,
    };
    origins::add(tx, access, &id, &telling)?;
    Ok(id)
}

/// Was any member of this history taken over from somebody's?
pub fn has_any<L: Level>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<bool> {
    Ok(!origins::of_source(conn, access, &format!("{SOURCE}:"))?.is_empty())
}

/// Offers what changed at the sources since it was taken, told or answered. Returns how many values are new.
pub fn offer_changes(tx: &mut Tx<'_>, access: &PatientAccess<Edit>) -> Result<usize> {
    let kind = kind()?;
    let chart = access.chart(kind)?;
    let sources = origins::of_source(tx, access, &format!("{SOURCE}:"))?;
    if sources.is_empty() {
        return Ok(0);
    }
    let received = shares::received(tx, &access.actor, access.now)?;
    let shown: HashMap<String, &ReceivedMember> = received.iter().map(|one| (source_key(&one.share.member), one)).collect();
    let ids: Vec<RecordId> = sources.iter().map(|(id, _)| id.clone()).collect();
    let told_before = origins::told(tx, access, &ids)?;
    let waiting = origins::offers_of(tx, access, &ids)?;
    let mine = chart.some(tx, &ids)?;
    let mut count = 0;
    for (id, key) in &sources {
        let (Some(shown), Some(row)) = (shown.get(key), mine.get(id)) else { continue };
        let last = told_before.get(id).and_then(|text| Snapshot::from_text(text)).unwrap_or_default();
        let current = Snapshot::of(kind, row.entry.as_ref(), &[], &[]);
        for (field, value) in changes(kind, &last, &current, &told(kind, &shown.row)) {
            let offered = waiting.get(id).and_then(|offers| offers.iter().find(|offer| offer.field == field));
            match value {
                Some(value) if offered.is_none_or(|offer| offer.value != value) => {
                    origins::offer(tx, access, id, &field, &value)?;
                    count += 1;
                }
                None if offered.is_some() => drop(origins::withdraw(tx, access, id, &field)?),
                _ => {}
            }
        }
    }
    Ok(count)
}

/// Every field with what is to be offered for it; nothing where the source says nothing new, or what the record says already.
fn changes(kind: &Kind, last: &Snapshot, current: &Snapshot, new: &Snapshot) -> Vec<(String, Option<String>)> {
    let value = |snapshot: &Snapshot, name: &str| snapshot.fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    let mut all: Vec<(String, Option<String>)> = FIELDS
        .iter()
        .map(|name| {
            let told = value(new, name);
            let is_news = told != value(last, name) && told != value(current, name);
            ((*name).to_owned(), told.filter(|_| is_news))
        })
        .collect();
    if let Some(children) = &kind.children {
        let is_news = new.children != last.children && new.children != current.children;
        all.push((children.name.to_owned(), is_news.then(|| rows_to_text(&new.children))));
    }
    all
}

/// Into which charts this person may take a member: those they may edit, with the family's history among what they see.
pub fn may_take_into<L: Level>(access: &PatientAccess<L>) -> bool {
    access.may(crate::access::Rank::Edit) && access.scope().allows_kind(KIND)
}
