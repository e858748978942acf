//! A list as a CSV file: what is shown and filtered, all pages of it, for a spreadsheet.
//!
//! The file is UTF-8 with a byte order mark, because Excel takes anything else for the letters of 1990; lines end as RFC 4180 says. A cell
//! that a spreadsheet would run as a formula begins with an apostrophe. The rows are loaded and sent two hundred at a time, and the access
//! is granted anew for each part: memory stays flat, no snapshot is held while somebody downloads slowly, and a share that ends, ends.

use std::collections::{BTreeSet, HashMap};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{self, Bytes},
};
use futures_util::stream;

use super::{
    Children, Kind, api,
    chart::{Loaded, headings},
    field::{FieldSpec, Input, Mode},
    linked,
    pages::{MARKS, Place, kind_of, patient_of},
    query::ListQuery,
};
use crate::{
    access::{self, Actor, Level, PatientAccess, View},
    app::App,
    audit::Action,
    auth::session::Signed,
    body,
    db::{
        Conn,
        types::{PatientId, RecordId},
    },
    directory::{Listed, Pharmacy, Practitioner},
    error::{Error, Result},
    page::note_read,
};

/// How many records are in memory at once.
const PART: usize = 200;
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// `GET /patients/{patient}/{kind}/csv`, asked like the list it is of. With `children=1` one row a component, occurrence or relative's
/// condition instead, each with its record.
pub async fn csv(app: web::Data<App>, signed: Signed, place: web::Path<Place>, request: HttpRequest) -> Result<HttpResponse> {
    let kind = kind_of(&place.kind)?;
    let patient = patient_of(&place.patient)?;
    let (asked, mut pairs): (Vec<_>, Vec<_>) = body::query(&request).into_iter().partition(|(name, _)| name == "children");
    pairs.retain(|(name, _)| !MARKS.contains(&name.as_str()));
    let children = asked.iter().any(|(_, value)| value == "1");
    let table = Table::of(kind, children)?;
    let (actor, of) = (signed.actor.clone(), patient.clone());
    let (ids, name) = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &actor, &of, app.clock.now())?;
            let chart = access.chart(kind)?;
            let query = ListQuery::parse(kind, &pairs, Mode::Typed(signed.me.dates.typing(app.clock.today()))).map_err(Error::Invalid)?;
            let ids = chart.ids(conn, &query)?;
            note_read(app, &access, Action::Downloaded, Some(kind.name), None);
            Ok((ids, file_name(&access.patient.given_name(), table.name(), &access.now.date().to_string())))
        })
        .await?;
    let export = Export { app: app.get_ref().clone(), actor: signed.actor, patient, kind, table, ids, done: 0, begun: false };
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"))
        .insert_header((header::CONTENT_DISPOSITION, disposition(&name)))
        .streaming(stream::try_unfold(export, Export::part)))
}

/// A download on its way.
struct Export {
    app: App,
    actor: Actor,
    patient: PatientId,
    kind: &'static Kind,
    table: Table,
    ids: Vec<RecordId>,
    done: usize,
    begun: bool,
}

impl Export {
    /// The next two hundred records; the first part brings the header row.
    async fn part(mut self) -> Result<Option<(Bytes, Self)>> {
        let next: Vec<RecordId> = self.ids.iter().skip(self.done).take(PART).cloned().collect();
        if next.is_empty() && self.begun {
            return Ok(None);
        }
        let (actor, patient, kind, table, first) = (self.actor.clone(), self.patient.clone(), self.kind, self.table, !self.begun);
        self.done += next.len();
        self.begun = true;
        let work = move |conn: &mut Conn, app: &App| {
            let access = access::grant::<View>(conn, &actor, &patient, app.clock.now())?;
            let rows = access.chart(kind)?.in_order(conn, &next)?;
            let names = Names::load(conn, &access, kind, &rows)?;
            table.write(&rows, &names, first)
        };
        let bytes = self.app.read(work).await?;
        Ok(Some((bytes, self)))
    }
}

