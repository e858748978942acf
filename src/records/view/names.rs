//! Names behind the ids of practitioners, pharmacies, patients and other records, loaded once a page.

use std::collections::{BTreeSet, HashMap};

use crate::{
    access::{Level, PatientAccess},
    db::{Conn, types::RecordId},
    directory::{Listed, Pharmacy, Practitioner, Seen},
    error::Result,
    records::{
        Head, Kind,
        chart::Loaded,
        field::Input,
        linked, overview, people,
        rows::{self, Row},
        version::Snapshot,
    },
};

/// Names behind ids, loaded once a page.
#[derive(Default)]
pub struct Names {
    pub(super) practitioners: Vec<(String, String)>,
    pub(super) pharmacies: Vec<(String, String)>,
    pub(super) practices: Vec<(String, String)>,
    /// Patients whom this person may see, or choose in a form.
    pub(super) patients: Vec<(String, String)>,
    pub(super) records: HashMap<RecordId, Head>,
    /// Entries of the directory whose pages are not for this person.
    closed: Vec<String>,
}

impl Names {
    /// The names that these rows of a list need.
    pub fn for_list(conn: &mut Conn, kind: &Kind, rows: &[Row]) -> Result<Self> {
        let columns = rows::columns(kind);
        let ids = |input: fn(&Input) -> bool| {
            let is_id = |index: usize| kind.fields.get(index).is_some_and(|spec| input(&spec.input));
            let places = columns.iter().enumerate().filter(|(_, index)| is_id(**index)).map(|(place, _)| place);
            let all = places.flat_map(|place| rows.iter().filter_map(move |row| row.cell(place))).map(str::to_owned);
            all.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
        };
        Self::of_ids(conn, &ids(|input| matches!(input, Input::Practitioner)), &ids(|input| matches!(input, Input::Pharmacy)))
    }

    fn of_ids(conn: &mut Conn, practitioners: &[String], pharmacies: &[String]) -> Result<Self> {
        Ok(Self {
            practitioners: Practitioner::names_of(conn, practitioners)?,
            pharmacies: Pharmacy::names_of(conn, pharmacies)?,
            ..Self::default()
        })
    }

    /// The names that one record needs; `records` are the heads of those it is tied to. Pages of another household's directory are closed.
    pub fn for_record<L: Level>(
        conn: &mut Conn,
        access: &PatientAccess<L>,
        kind: &Kind,
        row: &Loaded,
        records: HashMap<RecordId, Head>,
    ) -> Result<Self> {
        let ids = |input: fn(&Input) -> bool| {
            let columns = kind.fields.iter().enumerate().filter(|(_, spec)| input(&spec.input));
            columns.filter_map(|(index, _)| row.entry.get(index)).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
        };
        let user = &access.actor.user;
        let practitioners = Practitioner::seen(conn, user, &ids(|input| matches!(input, Input::Practitioner)))?;
        let pharmacies = Pharmacy::seen(conn, user, &ids(|input| matches!(input, Input::Pharmacy)))?;
        let closed = practitioners.iter().chain(&pharmacies).filter(|entry| !entry.open).map(|entry| entry.id.clone()).collect();
        let named = |entries: Vec<Seen>| entries.into_iter().map(|entry| (entry.id, entry.name)).collect();
        let patients = linked::names(conn, access, &ids(|input| matches!(input, Input::Patient)))?;
        Ok(Self { practitioners: named(practitioners), pharmacies: named(pharmacies), patients, records, closed, ..Self::default() })
    }

    /// The names that these versions of a record need besides its form's.
    pub fn for_versions<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, kind: &Kind, versions: &[Snapshot]) -> Result<Self> {
        let ids = |input: fn(&Input) -> bool| {
            let is_id = |name: &str| kind.field(name).is_some_and(|(_, spec)| input(&spec.input));
            let all = versions.iter().flat_map(|version| &version.fields).filter(|(name, _)| is_id(name)).map(|(_, id)| id.clone());
            all.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
        };
        let practitioners = Practitioner::names_of(conn, &ids(|input| matches!(input, Input::Practitioner)))?;
        let pharmacies = Pharmacy::names_of(conn, &ids(|input| matches!(input, Input::Pharmacy)))?;
        let patients = linked::names(conn, access, &ids(|input| matches!(input, Input::Patient)))?;
        Ok(Self { practitioners, pharmacies, patients, records: Self::records_to_choose(conn, access, kind)?, ..Self::default() })
    }

    /// Everything a form of this kind offers to choose from.
    pub fn for_form<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, kind: &Kind) -> Result<Self> {
        let has = |input: fn(&Input) -> bool| kind.fields.iter().any(|spec| input(&spec.input));
        let mut names = Self { records: Self::records_to_choose(conn, access, kind)?, ..Self::default() };
        if has(|input| matches!(input, Input::Pharmacy)) {
            (names.practitioners, names.pharmacies) = people::choices(conn, access)?;
        } else if has(|input| matches!(input, Input::Practitioner)) {
            names.practitioners = people::practitioners(conn, access)?;
        }
        if has(|input| matches!(input, Input::Patient)) {
            names.patients = linked::choices(conn, access)?;
        }
        Ok(names)
    }

    fn records_to_choose<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, kind: &Kind) -> Result<HashMap<RecordId, Head>> {
        let wanted: Vec<String> =
            kind.fields.iter().filter_map(|f| if let Input::Record(kind) = f.input { Some(kind.to_owned()) } else { None }).collect();
        Ok(overview::choices(conn, access, &wanted)?.into_iter().map(|head| (head.id.clone(), head)).collect())
    }

    pub fn of_practitioners(practitioners: Vec<(String, String)>) -> Self {
        Self { practitioners, ..Self::default() }
    }

    pub fn of_practices(practices: Vec<(String, String)>) -> Self {
        Self { practices, ..Self::default() }
    }

    pub(super) fn is_open(&self, id: &str) -> bool {
        !self.closed.iter().any(|closed| closed == id)
    }

    pub(super) fn find(list: &[(String, String)], id: &str) -> Option<String> {
        list.iter().find(|(i, _)| i == id).map(|(_, name)| name.clone())
    }
}
