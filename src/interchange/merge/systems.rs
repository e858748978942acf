//! One person, told of by several systems. Keys such as `Condition/1` are only one system's own: where a file calls a patient of ours
//! something else than the system that first told of them, its keys are kept under its own name for the patient.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use chrono::NaiveDateTime;

use super::{Target, people, storable};
use crate::{access::Actor, db::Db, error::Result, interchange::draft::Told};

/// The file with keys that no other system's can be taken for.
pub fn own_keys<'t>(db: &Db, actor: &Actor, told: &'t Told, target: &Target, now: NaiveDateTime) -> Result<Cow<'t, Told>> {
    let foreign = db.rehearse(|tx| {
        let pairs = people::pair(tx, actor, told, target, now)?;
        let is_foreign = |pair: &people::Pair<'_>| {
            let first = pair.patient.as_ref().and_then(|patient| patient.source_key.as_deref());
            first.is_some_and(|first| first != storable(&pair.draft.source_key).as_str())
        };
        Ok(pairs.iter().filter(|pair| is_foreign(pair)).map(|pair| pair.draft.source_key.clone()).collect::<HashSet<String>>())
    })?;
    if foreign.is_empty() {
        return Ok(Cow::Borrowed(told));
    }
    let mut told = told.clone();
    rename(&mut told, &foreign);
    Ok(Cow::Owned(told))
}

fn rename(told: &mut Told, foreign: &HashSet<String>) {
    let mut renamed: HashMap<String, String> = HashMap::new();
    for draft in told.records.iter().filter(|draft| foreign.contains(&draft.patient)) {
        for key in std::iter::once(&draft.source_key).chain(draft.parts.iter().map(|(_, key)| key)) {
            renamed.insert(key.clone(), format!("{}|{key}", draft.patient));
        }
    }
    for leftover in &told.leftovers {
        if let Some(patient) = leftover.patient.as_ref().filter(|patient| foreign.contains(*patient)) {
            renamed.insert(leftover.source_key.clone(), format!("{patient}|{}", leftover.source_key));
        }
    }
    let put = |key: &mut String| {
        if let Some(new) = renamed.get(key) {
            key.clone_from(new);
        }
    };
    for draft in &mut told.records {
        put(&mut draft.source_key);
        draft.parts.iter_mut().for_each(|(_, key)| put(key));
        draft.links.iter_mut().for_each(|link| put(&mut link.to));
    }
    told.leftovers.iter_mut().for_each(|leftover| put(&mut leftover.source_key));
    told.entries.iter_mut().for_each(|(_, key)| put(key));
}
