//! A list opens the way its reader left it: the last query of each kind's list, kept per person and patient.

use diesel::prelude::*;

use crate::{
    db::{
        Conn, Tx,
        schema::list_views,
        types::{PatientId, UserId},
    },
    error::Result,
    records::Kind,
};

/// What is kept: order and filters, not the page one was on.
fn kept(pairs: &[(String, String)]) -> String {
    let marks = ["page", "undo", "change", "print", "reset", "q"];
    let kept: Vec<&(String, String)> = pairs.iter().filter(|(n, v)| !v.trim().is_empty() && !marks.contains(&n.as_str())).collect();
    serde_urlencoded::to_string(kept).unwrap_or_default()
}

/// The pairs to answer with: those asked for, or the remembered ones for a bare address.
pub fn recall(
    conn: &mut Conn,
    user: &UserId,
    patient: &PatientId,
    kind: &Kind,
    pairs: &[(String, String)],
) -> Result<Vec<(String, String)>> {
    let only_marks = pairs.iter().all(|(n, _)| matches!(n.as_str(), "undo" | "change"));
    if !only_marks {
        return Ok(pairs.to_vec());
    }
    let query: Option<String> =
        list_views::table.find((user, patient.as_str(), kind.name)).select(list_views::query).first(conn).optional()?;
    let mut all: Vec<(String, String)> = query.and_then(|text| serde_urlencoded::from_str(&text).ok()).unwrap_or_default();
    all.extend(pairs.iter().cloned());
    Ok(all)
}

/// What is to be kept after this request; `None` for a bare address and for turning pages.
pub fn to_keep(pairs: &[(String, String)]) -> Option<String> {
    let asked = pairs.iter().any(|(n, _)| !matches!(n.as_str(), "undo" | "change" | "print" | "page" | "q"));
    asked.then(|| kept(pairs))
}

/// Keeps the query; an empty one is forgotten.
pub fn remember(tx: &mut Tx<'_>, user: &UserId, patient: &PatientId, kind: &Kind, query: &str) -> Result<()> {
    let place = list_views::table.find((user, patient.as_str(), kind.name));
    let known: Option<String> = place.select(list_views::query).first(&mut **tx).optional()?;
    if known.as_deref().unwrap_or_default() == query {
        return Ok(());
    }
    diesel::delete(place).execute(&mut **tx)?;
    if !query.is_empty() {
        diesel::insert_into(list_views::table)
            .values((
                list_views::user_id.eq(user),
                list_views::patient_id.eq(patient.as_str()),
                list_views::kind.eq(kind.name),
                list_views::query.eq(query),
            ))
            .execute(&mut **tx)?;
    }
    Ok(())
}