/// Names behind the ids of one part.
#[derive(Default)]
struct Names(HashMap<String, String>);

impl Names {
    fn load<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, kind: &Kind, rows: &[Loaded]) -> Result<Self> {
        let ids = |wanted: fn(&Input) -> bool| {
            let columns = kind.fields.iter().enumerate().filter(|(_, spec)| wanted(&spec.input));
            let all = columns.flat_map(|(index, _)| rows.iter().filter_map(move |row| row.entry.get(index)));
            all.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
        };
        let practitioners = Practitioner::names_of(conn, &ids(|input| matches!(input, Input::Practitioner)))?;
        let pharmacies = Pharmacy::names_of(conn, &ids(|input| matches!(input, Input::Pharmacy)))?;
        let mut names: HashMap<String, String> = practitioners.into_iter().chain(pharmacies).collect();
        let linked: Vec<RecordId> = rows.iter().flat_map(|row| row.entry.head().links.values().cloned()).collect();
        names.extend(linked::names(conn, access, &ids(|input| matches!(input, Input::Patient)))?);
        names.extend(headings(conn, access, &linked)?.into_iter().map(|(id, head)| (id.to_string(), head.title)));
        Ok(Self(names))
    }
}

/// What the rows are.
#[derive(Clone, Copy)]
enum Table {
    Records(&'static Kind),
    Children(&'static Children),
}

/// The header's columns that no kind's field table has.
const BEFORE: [&str; 4] = ["id", "title", "occurred_on", "ended_on"];
const AFTER: [&str; 5] = ["tags", "source", "version", "created_at", "updated_at"];
const OF_RECORD: [&str; 4] = ["record_id", "record_title", "record_occurred_on", api::ORDER];

impl Table {
    fn of(kind: &'static Kind, children: bool) -> Result<Self> {
        if children { kind.children.as_ref().map(Self::Children).ok_or(Error::NotFound) } else { Ok(Self::Records(kind)) }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Records(kind) => kind.name,
            Self::Children(children) => children.name,
        }
    }

    /// The column names. What points at something has its name beside its id.
    fn columns(self) -> Vec<&'static str> {
        match self {
            Self::Records(kind) => {
                let fields = kind.fields.iter().flat_map(|spec| [Some(spec.name), name_column(spec)].into_iter().flatten());
                let children = kind.children.as_ref().map(|children| children.name);
                BEFORE.into_iter().chain(fields).chain(children).chain(AFTER).collect()
            }
            Self::Children(children) => OF_RECORD.into_iter().chain(children.fields.iter().map(|spec| spec.name)).collect(),
        }
    }

    fn write(self, rows: &[Loaded], names: &Names, first: bool) -> Result<Bytes> {
        let failed = |error: csv::Error| Error::Internal(format!("csv: {error}"));
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
        if first {
            writer.write_record(self.columns()).map_err(failed)?;
        }
        for row in rows {
            for cells in self.rows(row, names) {
                writer.write_record(cells.iter().map(|cell| defused(cell))).map_err(failed)?;
            }
        }
        let text = writer.into_inner().map_err(|error| Error::Internal(format!("csv: {}", error.error())))?;
        Ok(if first { Bytes::from([BYTE_ORDER_MARK, &text].concat()) } else { Bytes::from(text) })
    }

    fn rows(self, row: &Loaded, names: &Names) -> Vec<Vec<String>> {
        match self {
            Self::Records(kind) => vec![record(kind, row, names)],
            Self::Children(children) => (0..row.entry.child_count()).map(|place| child(children, row, place)).collect(),
        }
    }
}

