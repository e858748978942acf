//! Records of several kinds at once: counts for the menu, the timeline, the trash, search results. Header rows only.

use std::collections::HashMap;

use diesel::{
    dsl::count_star,
    prelude::*,
    sql_types::{Bool, Text},
};

use super::{
    field::FieldSpec,
    query::{Condition, visible},
    schema::records,
    staged,
    stored::Head,
};
use crate::{
    access::{Accesses, Level, PatientAccess, Rank},
    db::{
        Conn, MultiBackend, search,
        sql::{Worded, among, worded},
        statement::Statement,
        types::{RecordId, TagId},
    },
    error::Result,
    tags::{self, Tag},
};

/// How many living records of each kind this access shows.
pub fn counts<L: Level>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<Vec<(String, i64)>> {
    Ok(records::table
        .filter(visible(access))
        .filter(records::deleted_at.is_null())
        .group_by(records::kind)
        .select((records::kind, count_star()))
        .load(conn)?)
}

/// The tags to choose from: the household's for an owner who belongs to it; for anybody else those on records they see, because a tag's name
/// can tell of an illness as well as a record does, and the household has other patients too.
pub fn tags_to_choose<L: Level>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<Vec<Tag>> {
    let (all, belongs) = tags::of_household_for(conn, access.household(), &access.actor.user)?;
    if all.is_empty() || (access.may(Rank::Own) && belongs) {
        return Ok(all);
    }
    let on_seen: Statement<Text> =
        Statement::new("SELECT DISTINCT rt.tag_id FROM record_tags rt JOIN records ON records.id = rt.record_id WHERE ")
            .part(visible(access))
            .words(" AND records.deleted_at IS NULL");
    let seen: Vec<TagId> = on_seen.load(conn)?;
    Ok(all.into_iter().filter(|tag| seen.contains(&tag.id)).collect())
}

/// What a timeline is asked for; empty means all.
#[derive(Clone, Debug, Default)]
pub struct TimelineQuery {
    pub kinds: Vec<String>,
    pub from: Option<String>,
    pub to: Option<String>,
    pub page: i64,
    pub per_page: i64,
}

/// Records with a date, newest first, and how many there are.
pub fn timeline<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, query: &TimelineQuery) -> Result<(Vec<Head>, i64)> {
    let base = || {
        let mut b = records::table
            .filter(visible(access))
            .filter(records::deleted_at.is_null())
            .filter(records::occurred_on.is_not_null())
            .into_boxed::<MultiBackend>();
        if !query.kinds.is_empty() {
            b = b.filter(records::kind.eq_any(query.kinds.clone()));
        }
        if let Some(from) = &query.from {
            b = b.filter(records::occurred_on.ge(from.clone()));
        }
        if let Some(to) = &query.to {
            b = b.filter(records::occurred_on.le(to.clone()));
        }
        b
    };
    let total = base().count().get_result(conn)?;
    let heads = base()
        .order((records::occurred_on.desc(), records::id.desc()))
        .limit(query.per_page)
        .offset((query.page - 1).saturating_mul(query.per_page))
        .select(Head::as_select())
        .load(conn)?;
    Ok((heads, total))
}

/// What changed lately, newest first.
pub fn lately<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, most: i64) -> Result<Vec<Head>> {
    Ok(records::table
        .filter(visible(access))
        .filter(records::deleted_at.is_null())
        .order(worded::<Text>("records.updated_at DESC, records.occurred_on DESC NULLS LAST, records.id DESC"))
        .limit(most)
        .select(Head::as_select())
        .load(conn)?)
}

/// What lies in the trash, latest first.
pub fn trashed<L: Level>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<Vec<Head>> {
    Ok(records::table.filter(staged::trashed(access)).order(records::deleted_at.desc()).limit(500).select(Head::as_select()).load(conn)?)
}

/// One living record's header, whatever its kind.
pub fn head<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, id: &RecordId) -> Result<Option<Head>> {
    Ok(records::table
        .filter(visible(access))
        .filter(records::id.eq(id))
        .filter(records::deleted_at.is_null().or(records::deleted_at.lt(staged::unseen())))
        .select(Head::as_select())
        .first(conn)
        .optional()?)
}

/// Records in which every word of the query begins a word, over everything the person may see; best first.
pub fn search(conn: &mut Conn, accesses: &Accesses, q: &str, kinds: &[String]) -> Result<Vec<Head>> {
    let patients: Vec<_> = accesses.list.iter().map(PatientAccess::id).collect();
    let ids = search::find(conn, &patients, q)?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = records::table
        .filter(seen_by(accesses))
        .filter(among(conn, "records.id", &ids))
        .filter(records::deleted_at.is_null())
        .into_boxed::<MultiBackend>();
    if !kinds.is_empty() {
        query = query.filter(records::kind.eq_any(kinds.to_vec()));
    }
    let mut heads: Vec<Head> = query.select(Head::as_select()).load(conn)?;
    let wanted = crate::text::words(q);
    heads
        .sort_by_cached_key(|head| (std::cmp::Reverse(score(head, &wanted)), std::cmp::Reverse(head.occurred_on.clone()), head.id.clone()));
    Ok(heads)
}

