//! An invented family to look around in: five people and two accounts, put into an empty installation. Dates are told from today, so that the
//! records are always fresh.

mod dates;

use std::collections::HashMap;

use chrono::{NaiveDate, NaiveDateTime};
use diesel::prelude::*;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    access::{self, Actor, Own, PatientAccess, Via},
    app::App,
    auth::{
        accounts::{self, Details, NewAccount},
        token_text::SetupCode,
    },
    db::{
        Tx,
        schema::{households, users},
        types::{HouseholdId, PatientId, RecordId, UserId},
    },
    directory::{Listed, Pharmacy, Practice, Practitioner},
    error::{Error, Result},
    patients::{self, NewPatient, PatientFields},
    records::{
        self, Context, Kind,
        chart::{Draft, Link},
        field::{Errors, Mode},
        input::{self, Raw},
    },
    tags,
};

const DIRECTORY: &str = include_str!("../data/demo/directory.json");
const PEOPLE: &[(&str, &str)] = &[
    ("ada", include_str!("../data/demo/ada.json")),
    ("elias", include_str!("../data/demo/elias.json")),
    ("zoe", include_str!("../data/demo/zoe.json")),
    ("grace", include_str!("../data/demo/grace.json")),
    ("ruth", include_str!("../data/demo/ruth.json")),
];
/// What every record of it says of where it comes from.
const SOURCE: &str = "person";

type Texts = Map<String, Value>;

#[derive(Deserialize)]
struct Book {
    household: String,
    people: Vec<String>,
    both_own: Vec<String>,
    users: Vec<Login>,
    practices: Vec<Texts>,
    practitioners: Vec<Texts>,
    pharmacies: Vec<Texts>,
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
struct Login {
    key: String,
    username: String,
    full_name: String,
    email: String,
    role: String,
}

#[derive(Deserialize)]
struct Tag {
    name: String,
    color: String,
}

#[derive(Deserialize)]
struct Person {
    key: String,
    user: String,
    born: String,
    patient: Texts,
    none_known: Vec<String>,
    records: Vec<Texts>,
}

/// What was put in.
#[derive(Clone, Debug, Default)]
pub struct Filled {
    /// User names and passwords, to be shown once.
    pub accounts: Vec<(String, String)>,
    pub people: usize,
    pub records: usize,
    /// Records of kinds this program does not have, by kind.
    pub skipped: Vec<(String, usize)>,
}

/// An account about to be made.
struct Member {
    key: String,
    account: NewAccount,
}

/// Fills the installation, in one transaction; nothing if there is an account already.
pub fn fill(app: &App) -> Result<Option<Filled>> {
    if app.db.read(accounts::any)? {
        return Ok(None);
    }
    let book: Book = read(DIRECTORY)?;
    let mut filled = Filled::default();
    let mut members = Vec::new();
    for login in &book.users {
        let password = SetupCode::generate().map_err(|error| Error::Internal(error.to_string()))?.to_string();
        members.push(Member { key: login.key.clone(), account: login.account(accounts::hash(app, &password)?) });
        filled.accounts.push((login.username.clone(), password));
    }
    let now = app.clock.now();
    app.db.write(|tx| {
        if accounts::any(tx)? {
            return Ok(None);
        }
        let mut work = Work::begin(tx, &book, &members, now)?;
        for key in &book.people {
            work.person(tx, key)?;
        }
        let mut skipped: Vec<(String, usize)> = work.skipped.into_iter().collect();
        skipped.sort();
        Ok(Some(Filled { people: book.people.len(), records: work.records, skipped, ..filled.clone() }))
    })
}

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::Internal(format!("demo data: {error}")))
}

impl Login {
    fn account(&self, password_hash: String) -> NewAccount {
        NewAccount {
            details: Details { full_name: self.full_name.clone(), username: self.username.clone(), email: self.email.clone() },
            role: if self.role == "admin" { "admin" } else { "user" },
            password_hash,
            address: None,
            by_command: true,
            household: None,
        }
    }
}

/// The loading while it runs.
struct Work<'a> {
    book: &'a Book,
    now: NaiveDateTime,
    actors: HashMap<String, Actor>,
    /// Ids of the directory's entries, by key.
    ends: HashMap<String, String>,
    records: usize,
    skipped: HashMap<String, usize>,
}

impl<'a> Work<'a> {
    fn begin(tx: &mut Tx<'_>, book: &'a Book, members: &[Member], now: NaiveDateTime) -> Result<Self> {
        let mut actors = HashMap::new();
        let mut household: Option<HouseholdId> = None;
        for member in members {
            let new = NewAccount { household: household.clone(), ..member.account.clone() };
            let user = accounts::create(tx, &new, now)?;
            if household.is_none() {
                let id: HouseholdId = users::table.find(&user).select(users::household_id).first(&mut **tx)?;
                diesel::update(households::table.find(&id)).set(households::name.eq(&book.household)).execute(&mut **tx)?;
                household = Some(id);
            }
            let name = new.details.full_name;
            actors.insert(member.key.clone(), Actor { user, name, via: Via::Cli, address: None });
        }
        let household = household.ok_or_else(|| wrong("no users"))?;
        let mut work = Self { book, now, actors, ends: HashMap::new(), records: 0, skipped: HashMap::new() };
        work.directory(tx, &household)?;
        for tag in &book.tags {
            tags::ensure(tx, &household, &tag.name, Some(&tag.color), now)?;
        }
        Ok(work)
    }