fn record(kind: &Kind, row: &Loaded, names: &Names) -> Vec<String> {
    let head = &row.head;
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut cells = vec![head.id.to_string(), head.title.clone(), optional(&head.occurred_on), optional(&head.ended_on)];
    for (index, spec) in kind.fields.iter().enumerate() {
        let text = row.entry.get(index).unwrap_or_default();
        let name = name_column(spec).map(|_| names.0.get(&text).cloned().unwrap_or_default());
        cells.push(text);
        cells.extend(name);
    }
    if let Some(children) = &kind.children {
        let all = api::children_json(children, row.entry.as_ref());
        cells.push(if row.entry.child_count() == 0 { String::new() } else { all.to_string() });
    }
    let tags: Vec<&str> = row.tags.iter().map(|tag| tag.name.as_str()).collect();
    cells.extend([tags.join(", "), head.source.clone(), head.version.to_string(), moment(head.created_at), moment(head.updated_at)]);
    cells
}

fn child(children: &Children, row: &Loaded, place: usize) -> Vec<String> {
    let head = &row.head;
    let mut cells = vec![head.id.to_string(), head.title.clone(), head.occurred_on.clone().unwrap_or_default(), place.to_string()];
    cells.extend((0..children.fields.len()).map(|index| row.entry.child(place, index).unwrap_or_default()));
    cells
}

/// To the second: spreadsheets read no more.
fn moment(at: chrono::NaiveDateTime) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `practitioner` beside `practitioner_id`.
fn name_column(spec: &FieldSpec) -> Option<&'static str> {
    let points = matches!(spec.input, Input::Practitioner | Input::Pharmacy | Input::Patient | Input::Record(_));
    if points { spec.name.strip_suffix("_id") } else { None }
}

/// A cell no spreadsheet runs as a formula: what begins like one gets an apostrophe, unless it is a plain number.
pub(crate) fn defused(cell: &str) -> String {
    let risky = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if risky && !is_plain_number(cell) { format!("'{cell}") } else { cell.to_owned() }
}

fn is_plain_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
    [whole, decimals].iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

pub(crate) fn file_name(patient: &str, what: &str, day: &str) -> String {
    let patient: String = patient.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-')).take(40).collect();
    format!("{} {what} {day}.csv", patient.trim()).trim_start().replace(' ', "-")
}

/// The name twice (RFC 6266): in ASCII for whoever reads no more, and as it is.
pub(crate) fn disposition(name: &str) -> String {
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' }).collect();
    let mut full = String::new();
    for byte in name.bytes() {
        match byte {
            b'.' | b'-' | b'_' => full.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => full.push(char::from(byte)),
            _ => full.extend(format!("%{byte:02X}").chars()),
        }
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{full}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::kinds;

    #[test]
    fn formulas_are_defused_and_numbers_are_not() {
        for formula in
            ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\tx", "\r=1", "＝1", "-", "+", "-1.", "-.5", "-1.5e3", "--1", "-1.5.2"]
        {
            assert_eq!(defused(formula), format!("'{formula}"));
        }
        for plain in ["", "-1.5", "+3", "-10", "1.10", "<0.5", "aspirin", "a=b", "2021-03-14", "'x"] {
            assert_eq!(defused(plain), plain);
        }
    }

    #[test]
    fn a_file_is_named_for_everybody() {
        let name = file_name("Zoë \"x\"/..", "lab-results", "2026-03-14");
        assert_eq!(name, "Zoë-x-lab-results-2026-03-14.csv");
        let wanted = "attachment; filename=\"Zo_-x-lab-results-2026-03-14.csv\"; filename*=UTF-8''Zo%C3%AB-x-lab-results-2026-03-14.csv";
        assert_eq!(disposition(&name), wanted);
        assert_eq!(file_name("?", "vitals", "2026-03-14"), "vitals-2026-03-14.csv");
    }

    #[test]
    fn no_column_is_there_twice() {
        for kind in kinds() {
            for table in [Table::of(kind, false).ok(), Table::of(kind, true).ok()].into_iter().flatten() {
                let mut columns = table.columns();
                columns.sort_unstable();
                let count = columns.len();
                columns.dedup();
                assert_eq!(columns.len(), count, "{}: {columns:?}", table.name());
            }
        }
        assert!(Table::of(crate::records::kind("vitals").unwrap(), true).is_err());
    }
}
