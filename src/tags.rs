//! Tags: a household's own words and colours on records.

pub mod pages;

use std::collections::HashMap;

use diesel::{
    dsl::sql,
    prelude::*,
    sql_types::{Bool, Text},
};

use crate::{
    access::{AtLeast, Edit, PatientAccess},
    db::{
        Conn, MultiBackend, Tx,
        schema::tags,
        sql::among,
        types::{HouseholdId, RecordId, TagId, UserId},
    },
    error::{Error, Result},
    records::tagged,
    text::fold,
};

/// The colours a tag can have: names of the style sheet, told apart in light and dark.
pub const COLORS: &[&str] = &["slate", "red", "orange", "amber", "green", "teal", "blue", "violet", "pink"];
/// Most characters of a tag (the source document's limit).
pub const LONGEST: usize = 100;

#[derive(Clone, Debug, Queryable, Selectable, PartialEq, Eq)]
#[diesel(table_name = tags, check_for_backend(MultiBackend))]
pub struct Tag {
    pub id: TagId,
    pub name: String,
    pub color: String,
}

diesel::table! {
    record_tags (record_id, tag_id) {
        record_id -> Text,
        tag_id -> Text,
    }
}
diesel::allow_tables_to_appear_in_same_query!(record_tags, tags);

/// The tags of these records, in one statement.
pub fn of_records(conn: &mut Conn, ids: &[&RecordId]) -> Result<HashMap<RecordId, Vec<Tag>>> {
    let mut found: HashMap<RecordId, Vec<Tag>> = HashMap::new();
    if ids.is_empty() {
        return Ok(found);
    }
    let tagged: Vec<(RecordId, Tag)> = tags::table
        .inner_join(record_tags::table.on(record_tags::tag_id.eq(tags::id)))
        .filter(among(conn, "record_tags.record_id", ids))
        .order(tags::name_folded)
        .select((record_tags::record_id, Tag::as_select()))
        .load(conn)?;
    for (record, tag) in tagged {
        found.entry(record).or_default().push(tag);
    }
    Ok(found)
}

/// A household's tags with how many of all its records carry them is not told: counts could tell of hidden records.
pub fn of_household(conn: &mut Conn, household: &HouseholdId) -> Result<Vec<Tag>> {
    Ok(tags::table.filter(tags::household_id.eq(household)).order(tags::name_folded).select(Tag::as_select()).load(conn)?)
}

/// The tags of a household, and whether this person belongs to it.
pub fn of_household_for(conn: &mut Conn, household: &HouseholdId, user: &UserId) -> Result<(Vec<Tag>, bool)> {
    let belongs = sql::<Bool>("EXISTS (SELECT 1 FROM household_members m WHERE m.household_id = tags.household_id AND m.user_id = ")
        .bind::<Text, _>(user)
        .sql(")");
    let rows: Vec<(Tag, bool)> =
        tags::table.filter(tags::household_id.eq(household)).order(tags::name_folded).select((Tag::as_select(), belongs)).load(conn)?;
    let belongs = rows.first().is_some_and(|(_, belongs)| *belongs);
    Ok((rows.into_iter().map(|(tag, _)| tag).collect(), belongs))
}

/// Cleans names: trimmed, without repeats (case and accents aside), none longer than allowed.
pub fn names(text: &[String]) -> Vec<String> {
    let mut seen = Vec::new();
    let mut kept = Vec::new();
    for name in text {
        let name: String =
            name.split_whitespace().collect::<Vec<_>>().join(" ").chars().filter(|c| !c.is_control()).take(LONGEST).collect();
        if !name.is_empty() && !seen.contains(&fold(&name)) {
            seen.push(fold(&name));
            kept.push(name);
        }
    }
    kept
}

/// Gives the record exactly these tags; new words become tags of the household.
pub fn set<L: AtLeast<Edit>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, record: &RecordId, wanted: &[String]) -> Result<()> {
    let mut tags = Vec::new();
    for name in names(wanted) {
        tags.push(ensure(tx, access.household(), &name, None, access.now)?);
    }
    tagged::replace(tx, access, record, &tags)
}

/// Id, name and colour of those tags that are not this household's.
pub fn named(conn: &mut Conn, ids: &[TagId], but_of: &HouseholdId) -> Result<Vec<(TagId, String, String)>> {
    Ok(tags::table
        .filter(tags::id.eq_any(ids))
        .filter(tags::household_id.ne(but_of))
        .order(tags::id)
        .select((tags::id, tags::name, tags::color))
        .load(conn)?)
}

/// The tag of that name, made if there is none.
pub fn ensure(tx: &mut Tx<'_>, household: &HouseholdId, name: &str, color: Option<&str>, now: chrono::NaiveDateTime) -> Result<TagId> {
    let folded = fold(name);
    let known: Option<TagId> = tags::table
        .filter(tags::household_id.eq(household))
        .filter(tags::name_folded.eq(&folded))
        .select(tags::id)
        .first(&mut **tx)
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    let id = TagId::new();
    // The same word gets the same colour everywhere, without anybody choosing.
    let place = folded.bytes().fold(0usize, |sum, b| sum.wrapping_mul(31).wrapping_add(usize::from(b))) % COLORS.len();
    let color = color.or_else(|| COLORS.get(place).copied()).unwrap_or("slate");
    diesel::insert_into(tags::table)
        .values((
            tags::id.eq(&id),
            tags::household_id.eq(household),
            tags::name.eq(name),
            tags::name_folded.eq(folded),
            tags::color.eq(color),
            tags::created_at.eq(now),
        ))
        .execute(&mut **tx)?;
    Ok(id)
}

/// Renames or recolours a tag; a name another tag has merges the two.
pub fn change(tx: &mut Tx<'_>, household: &HouseholdId, id: &TagId, name: &str, color: &str) -> Result<()> {
    let name = names(&[name.to_owned()]).pop().ok_or(Error::BadRequest("tag_name"))?;
    if !COLORS.contains(&color) {
        return Err(Error::BadRequest("tag_color"));
    }
    let mine = tags::table.filter(tags::household_id.eq(household));
    mine.filter(tags::id.eq(id)).select(tags::id).first::<TagId>(&mut **tx).optional()?.ok_or(Error::NotFound)?;
    let other: Option<TagId> =
        mine.filter(tags::name_folded.eq(fold(&name))).filter(tags::id.ne(id)).select(tags::id).first(&mut **tx).optional()?;
    if let Some(other) = other {
        merge(tx, id, &other)?;
        return Ok(());
    }
    diesel::update(tags::table.find(id))
        .set((tags::name.eq(&name), tags::name_folded.eq(fold(&name)), tags::color.eq(color)))
        .execute(&mut **tx)?;
    Ok(())
}

/// Everything tagged `from` is tagged `into`; `from` is gone.
fn merge(tx: &mut Tx<'_>, from: &TagId, into: &TagId) -> Result<()> {
    tagged::spread(tx, from, into)?;
    diesel::delete(tags::table.find(from)).execute(&mut **tx)?;
    Ok(())
}

pub fn remove(tx: &mut Tx<'_>, household: &HouseholdId, id: &TagId) -> Result<()> {
    let gone = diesel::delete(tags::table.filter(tags::household_id.eq(household)).filter(tags::id.eq(id))).execute(&mut **tx)?;
    if gone == 0 { Err(Error::NotFound) } else { Ok(()) }
}