    /// Practices first: practitioners name them.
    fn directory(&mut self, tx: &mut Tx<'_>, household: &HouseholdId) -> Result<()> {
        let book = self.book;
        for texts in &book.practices {
            self.entry::<Practice>(tx, household, texts, Vec::new())?;
        }
        for texts in &book.practitioners {
            let practice = text(texts, "practice").and_then(|key| key.strip_prefix('@'));
            let named = practice.and_then(|key| book.practices.iter().find(|p| text(p, "key") == Some(key))).and_then(|p| text(p, "name"));
            let mut more = Vec::new();
            if let (Some(key), Some(name)) = (practice, named) {
                more.push(("practice".to_owned(), name.to_owned()));
                more.push(("practice_id".to_owned(), self.end(key)?));
            }
            self.entry::<Practitioner>(tx, household, texts, more)?;
        }
        for texts in &book.pharmacies {
            self.entry::<Pharmacy>(tx, household, texts, Vec::new())?;
        }
        Ok(())
    }

    fn entry<T: Listed>(&mut self, tx: &mut Tx<'_>, household: &HouseholdId, texts: &Texts, more: Vec<(String, String)>) -> Result<()> {
        let mut pairs: Vec<(String, String)> =
            plain(texts).filter(|(name, value)| *name != "key" && !value.starts_with('@')).map(owned).collect();
        pairs.extend(more);
        let (entry, errors) = T::read(&pairs, Mode::Strict);
        let key = text(texts, "key").unwrap_or_default();
        whole(key, &errors)?;
        let id = entry.insert(tx, household, None, self.now)?;
        self.ends.insert(key.to_owned(), id);
        Ok(())
    }

    fn end(&self, key: &str) -> Result<String> {
        self.ends.get(key).cloned().ok_or_else(|| wrong(key))
    }

    fn today(&self) -> NaiveDate {
        self.now.date()
    }

    fn person(&mut self, tx: &mut Tx<'_>, key: &str) -> Result<()> {
        let text = PEOPLE.iter().find(|(name, _)| *name == key).map(|(_, text)| *text).ok_or_else(|| wrong(key))?;
        let person: Person = read(text)?;
        let actor = self.actors.get(&person.user).cloned().ok_or_else(|| wrong(&person.user))?;
        let id = self.patient(tx, &actor, &person)?;
        let access = access::grant::<Own>(tx, &actor, &id, self.now)?;
        if self.book.both_own.contains(&person.key) {
            let others: Vec<UserId> = self.actors.values().map(|a| a.user.clone()).filter(|user| *user != actor.user).collect();
            for user in others {
                patients::add_owner(tx, &access, &user)?;
            }
        }
        for kind in &person.none_known {
            patients::none_known::set(tx, &actor, &id, kind, true, self.now)?;
        }
        self.chart(tx, &access, &person)
    }

    fn patient(&self, tx: &mut Tx<'_>, actor: &Actor, person: &Person) -> Result<PatientId> {
        let mut pairs: Vec<(String, String)> =
            plain(&person.patient).filter(|(name, _)| !matches!(*name, "physician" | "birth_date")).map(owned).collect();
        pairs.push(("birth_date".to_owned(), self.value(&person.born)?));
        if let Some(key) = text(&person.patient, "physician").and_then(|key| key.strip_prefix('@')) {
            pairs.push(("physician_id".to_owned(), self.end(key)?));
        }
        let mut fields = PatientFields::default();
        whole(&person.key, &fields.fill(&pairs, Mode::Strict))?;
        let new = NewPatient { fields, source: SOURCE.to_owned(), source_key: None, strict: true };
        patients::create(tx, actor, new, self.now, Errors::new())
    }

