//! What a list of documents can be asked for: page, words, category, record.

use diesel::prelude::*;

use super::{CATEGORIES, File};
use crate::{
    access::{Level, PatientAccess},
    db::{Conn, MultiBackend, schema::files, sql::among, types::RecordId},
    error::Result,
    records::{
        Head,
        chart::headings,
        field::{Errors, FieldError, Mode},
        overview,
    },
    text::fold,
};

type Rows = files::BoxedQuery<'static, MultiBackend>;

pub const PER_PAGE: i64 = 50;
const MOST_PER_PAGE: i64 = 200;
const LAST_PAGE: i64 = 1_000_000;
/// More documents than a patient has, for what is told of all of them at once.
const ALL: i64 = 100_000;
/// Longer than anybody's words for a document.
const LONGEST_WORDS: usize = 200;

/// Which record's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Of {
    #[default]
    Any,
    /// The patient's, without a record.
    None,
    Record(RecordId),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileQuery {
    pub page: i64,
    pub per_page: i64,
    /// Part of the name or the description, folded.
    pub q: String,
    pub category: Option<&'static str>,
    pub of: Of,
    pub trash: bool,
}

impl Default for FileQuery {
    fn default() -> Self {
        Self { page: 1, per_page: PER_PAGE, q: String::new(), category: None, of: Of::Any, trash: false }
    }
}

/// All living documents of a patient that this person sees, the newest first.
pub fn everything<L: Level>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<Vec<(File, Option<Head>)>> {
    of_patient(conn, access, &FileQuery { per_page: ALL, ..FileQuery::default() }).map(|(found, _)| found)
}

/// The word of the address for "without a record".
pub const WITHOUT: &str = "none";

impl FileQuery {
    /// Reads the query's pairs. Empty values are "any"; names that no list knows are an error for programs and nothing for people.
    pub fn read(pairs: &[(String, String)], mode: Mode) -> (Self, Errors) {
        let (mut query, mut errors) = (Self::default(), Errors::new());
        for (name, value) in pairs {
            let value = value.trim();
            if value.is_empty() && mode != Mode::Strict {
                continue;
            }
            if let Err(error) = query.take(name, value)
                && (mode == Mode::Strict || error != FieldError::UnknownField)
            {
                errors.push((name.clone(), error));
            }
        }
        (query, errors)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), FieldError> {
        let number = |max: i64| {
            let wrong = || FieldError::OutOfRange { min: "1".into(), max: max.to_string() };
            value.parse::<i64>().ok().filter(|n| (1..=max).contains(n)).ok_or_else(wrong)
        };
        match name {
            "page" => self.page = number(LAST_PAGE)?,
            "per_page" => self.per_page = number(MOST_PER_PAGE)?,
            "q" if value.contains(char::is_control) => return Err(FieldError::ControlCharacters),
            "q" => self.q = fold(&value.chars().take(LONGEST_WORDS).collect::<String>()),
            "category" => {
                let known = CATEGORIES.iter().find(|word| **word == value);
                self.category = Some(known.copied().ok_or(FieldError::UnknownChoice)?);
            }
            "record" if value == WITHOUT => self.of = Of::None,
            "record" => self.of = Of::Record(RecordId::parse(value).ok_or(FieldError::NoSuchRecord)?),
            _ => return Err(FieldError::UnknownField),
        }
        Ok(())
    }

    pub fn is_narrowed(&self) -> bool {
        !self.q.is_empty() || self.category.is_some() || self.of != Of::Any
    }

    /// The rows this asks for, of those given.
    pub(super) fn narrow(&self, mut rows: Rows) -> Rows {
        rows = if self.trash { rows.filter(files::deleted_at.is_not_null()) } else { rows.filter(files::deleted_at.is_null()) };
        if let Some(category) = self.category {
            rows = rows.filter(files::category.eq(category));
        }
        rows = match &self.of {
            Of::Any => rows,
            Of::None => rows.filter(files::record_id.is_null()),
            Of::Record(record) => rows.filter(files::record_id.eq(record.clone())),
        };
        // Every word somewhere in it; a person's percent sign is a percent sign.
        for word in self.q.split_whitespace() {
            let plain = word.replace('!', "!!").replace('%', "!%").replace('_', "!_");
            rows = rows.filter(files::folded.like(format!("%{plain}%")).escape('!'));
        }
        rows
    }

    /// One page of them, the newest first.
    pub(super) fn page_of(&self, rows: Rows) -> Rows {
        let from = (self.page - 1).saturating_mul(self.per_page);
        self.narrow(rows).order((files::uploaded_at.desc(), files::id.desc())).limit(self.per_page).offset(from)
    }
}

