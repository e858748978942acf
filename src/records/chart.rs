//! A patient's records of one kind: the only place that reads and writes them. Version, audit and search entry are written here, in the
//! transaction of the change, so that no change can be without them.

mod write;

pub use write::purge;

use std::collections::{HashMap, HashSet};

use diesel::{
    prelude::*,
    sql_types::{Bool, Nullable, Text},
};
use serde_json::{Value, json};

use super::{
    AnyRecord, Kind, linked,
    query::{Condition, ListQuery, narrowed, order, visible},
    rows::{self, Row},
    schema::{record_links, record_versions, records},
    staged,
    stored::{self, Head},
    version::Version,
};
use crate::{
    access::{Level, PatientAccess},
    db::{
        Conn, MultiBackend, search,
        sql::{among, worded},
        types::RecordId,
    },
    error::{Error, Result},
    tags::{self, Tag},
};

/// The records of one kind within one access.
pub struct Chart<'a, L: Level> {
    access: &'a PatientAccess<L>,
    kind: &'static Kind,
}

/// A record as loaded.
pub struct Loaded {
    pub head: Head,
    pub entry: Box<dyn AnyRecord>,
    pub tags: Vec<Tag>,
}

/// A record with what it is tied to, and the heads of the records it names.
pub struct Tied {
    pub record: Loaded,
    pub links: Vec<LinkedRecord>,
    pub heads: HashMap<RecordId, Head>,
    /// Who made the record what it is.
    pub changed_by: String,
    /// It came from a file, whose original can be looked at.
    pub imported: bool,
}

/// A tie from this record to another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub relation: String,
    pub to: RecordId,
    pub note: Option<String>,
}

impl Link {
    pub fn to_json(&self) -> Value {
        json!({"relation": self.relation, "to": self.to, "note": self.note})
    }
    pub fn from_json(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        Some(Self { relation: text("relation")?.to_owned(), to: RecordId::parse(text("to")?)?, note: text("note").map(str::to_owned) })
    }
}

/// A tie as seen from one of its ends.
#[derive(Clone, Debug)]
pub struct LinkedRecord {
    pub relation: String,
    pub note: Option<String>,
    /// The other record points at this one.
    pub incoming: bool,
    pub id: RecordId,
    pub kind: String,
    pub title: String,
    pub occurred_on: Option<String>,
}

impl LinkedRecord {
    fn new(relation: &str, note: Option<&str>, incoming: bool, other: &Head) -> Self {
        Self {
            relation: relation.to_owned(),
            note: note.map(str::to_owned),
            incoming,
            id: other.id.clone(),
            kind: other.kind.clone(),
            title: other.title.clone(),
            occurred_on: other.occurred_on.clone(),
        }
    }
}

/// A row of `record_links`: from, to, relation, note.
type Tie = (RecordId, RecordId, String, Option<String>);

/// What is to be stored. `None` for tags or links leaves them as they are.
pub struct Draft {
    pub entry: Box<dyn AnyRecord>,
    pub tags: Option<Vec<String>>,
    pub links: Option<Vec<Link>>,
    /// Who says so: `person`, `api`, `import:...`.
    pub source: String,
}

/// The relations a person may choose; columns that are links have their own.
pub const RELATIONS: &[&str] = &["related", "treats", "caused_by", "result_for", "follows"];

impl<'a, L: Level> Chart<'a, L> {
    /// Made by [`PatientAccess::chart`] alone, which has checked the kind.
    pub(crate) fn new(access: &'a PatientAccess<L>, kind: &'static Kind) -> Self {
        Self { access, kind }
    }
    pub fn kind(&self) -> &'static Kind {
        self.kind
    }
    pub fn access(&self) -> &'a PatientAccess<L> {
        self.access
    }
    fn mine(&self) -> Condition {
        Box::new(visible(self.access).and(records::kind.eq(self.kind.name)))
    }
}