/// The living records among these that the person may see, over all their patients.
pub fn heads(conn: &mut Conn, accesses: &Accesses, ids: &[RecordId]) -> Result<HashMap<RecordId, Head>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let heads: Vec<Head> = records::table
        .filter(seen_by(accesses))
        .filter(among(conn, "records.id", ids))
        .filter(records::deleted_at.is_null())
        .select(Head::as_select())
        .load(conn)?;
    Ok(heads.into_iter().map(|head| (head.id.clone(), head)).collect())
}

/// Within any of the accesses.
fn seen_by(accesses: &Accesses) -> Condition {
    let nothing: Condition = Box::new(worded::<Bool>("1 = 0"));
    accesses.list.iter().fold(nothing, |seen, access| Box::new(seen.or(visible(access))))
}

/// Words of the title count most, whole words more than beginnings, what is going on more than what is over.
fn score(head: &Head, wanted: &[String]) -> usize {
    let title = crate::text::words(&head.title);
    let of_word = |word: &String| match () {
        () if title.first() == Some(word) => 8,
        () if title.contains(word) => 6,
        () if title.iter().any(|t| t.starts_with(word.as_str())) => 4,
        () => 0,
    };
    let active = matches!(head.status.as_deref(), Some("active" | "chronic"));
    wanted.iter().map(of_word).sum::<usize>() * 2 + usize::from(active)
}

/// Records of these kinds that a form offers to link to: the newest two hundred of each page are what people choose from.
pub fn choices<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, kinds: &[String]) -> Result<Vec<Head>> {
    if kinds.is_empty() {
        return Ok(Vec::new());
    }
    Ok(records::table
        .filter(visible(access))
        .filter(records::kind.eq_any(kinds.to_vec()))
        .filter(records::deleted_at.is_null())
        .order((records::occurred_on.desc(), records::id.desc()))
        .limit(500)
        .select(Head::as_select())
        .load(conn)?)
}

/// Is the record of a document, if it has one, not in the trash? A condition on `files`, for who sees all records.
pub fn paper_lives() -> Worded<Bool> {
    worded("(files.record_id IS NULL OR EXISTS (SELECT 1 FROM records WHERE records.id = files.record_id AND records.deleted_at IS NULL))")
}

/// Records that something, or another record, can be tied to: those that match, or the newest.
pub fn linkable<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, own: Option<&RecordId>, q: &str) -> Result<Vec<Head>> {
    let mut query = records::table.filter(visible(access)).filter(records::deleted_at.is_null()).into_boxed::<MultiBackend>();
    if let Some(own) = own {
        query = query.filter(records::id.ne(own.clone()));
    }
    if !q.trim().is_empty() {
        let found = search::find(conn, &[access.id()], q)?;
        query = query.filter(among(conn, "records.id", &found));
    }
    Ok(query.order((records::updated_at.desc(), records::id.desc())).limit(50).select(Head::as_select()).load(conn)?)
}

/// The text of the latest version of these records, to show where words were found.
pub fn found_texts(conn: &mut Conn, heads: &[Head]) -> Result<std::collections::HashMap<RecordId, String>> {
    use super::schema::record_versions;
    let ids: Vec<&RecordId> = heads.iter().map(|head| &head.id).collect();
    let kinds: std::collections::HashMap<&RecordId, &str> = heads.iter().map(|head| (&head.id, head.kind.as_str())).collect();
    if ids.is_empty() {
        return Ok(std::collections::HashMap::new());
    }
    let rows: Vec<(RecordId, String)> = record_versions::table
        .inner_join(records::table.on(records::id.eq(record_versions::record_id).and(records::version.eq(record_versions::version))))
        .filter(among(conn, "record_versions.record_id", &ids))
        .select((record_versions::record_id, record_versions::snapshot))
        .load(conn)?;
    Ok(rows
        .into_iter()
        .filter_map(|(id, text)| {
            let snapshot = super::version::Snapshot::from_text(&text)?;
            let kind = super::kind(kinds.get(&id)?)?;
            let of_children = |name: &str| kind.children.as_ref().and_then(|c| c.fields.iter().find(|f| f.name == name).copied());
            let own = snapshot.fields.into_iter().filter(|(name, _)| kind.field(name).is_some_and(|(_, f)| f.is_prose()));
            let children = snapshot.children.into_iter().flatten().filter(|(name, _)| of_children(name).is_some_and(FieldSpec::is_prose));
            let parts: Vec<String> = own.chain(children).map(|(_, text)| text).chain(snapshot.tags).collect();
            Some((id, parts.join(" · ")))
        })
        .collect())
}
