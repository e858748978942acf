//! The rows of a list in one statement: of each record only the columns that the list shows, as the texts in which they stand. Whole
//! records ([`super::chart::Loaded`]) are for pages that change or export them.

use std::collections::HashMap;

use diesel::{
    QueryResult, RunQueryDsl,
    sql_types::{BigInt, Integer, Nullable, Text},
};

use super::{
    Kind,
    field::{FieldSpec, Input, Place, Unit},
    query::{Condition, ListQuery, order},
};
use crate::{
    db::{Conn, sql::among, statement::Statement, types::RecordId},
    tags::Tag,
};

/// As many columns as a list can show, units and severity included; a test holds every kind to it.
pub const MOST: usize = 12;

type Cell = Option<String>;
pub(super) type Cells = (Cell, Cell, Cell, Cell, Cell, Cell, Cell, Cell, Cell, Cell, Cell, Cell);
type CellType = Nullable<Text>;
pub(super) type CellTypes =
    (CellType, CellType, CellType, CellType, CellType, CellType, CellType, CellType, CellType, CellType, CellType, CellType);

/// One record as its list shows it.
#[derive(Clone, Debug)]
pub struct Row {
    pub id: RecordId,
    pub title: String,
    pub version: i32,
    /// System and code of records that are joined under one heading, where that was asked for.
    pub code: Option<String>,
    pub tags: Vec<Tag>,
    /// Its children in brief.
    pub children: Option<InBrief>,
    /// In the order of [`columns`].
    cells: [Cell; MOST],
}

/// What a list says of a record's children.
#[derive(Clone, Debug)]
pub struct InBrief {
    pub count: i64,
    /// The first one's.
    pub value: Option<String>,
    pub unit: Option<String>,
    pub flag: Option<String>,
    /// How many are out of range.
    pub flagged: i64,
}

impl Row {
    /// A row that is told on a page of all kinds, without tags and children.
    pub(super) fn brief(id: RecordId, title: String, version: i32, cells: Cells) -> Self {
        Self { id, title, version, code: None, tags: Vec::new(), children: None, cells: cells.into() }
    }
    pub fn cell(&self, place: usize) -> Option<&str> {
        self.cells.get(place).and_then(Option::as_deref)
    }
}

/// The fields whose texts a list needs, by index into the kind's: what it shows, the units beside, and how severe an allergy is.
pub fn columns(kind: &Kind) -> Vec<usize> {
    let unit = |spec: &FieldSpec| match spec.unit() {
        Some(Unit::Column(name) | Unit::Free(name)) => kind.field(name).map(|(index, _)| index),
        _ => None,
    };
    let shown = |(index, spec): (usize, &&FieldSpec)| spec.in_list.then_some(index);
    let mut all: Vec<usize> = kind.fields.iter().enumerate().filter_map(shown).collect();
    all.extend(kind.fields.iter().filter(|spec| spec.in_list).filter_map(|spec| unit(spec)));
    let pair = |spec: &FieldSpec| spec.pair.and_then(|(name, _)| kind.field(name)).map(|(index, _)| index);
    all.extend(kind.fields.iter().filter(|spec| spec.in_list).filter_map(|spec| pair(spec)));
    all.extend(kind.field("severity").map(|(index, _)| index));
    let mut seen = std::collections::HashSet::new();
    all.retain(|index| seen.insert(*index));
    all
}

/// A column as text, as the field table gives it.
fn column(spec: &FieldSpec) -> String {
    let name = spec.name;
    match (spec.place, spec.input) {
        (Place::Link, _) => "CAST(NULL AS TEXT)".to_owned(),
        (Place::Head, _) => format!("records.{name}"),
        (Place::Detail, Input::Integer { .. }) => format!("CAST(d.{name} AS TEXT)"),
        (Place::Detail, Input::Flag) => format!("CASE WHEN d.{name} THEN 'true' WHEN NOT d.{name} THEN 'false' END"),
        (Place::Detail, _) => format!("d.{name}"),
    }
}