    /// All records of a person, and then their ties, which may point at later ones.
    fn chart(&mut self, tx: &mut Tx<'_>, access: &PatientAccess<Own>, person: &Person) -> Result<()> {
        let mut homes: HashMap<&str, (RecordId, &'static Kind)> = HashMap::new();
        let mut known: Vec<(&Texts, &'static Kind, RecordId)> = Vec::new();
        for record in &person.records {
            let name = text(record, "kind").unwrap_or_default();
            let Some(kind) = records::kind(name) else {
                *self.skipped.entry(name.to_owned()).or_default() += 1;
                continue;
            };
            let id = RecordId::new();
            if let Some(key) = text(record, "key") {
                homes.insert(key, (id.clone(), kind));
            }
            known.push((record, kind, id));
        }
        let mut ties = Vec::new();
        for (record, kind, id) in known {
            let draft = self.draft(access, record, kind, &homes)?;
            access.chart(kind)?.adopt(tx, &id, &draft, None)?;
            ties.push((kind, id, draft));
        }
        for (kind, id, draft) in &ties {
            access.chart(kind)?.tie(tx, id, draft)?;
        }
        self.records += ties.len();
        Ok(())
    }

    fn draft(
        &self,
        access: &PatientAccess<Own>,
        record: &Texts,
        kind: &'static Kind,
        homes: &HashMap<&str, (RecordId, &'static Kind)>,
    ) -> Result<Draft> {
        let key = text(record, "key").unwrap_or(kind.name);
        let mut raw = Raw { fields: self.values(record, &["kind", "key"])?, children: None };
        // Not every kind has a column for who was there.
        raw.fields.retain(|(name, _)| name != "practitioner_id" || kind.field(name).is_some());
        if let Some(children) = &kind.children
            && let Some(rows) = record.get(children.name).and_then(Value::as_array)
        {
            raw.children = Some(rows.iter().filter_map(Value::as_object).map(|row| self.values(row, &[])).collect::<Result<_>>()?);
        }
        let links = ties(record, kind, homes, &mut raw);
        let mut entry = (kind.blank)();
        whole(key, &input::fill(kind, entry.as_mut(), &raw, Mode::Strict))?;
        let context = Context { today: self.today(), birth: access.patient.fields.birth_date.as_ref(), strict: false };
        // What is odd here would only be asked about; tests hold the data against the strict rules.
        input::settle(kind, entry.as_mut(), None, &context, &mut Errors::new());
        let tags =
            record.get("tags").and_then(Value::as_array).map(|names| names.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        Ok(Draft { entry, tags, links: Some(links), source: SOURCE.to_owned() })
    }

    /// The columns of a record or of a child, dates counted and references followed.
    fn values(&self, texts: &Texts, without: &[&str]) -> Result<Vec<(String, String)>> {
        plain(texts)
            .filter(|(name, _)| !without.contains(name))
            .map(|(name, value)| match name {
                "practitioner" | "pharmacy" => Ok((format!("{name}_id"), self.end(value.trim_start_matches('@'))?)),
                _ => Ok((name.to_owned(), self.value(value)?)),
            })
            .collect()
    }

    fn value(&self, text: &str) -> Result<String> {
        if text.starts_with("@+") || text.starts_with("@-") {
            return dates::counted(text, self.today()).ok_or_else(|| wrong(text));
        }
        Ok(text.to_owned())
    }
}

/// A tie of a relation that is a column of the kind stands there; a second one, or one of another relation, is free.
fn ties(record: &Texts, kind: &Kind, homes: &HashMap<&str, (RecordId, &'static Kind)>, raw: &mut Raw) -> Vec<Link> {
    let mut links = Vec::new();
    for link in record.get("links").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object) {
        let (relation, to) = (text(link, "relation").unwrap_or("related"), text(link, "to").unwrap_or_default());
        // The other end may be of a kind that was skipped.
        let Some((id, _)) = homes.get(to) else { continue };
        let is_taken = raw.fields.iter().any(|(name, _)| name == relation);
        if kind.field(relation).is_some() && !is_taken {
            raw.fields.push((relation.to_owned(), id.to_string()));
        } else {
            let note = text(link, "note").map(str::to_owned);
            links.push(Link { relation: "related".to_owned(), to: id.clone(), note });
        }
    }
    links
}

fn text<'a>(texts: &'a Texts, name: &str) -> Option<&'a str> {
    texts.get(name).and_then(Value::as_str)
}

/// The values that are texts, which leaves out tags, links and children.
fn plain(texts: &Texts) -> impl Iterator<Item = (&str, &str)> {
    texts.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn wrong(place: &str) -> Error {
    Error::Internal(format!("demo data: {place}"))
}

/// The data is the program's own: what a field refuses is a mistake in it.
fn whole(place: &str, errors: &Errors) -> Result<()> {
    match errors.first() {
        None => Ok(()),
        Some((name, error)) => Err(Error::Internal(format!("demo data: {place}: {name}: {error:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::testing::app;

    #[test]
    fn the_family_fits_into_the_program_once() {
        let (app, _folder) = app();
        let filled = fill(&app).unwrap().unwrap();
        assert_eq!((filled.people, filled.skipped), (5, Vec::new()));
        assert!(filled.records > 700, "{}", filled.records);
        assert!(fill(&app).unwrap().is_none(), "there are accounts now");
        assert_eq!(app.db.dangling().unwrap(), 0);
        for (name, people) in [("grace", 5), ("tobias", 4)] {
            let account = app.db.read(|conn| accounts::find(conn, name)).unwrap().unwrap();
            let actor = account.at_the_command_line();
            let all = app.db.read(|conn| access::all(conn, &actor, app.clock.now())).unwrap();
            assert_eq!(all.list.len(), people, "{name}");
        }
    }
}
