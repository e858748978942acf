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

/// What a list answers with, and what is new about it.
pub struct View {
    /// The pairs asked for, or the remembered ones for a bare address.
    pub asked: Vec<(String, String)>,
    /// To be remembered from now on; `None` if it is already.
    pub news: Option<String>,
}

/// The list as it is asked for, or as it was left.
pub fn recall(conn: &mut Conn, user: &UserId, patient: &PatientId, kind: &Kind, pairs: &[(String, String)]) -> Result<View> {
    let known: Option<String> =
        list_views::table.find((user, patient.as_str(), kind.name)).select(list_views::query).first(conn).optional()?;
    let known = known.unwrap_or_default();
    let only_marks = pairs.iter().all(|(n, _)| matches!(n.as_str(), "undo" | "change"));
    if !only_marks {
        return Ok(View { asked: pairs.to_vec(), news: to_keep(pairs).filter(|query| *query != known) });
    }
    let mut asked: Vec<(String, String)> = serde_urlencoded::from_str(&known).unwrap_or_default();
    asked.extend(pairs.iter().cloned());
    Ok(View { asked, news: None })
}

/// What is to be kept after this request; `None` for a bare address and for turning pages.
fn to_keep(pairs: &[(String, String)]) -> Option<String> {
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