/// The columns of a kind's list as texts, filled up to as many as any list has.
pub(super) fn cells(kind: &Kind) -> Vec<String> {
    let mut cells: Vec<String> = columns(kind).iter().filter_map(|index| kind.fields.get(*index)).map(|spec| column(spec)).collect();
    cells.resize(MOST, "CAST(NULL AS TEXT)".to_owned());
    cells
}

/// One page of the records of a kind that meet all conditions (whose first is the access's), without their tags.
pub(super) fn load(conn: &mut Conn, kind: &Kind, query: &ListQuery, conditions: Vec<Condition>) -> QueryResult<Vec<Row>> {
    let cells = cells(kind);
    let joined = kind.joined_by_code && query.sort.is_none();
    let code = if joined {
        "(SELECT c.system || '|' || c.code FROM record_codes c WHERE c.record_id = records.id AND c.position = 0)"
    } else {
        "CAST(NULL AS TEXT)"
    };
    // `LEFT JOIN` keeps both databases on the order of `records`, whose index gives the page without sorting.
    let mut page: Statement<(Text, Text, Integer, CellType, CellTypes)> = Statement::new(format!(
        "SELECT records.id, records.title, records.version, {code}, {} FROM records LEFT JOIN {} d ON d.record_id = records.id \
         WHERE d.record_id IS NOT NULL AND records.deleted_at IS NULL",
        cells.join(", "),
        kind.table
    ));
    for condition in conditions {
        page = page.words(" AND (").part(condition).words(")");
    }
    let page = page.words(format!(" ORDER BY {} LIMIT ", order(kind, query))).number(query.per_page);
    let page = page.words(" OFFSET ").number((query.page - 1).saturating_mul(query.per_page));
    let rows: Vec<(RecordId, String, i32, Cell, Cells)> = page.load(conn)?;
    Ok(rows
        .into_iter()
        .map(|(id, title, version, code, cells)| Row { id, title, version, code, tags: Vec::new(), children: None, cells: cells.into() })
        .collect())
}

/// Adds what the list says of the children; one statement, however many rows.
pub(super) fn add_children(conn: &mut Conn, kind: &Kind, rows: &mut [Row]) -> QueryResult<()> {
    let Some((table, brief)) = kind.children.as_ref().and_then(|children| Some((children.table, children.brief?))) else { return Ok(()) };
    if rows.is_empty() {
        return Ok(());
    }
    let first = |column: Option<&str>| {
        column.map_or_else(|| "CAST(NULL AS TEXT)".to_owned(), |c| format!("MAX(CASE WHEN c.display_order = 0 THEN c.{c} END)"))
    };
    let flagged = brief.flag.map_or_else(|| "COUNT(NULL)".to_owned(), |c| format!("COUNT(CASE WHEN c.{c} <> 'normal' THEN 1 END)"));
    let select = format!(
        "SELECT c.record_id, COUNT(*), {}, {}, {}, {flagged} FROM {table} c WHERE ",
        first(Some(brief.value)),
        first(brief.unit),
        first(brief.flag)
    );
    let ids: Vec<&RecordId> = rows.iter().map(|row| &row.id).collect();
    let counted: Statement<(Text, BigInt, CellType, CellType, CellType, BigInt)> =
        Statement::new(select).part(among(conn, "c.record_id", &ids)).words(" GROUP BY c.record_id");
    let found: Vec<(RecordId, i64, Cell, Cell, Cell, i64)> = counted.load(conn)?;
    let mut found: HashMap<RecordId, InBrief> =
        found.into_iter().map(|(id, count, value, unit, flag, flagged)| (id, InBrief { count, value, unit, flag, flagged })).collect();
    for row in rows {
        row.children = found.remove(&row.id);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{MOST, columns};

    #[test]
    fn every_list_fits() {
        for kind in crate::records::kinds() {
            let count = columns(kind).len();
            assert!((1..=MOST).contains(&count), "{} shows {count}", kind.name);
        }
    }
}
