//! What to do with each field of a record that the source tells anew, from three versions of it: as the source last told it, as it is now,
//! as the source tells it now.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::records::{Kind, chart::Link, version::Snapshot};

/// The values of one child, by column.
pub type Row = Vec<(String, String)>;

#[derive(Debug, Default)]
pub struct Verdict {
    /// Fields that take the source's new value; `None` empties them.
    pub take: Vec<(String, Option<String>)>,
    pub children: Option<Vec<Row>>,
    pub links: Option<Vec<Link>>,
    /// Newer values for fields that a person changed.
    pub offer: Vec<(String, String)>,
    /// What counts as told from now on. Fields with an offer keep their old value here until the person answers.
    pub told: Snapshot,
}

/// What one field comes to.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// Nothing new, or what the record says already.
    Leave,
    Take,
    Offer,
}

fn answer<T: PartialEq>(last: &T, current: &T, new: &T) -> Answer {
    if new == last || new == current {
        Answer::Leave
    } else if current == last {
        Answer::Take
    } else {
        Answer::Offer
    }
}

pub fn compare(kind: &Kind, last: &Snapshot, current: &Snapshot, new: &Snapshot) -> Verdict {
    let mut verdict = Verdict::default();
    for spec in &kind.fields {
        let value = |snapshot: &Snapshot| snapshot.fields.iter().find(|(name, _)| name == spec.name).map(|(_, value)| value.clone());
        let (old, now, told) = (value(last), value(current), value(new));
        let mut known = told.clone();
        match (answer(&old, &now, &told), told) {
            (Answer::Take, told) => verdict.take.push((spec.name.to_owned(), told)),
            (Answer::Offer, Some(told)) => {
                verdict.offer.push((spec.name.to_owned(), told));
                known = old;
            }
            // Nothing new; or the source fell silent about what a person has changed anyway, and there is nothing to offer.
            (Answer::Leave, _) | (Answer::Offer, None) => {}
        }
        verdict.told.fields.extend(known.map(|value| (spec.name.to_owned(), value)));
    }
    compare_children(kind, last, current, new, &mut verdict);
    compare_links(last, current, new, &mut verdict);
    verdict
}

fn compare_children(kind: &Kind, last: &Snapshot, current: &Snapshot, new: &Snapshot, verdict: &mut Verdict) {
    let Some(children) = &kind.children else { return };
    verdict.told.children.clone_from(&new.children);
    match answer(&sorted(&last.children), &sorted(&current.children), &sorted(&new.children)) {
        Answer::Leave => {}
        Answer::Take => verdict.children = Some(new.children.clone()),
        Answer::Offer => {
            verdict.offer.push((children.name.to_owned(), rows_to_text(&new.children)));
            verdict.told.children.clone_from(&last.children);
        }
    }
}

/// The order of columns may change with the program; the order of the rows is the source's.
fn sorted(rows: &[Row]) -> Vec<BTreeMap<&str, &str>> {
    rows.iter().map(|row| row.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()).collect()
}

/// Ties are a set: what the source adds or takes away is done to the ties there are, and a tie that a person cut stays cut.
fn compare_links(last: &Snapshot, current: &Snapshot, new: &Snapshot, verdict: &mut Verdict) {
    verdict.told.links.clone_from(&new.links);
    let same = |a: &Link, b: &Link| a.relation == b.relation && a.to == b.to;
    let has = |links: &[Link], link: &Link| links.iter().any(|other| same(other, link));
    let mut links = current.links.clone();
    links.retain(|link| has(&new.links, link) || !has(&last.links, link));
    let added = new.links.iter().filter(|link| !has(&last.links, link) && !has(&current.links, link));
    links.extend(added.cloned());
    if links.len() != current.links.len() || links.iter().any(|link| !has(&current.links, link)) {
        verdict.links = Some(links);
    }
}

/// Children as one value, for an offer.
pub fn rows_to_text(rows: &[Row]) -> String {
    let object =
        |row: &Row| Value::Object(row.iter().map(|(name, value)| (name.clone(), Value::from(value.clone()))).collect::<Map<_, _>>());
    Value::Array(rows.iter().map(object).collect()).to_string()
}

/// The children of an offer.
pub fn rows_from_text(text: &str) -> Option<Vec<Row>> {
    let rows: Vec<Map<String, Value>> = serde_json::from_str(text).ok()?;
    let row =
        |object: Map<String, Value>| object.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect();
    Some(rows.into_iter().map(row).collect())
}