impl<L: Level> Chart<'_, L> {
    /// One page, and how many there are in all.
    pub fn list(&self, conn: &mut Conn, query: &ListQuery) -> Result<(Vec<Loaded>, i64)> {
        let found = self.found(conn, query)?;
        let rows = self.page_of(conn, query, found.as_deref())?;
        let total = self.selection(query, found.as_deref()).count().get_result(conn)?;
        Ok((rows, total))
    }

    /// One page as a list shows it; `known` is how many there are, where nothing narrows the list and the caller has counted.
    pub fn rows(&self, conn: &mut Conn, query: &ListQuery, known: i64) -> Result<(Vec<Row>, i64)> {
        let found = self.found(conn, query)?;
        let mut conditions = vec![self.mine()];
        conditions.extend(narrowed(self.kind, query));
        if let Some(ids) = &found {
            conditions.push(Box::new(among(conn, "records.id", ids)));
        }
        let mut rows = rows::load(conn, self.kind, query, conditions)?;
        rows::add_children(conn, self.kind, &mut rows)?;
        let ids: Vec<&RecordId> = rows.iter().map(|row| &row.id).collect();
        let mut tags = tags::of_records(conn, &ids)?;
        for row in &mut rows {
            row.tags = tags.remove(&row.id).unwrap_or_default();
        }
        let total = if query.is_narrowed() { self.selection(query, found.as_deref()).count().get_result(conn)? } else { known };
        Ok((rows, total))
    }

    fn page_of(&self, conn: &mut Conn, query: &ListQuery, found: Option<&[RecordId]>) -> Result<Vec<Loaded>> {
        let heads: Vec<Head> = self
            .selection(query, found)
            .order(worded::<Text>(order(self.kind, query)))
            .limit(query.per_page)
            .offset((query.page - 1).saturating_mul(query.per_page))
            .select(Head::as_select())
            .load(conn)?;
        self.shown(conn, heads, false)
    }

    /// The records in which the query's words stand, if it has any.
    fn found(&self, conn: &mut Conn, query: &ListQuery) -> Result<Option<Vec<RecordId>>> {
        query.q.as_deref().map(|q| search::find(conn, &[self.access.id()], q)).transpose()
    }

    fn selection(&self, query: &ListQuery, found: Option<&[RecordId]>) -> records::BoxedQuery<'static, MultiBackend> {
        let mut b = records::table.filter(self.mine()).filter(records::deleted_at.is_null()).into_boxed::<MultiBackend>();
        for condition in narrowed(self.kind, query) {
            b = b.filter(condition);
        }
        if let Some(ids) = found {
            b = b.filter(records::id.eq_any(ids.to_vec()));
        }
        b
    }

    /// The ids of the whole list in its order, for what goes through all of it part by part (see [`Chart::in_order`]).
    pub fn ids(&self, conn: &mut Conn, query: &ListQuery) -> Result<Vec<RecordId>> {
        let found = self.found(conn, query)?;
        Ok(self.selection(query, found.as_deref()).order(worded::<Text>(order(self.kind, query))).select(records::id).load(conn)?)
    }

    /// These records, in this order; those that are gone meanwhile are left out.
    pub fn in_order(&self, conn: &mut Conn, ids: &[RecordId]) -> Result<Vec<Loaded>> {
        let mut found = self.some(conn, ids)?;
        Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
    }

    pub fn get(&self, conn: &mut Conn, id: &RecordId) -> Result<Loaded> {
        let mut found = self.find(conn, id, false)?;
        linked::hide(conn, self.access, self.kind, std::iter::once(&mut found.entry))?;
        Ok(found)
    }

    /// Those of these records that are here and not in the trash, in a few statements however many.
    pub fn some(&self, conn: &mut Conn, ids: &[RecordId]) -> Result<HashMap<RecordId, Loaded>> {
        let mut found = HashMap::new();
        // SQLite and PostgreSQL both bound the number of values in one statement.
        for ids in ids.chunks(500) {
            let heads: Vec<Head> = records::table
                .filter(self.mine())
                .filter(among(conn, "records.id", ids))
                .filter(records::deleted_at.is_null())
                .select(Head::as_select())
                .load(conn)?;
            found.extend(self.shown(conn, heads, false)?.into_iter().map(|loaded| (loaded.head.id.clone(), loaded)));
        }
        Ok(found)
    }

    /// The version a living record is at.
    pub fn version(&self, conn: &mut Conn, id: &RecordId) -> Result<i32> {
        let mine = records::table.filter(self.mine()).filter(records::id.eq(id)).filter(records::deleted_at.is_null());
        mine.select(records::version).first(conn).optional()?.ok_or(Error::NotFound)
    }

    /// The record as it is stored, with what may be hidden from this person (see [`linked`]).
    fn find(&self, conn: &mut Conn, id: &RecordId, trashed: bool) -> Result<Loaded> {
        let head = self.find_head(conn, id, trashed)?;
        self.complete(conn, vec![head], false)?.pop().ok_or(Error::NotFound)
    }

    fn find_head(&self, conn: &mut Conn, id: &RecordId, trashed: bool) -> Result<Head> {
        let mut query = records::table.filter(self.mine()).filter(records::id.eq(id)).into_boxed();
        query = if trashed { query.filter(records::deleted_at.lt(staged::unseen())) } else { query.filter(records::deleted_at.is_null()) };
        query.select(Head::as_select()).first(conn).optional()?.ok_or(Error::NotFound)
    }

    /// The head of a record that lies in the trash.
    pub fn trashed(&self, conn: &mut Conn, id: &RecordId) -> Result<Head> {
        self.find_head(conn, id, true)
    }

    /// A record with its ties, for its page: one look at them gives both the links and the columns that are links.
    pub fn get_tied(&self, conn: &mut Conn, id: &RecordId) -> Result<Tied> {
        let author = "(SELECT v.actor_name FROM record_versions v WHERE v.record_id = records.id AND v.version = records.version)";
        let origin = "EXISTS (SELECT 1 FROM record_origins o WHERE o.record_id = records.id AND o.patient_id = records.patient_id)";
        let found: Option<(Head, Option<String>, bool)> = records::table
            .filter(self.mine())
            .filter(records::id.eq(id))
            .filter(records::deleted_at.is_null())
            .select((Head::as_select(), worded::<Nullable<Text>>(author), worded::<Bool>(origin)))
            .first(conn)
            .optional()?;
        let (head, author, imported) = found.ok_or(Error::NotFound)?;
        let mut record = self.shown(conn, vec![head], true)?.pop().ok_or(Error::NotFound)?;
        let (ties, heads) = self.ties(conn, &[id])?;
        for (_, to, relation, _) in ties.iter().filter(|(from, ..)| from == id) {
            if let Some((_, spec)) = self.kind.field(relation) {
                record.entry.head_mut().links.insert(spec.name, to.clone());
            }
        }
        let links = self.linked(&[id], &ties, &heads).remove(id).unwrap_or_default();
        Ok(Tied { record, links, heads, changed_by: author.unwrap_or_default(), imported })
    }

    /// As [`Chart::complete`], as far as this person may see it.
    fn shown(&self, conn: &mut Conn, heads: Vec<Head>, lean: bool) -> Result<Vec<Loaded>> {
        let mut rows = self.complete(conn, heads, lean)?;
        linked::hide(conn, self.access, self.kind, rows.iter_mut().map(|row| &mut row.entry))?;
        Ok(rows)
    }

    /// Details, children, column links and tags of these heads: a statement each, however many rows.
    fn complete(&self, conn: &mut Conn, heads: Vec<Head>, lean: bool) -> Result<Vec<Loaded>> {
        let mut entries = if lean { stored::load_details(conn, self.kind, &heads)? } else { stored::load(conn, self.kind, &heads)? };
        let ids: Vec<&RecordId> = heads.iter().map(|head| &head.id).collect();
        let mut tags = tags::of_records(conn, &ids)?;
        Ok(heads
            .into_iter()
            .filter_map(|head| {
                let entry = entries.remove(&head.id)?;
                let tags = tags.remove(&head.id).unwrap_or_default();
                Some(Loaded { head, entry, tags })
            })
            .collect())
    }

    /// Ties from and to this record, but for those that are its columns. Ends outside the access are not shown.
    pub fn links(&self, conn: &mut Conn, id: &RecordId) -> Result<Vec<LinkedRecord>> {
        Ok(self.links_of(conn, &[id])?.remove(id).unwrap_or_default())
    }

    /// As [`Chart::links`], for many records: two statements, however many rows.
    pub fn links_of(&self, conn: &mut Conn, ids: &[&RecordId]) -> Result<HashMap<RecordId, Vec<LinkedRecord>>> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let (ties, heads) = self.ties(conn, ids)?;
        Ok(self.linked(ids, &ties, &heads))
    }

    /// The ties of these records, and the heads of all their ends that this access shows.
    fn ties(&self, conn: &mut Conn, ids: &[&RecordId]) -> Result<(Vec<Tie>, HashMap<RecordId, Head>)> {
        let mine: Vec<RecordId> = ids.iter().map(|id| (*id).clone()).collect();
        let rows: Vec<Tie> = record_links::table
            .filter(record_links::patient_id.eq(self.access.id()))
            .filter(record_links::from_id.eq_any(mine.clone()).or(record_links::to_id.eq_any(mine)))
            .order((record_links::created_at, record_links::relation, record_links::to_id))
            .select((record_links::from_id, record_links::to_id, record_links::relation, record_links::relevance_note))
            .load(conn)?;
        // Where both ends were asked for, the heading of each is needed for the other.
        let ends: HashSet<&RecordId> = rows.iter().flat_map(|(from, to, ..)| [from, to]).collect();
        let heads = headings(conn, self.access, &ends.into_iter().cloned().collect::<Vec<_>>())?;
        Ok((rows, heads))
    }

    fn linked(&self, ids: &[&RecordId], ties: &[Tie], heads: &HashMap<RecordId, Head>) -> HashMap<RecordId, Vec<LinkedRecord>> {
        let mut all: HashMap<RecordId, Vec<LinkedRecord>> = HashMap::new();
        let asked: HashSet<&RecordId> = ids.iter().copied().collect();
        for (from, to, relation, note) in ties {
            if asked.contains(from)
                && self.kind.field(relation).is_none()
                && let Some(other) = heads.get(to)
            {
                all.entry(from.clone()).or_default().push(LinkedRecord::new(relation, note.as_deref(), false, other));
            }
            if asked.contains(to)
                && let Some(other) = heads.get(from)
            {
                all.entry(to.clone()).or_default().push(LinkedRecord::new(relation, note.as_deref(), true, other));
            }
        }
        all
    }

    /// Ties from this record that are not its columns, as a version keeps them.
    pub fn outgoing(&self, conn: &mut Conn, id: &RecordId) -> Result<Vec<Link>> {
        let rows: Vec<(String, RecordId, Option<String>)> = record_links::table
            .filter(record_links::from_id.eq(id))
            .order((record_links::relation, record_links::to_id))
            .select((record_links::relation, record_links::to_id, record_links::relevance_note))
            .load(conn)?;
        Ok(rows
            .into_iter()
            .filter(|(relation, ..)| self.kind.field(relation).is_none())
            .map(|(relation, to, note)| Link { relation, to, note })
            .collect())
    }

    /// Every version, newest first.
    pub fn versions(&self, conn: &mut Conn, id: &RecordId) -> Result<Vec<Version>> {
        let known = records::table.filter(self.mine()).filter(records::id.eq(id)).select(records::id).first::<RecordId>(conn).optional()?;
        known.ok_or(Error::NotFound)?;
        let mut versions: Vec<Version> = record_versions::table
            .filter(record_versions::record_id.eq(id))
            .order(record_versions::version.desc())
            .select(Version::as_select())
            .load(conn)?;
        linked::hide_in_versions(conn, self.access, self.kind, &mut versions)?;
        Ok(versions)
    }
}

/// Title and kind of records within the access, whatever their kind.
pub fn headings<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, ids: &[RecordId]) -> Result<HashMap<RecordId, Head>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let heads: Vec<Head> = records::table
        .filter(visible(access))
        .filter(among(conn, "records.id", ids))
        .filter(records::deleted_at.is_null())
        .select(Head::as_select())
        .load(conn)?;
    Ok(heads.into_iter().map(|head| (head.id.clone(), head)).collect())
}