/// Documents of a patient, each with the record it belongs to.
pub type Found = Vec<(File, Option<Head>)>;

/// A page of the documents that this person sees, each with the record it belongs to, and how many there are. The same few statements,
/// however many rows.
pub fn of_patient<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, query: &FileQuery) -> Result<(Found, i64)> {
    let of_patient = || files::table.filter(files::patient_id.eq(access.id().clone())).into_boxed::<MultiBackend>();
    let whole = access.scope().is_whole();
    let seen = if whole {
        Vec::new()
    } else {
        let named: Vec<Option<RecordId>> = of_patient().select(files::record_id).distinct().load(conn)?;
        let named: Vec<RecordId> = named.into_iter().flatten().collect();
        headings(conn, access, &named)?.into_keys().collect()
    };
    let among = among(conn, "files.record_id", &seen);
    let mine = || if whole { of_patient().filter(overview::paper_lives()) } else { of_patient().filter(among.clone()) };
    let total = query.narrow(mine()).count().get_result(conn)?;
    let rows: Vec<File> = query.page_of(mine()).select(File::as_select()).load(conn)?;
    let ids: Vec<RecordId> = rows.iter().filter_map(|file| file.record_id.clone()).collect();
    let heads = headings(conn, access, &ids)?;
    Ok((rows.into_iter().filter_map(|file| super::seen(access, &heads, file)).collect(), total))
}

/// The records that have documents, as far as this person sees them; no more than anybody chooses from.
pub fn records_with_papers<L: Level>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<Vec<Head>> {
    let named: Vec<Option<RecordId>> = files::table
        .filter(files::patient_id.eq(access.id()))
        .filter(files::record_id.is_not_null())
        .filter(files::deleted_at.is_null())
        .select(files::record_id)
        .distinct()
        .limit(MOST_PER_PAGE)
        .load(conn)?;
    let named: Vec<RecordId> = named.into_iter().flatten().collect();
    let mut heads: Vec<Head> = headings(conn, access, &named)?.into_values().collect();
    heads.sort_by_cached_key(|head| (fold(&head.title), head.id.clone()));
    Ok(heads)
}

/// Which part of a list a page shows, and the addresses of its neighbours.
#[derive(Debug, Default)]
pub struct Paging {
    pub first: i64,
    pub last: i64,
    pub total: i64,
    pub previous: Option<String>,
    pub next: Option<String>,
}

/// What of an address belongs to the list that was asked for.
const ASKED: &[&str] = &["q", "category", "record", "per_page", "trash", "household"];

impl Paging {
    pub fn new(base: &str, pairs: &[(String, String)], query: &FileQuery, shown: usize, total: i64) -> Self {
        let shown = i64::try_from(shown).unwrap_or_default();
        let before = (query.page - 1).saturating_mul(query.per_page);
        let page = |number: i64| {
            let number = number.to_string();
            let asked = pairs.iter().filter(|(name, value)| ASKED.contains(&name.as_str()) && !value.is_empty());
            let pairs: Vec<(&str, &str)> =
                asked.map(|(name, value)| (name.as_str(), value.as_str())).chain([("page", number.as_str())]).collect();
            serde_urlencoded::to_string(pairs).map_or_else(|_| base.to_owned(), |query| format!("{base}?{query}"))
        };
        Self {
            first: if shown == 0 { 0 } else { before + 1 },
            last: before + shown,
            total,
            previous: (query.page > 1).then(|| page(query.page - 1)),
            next: (before + shown < total).then(|| page(query.page + 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, mode: Mode) -> (FileQuery, Errors) {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(text).unwrap();
        FileQuery::read(&pairs, mode)
    }

    #[test]
    fn what_is_asked_for_is_read_and_the_rest_is_told() {
        let (query, errors) = read("page=2&per_page=20&q=L%C3%A9tter&category=letter&record=none", Mode::Strict);
        assert!(errors.is_empty() && query.is_narrowed());
        assert_eq!((query.page, query.per_page, query.q.as_str(), query.category), (2, 20, "letter", Some("letter")));
        assert_eq!(query.of, Of::None);
        for wrong in ["page=0", "per_page=201", "category=secret", "record=a/b", "color=red", "q=%01", "page="] {
            let (_, errors) = read(wrong, Mode::Strict);
            assert_eq!(errors.len(), 1, "{wrong}");
        }
        let typing = crate::i18n::DateStyle::parse("").typing(chrono::NaiveDate::from_ymd_opt(2026, 3, 14).unwrap());
        let (query, errors) = read("done=added&category=&page=", Mode::Typed(typing));
        assert_eq!((query, errors.len()), (FileQuery::default(), 0));
    }
}
