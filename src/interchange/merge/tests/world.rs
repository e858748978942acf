//! A database with one person who imports, and what they look up afterwards.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use diesel::{ExpressionMethods, RunQueryDsl};

use super::*;
use crate::{
    access::{self, PatientAccess, Via, View},
    db::{
        schema::{households, users},
        types::{RecordId, UserId},
    },
    patients::Patient,
    records::chart::{self, Loaded},
};

pub struct World {
    pub db: Db,
    pub actor: Actor,
    pub now: NaiveDateTime,
    _folder: tempfile::TempDir,
}

/// One on SQLite, and one on PostgreSQL where `KINCHART_TEST_PG_URL` names a database.
pub fn worlds() -> Vec<World> {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite:{}", folder.path().join("test.db").display());
    let mut all = vec![World::open(&file, folder)];
    if let Ok(url) = std::env::var("KINCHART_TEST_PG_URL") {
        all.push(World::open(&url, tempfile::tempdir().unwrap()));
    }
    all
}

impl World {
    fn open(url: &str, folder: tempfile::TempDir) -> Self {
        let db = Db::open(url, true, 4).unwrap();
        let now = crate::clock::Clock::default().now();
        let actor = person(&db, now);
        Self { db, actor, now, _folder: folder }
    }

    pub fn another(&self) -> Actor {
        person(&self.db, self.now)
    }

    /// Somebody with a share.
    pub fn helper(&self, patient: &PatientId, level: &str, kinds: Option<&str>) -> Actor {
        use crate::db::schema::patient_shares as shares;
        let helper = self.another();
        self.db
            .write(|tx| {
                diesel::insert_into(shares::table)
                    .values((
                        shares::id.eq(helper.user.as_str()),
                        shares::patient_id.eq(patient),
                        shares::shared_by_user_id.eq(&self.actor.user),
                        shares::shared_with_user_id.eq(&helper.user),
                        shares::permission_level.eq(level),
                        shares::kinds.eq(kinds),
                        shares::is_active.eq(true),
                        shares::created_at.eq(self.now),
                        shares::updated_at.eq(self.now),
                    ))
                    .execute(&mut **tx)?;
                Ok(())
            })
            .unwrap();
        helper
    }

    pub fn import(&self, told: &Told) -> Report {
        self.import_into(told, &Target::Matching)
    }

    pub fn import_into(&self, told: &Told, target: &Target) -> Report {
        let report = self.db.write(|tx| apply(tx, &self.actor, told, target, self.now, &mut |_, _| {})).unwrap();
        assert_eq!(report.miscounted(told), []);
        report
    }

    pub fn with<T>(&self, patient: &PatientId, mut work: impl FnMut(&mut Tx<'_>, &PatientAccess<Edit>) -> Result<T>) -> T {
        self.db
            .write(|tx| {
                let access = grant::<Edit>(tx, &self.actor, patient, self.now)?;
                work(tx, &access)
            })
            .unwrap()
    }

    pub fn patients(&self) -> Vec<Patient> {
        self.db.read(|conn| Ok(access::all(conn, &self.actor, self.now)?.list)).unwrap().into_iter().map(|access| access.patient).collect()
    }

    pub fn patient(&self, id: &PatientId) -> Patient {
        self.db.read(|conn| grant::<View>(conn, &self.actor, id, self.now)).unwrap().patient
    }

    pub fn all(&self, patient: &PatientId, kind: &str) -> Vec<Loaded> {
        self.with(patient, |tx, access| {
            let query = ListQuery { page: 1, per_page: 1000, ..ListQuery::default() };
            Ok(access.chart(records::kind(kind).unwrap())?.list(tx, &query)?.0)
        })
    }

    /// The one record of a kind, and its values by column.
    pub fn only(&self, patient: &PatientId, kind: &str) -> (Loaded, BTreeMap<&'static str, String>) {
        let mut all = self.all(patient, kind);
        assert_eq!(all.len(), 1);
        let record = all.remove(0);
        let fields = &records::kind(kind).unwrap().fields;
        let values = fields.iter().enumerate().filter_map(|(index, spec)| Some((spec.name, record.entry.get(index)?))).collect();
        (record, values)
    }

    pub fn children(&self, patient: &PatientId, kind: &str, column: &str) -> Vec<String> {
        let (record, _) = self.only(patient, kind);
        let columns = &records::kind(kind).unwrap().children.as_ref().unwrap().fields;
        let index = columns.iter().position(|spec| spec.name == column).unwrap();
        (0..record.entry.child_count()).filter_map(|row| record.entry.child(row, index)).collect()
    }

    /// Kind, number of versions and title of everything in the chart.
    pub fn versions(&self, patient: &PatientId) -> Vec<(String, i32, String)> {
        let all = records::kinds().iter().flat_map(|kind| self.all(patient, kind.name));
        all.map(|record| (record.head.kind, record.head.version, record.head.title)).collect()
    }

    pub fn edit(&self, patient: &PatientId, kind: &str, column: &str, text: &str) -> RecordId {
        let (index, _) = records::kind(kind).unwrap().field(column).unwrap();
        self.change(patient, kind, |entry| entry.set(index, text, Mode::Strict).unwrap())
    }

    /// Changes the first child.
    pub fn edit_child(&self, patient: &PatientId, kind: &str, column: &str, text: &str) -> RecordId {
        let columns = &records::kind(kind).unwrap().children.as_ref().unwrap().fields;
        let index = columns.iter().position(|spec| spec.name == column).unwrap();
        self.change(patient, kind, |entry| entry.set_child(0, index, text, Mode::Strict).unwrap())
    }

    fn change(&self, patient: &PatientId, kind: &str, edit: impl Fn(&mut dyn records::AnyRecord)) -> RecordId {
        let (record, _) = self.only(patient, kind);
        self.with(patient, |tx, access| {
            let mut entry = record.entry.boxed_clone();
            edit(entry.as_mut());
            let draft = chart::Draft { entry, tags: None, links: None, source: "person".to_owned() };
            access.chart(records::kind(kind).unwrap())?.change(tx, &record.head.id, record.head.version, &draft)
        });
        record.head.id
    }

    pub fn offers(&self, patient: &PatientId, record: &RecordId) -> Vec<(String, String)> {
        let offers = self.with(patient, |tx, access| origins::offers(tx, access, record));
        offers.into_iter().map(|offer| (offer.field, offer.value)).collect()
    }

    pub fn leftovers(&self, patient: &PatientId) -> Vec<(String, i64)> {
        let counts = self.with(patient, |tx, access| origins::leftovers(tx, access));
        let lines = self.with(patient, |tx, access| origins::leftover_page(tx, access, None, 1, 1000));
        assert_eq!(i64::try_from(lines.len()).unwrap(), counts.iter().map(|(_, count)| count).sum::<i64>());
        for line in &lines {
            assert!(!self.with(patient, |tx, access| origins::leftover(tx, access, &line.source_key)).original.is_empty());
        }
        counts
    }

    pub fn none_known(&self, patient: &PatientId) -> Vec<String> {
        self.db.read(|conn| patients::none_known::kinds(conn, patient)).unwrap()
    }
}

fn person(db: &Db, now: NaiveDateTime) -> Actor {
    let (household, user) = (HouseholdId::new(), UserId::new());
    db.write(|tx| {
        diesel::insert_into(households::table)
            .values((households::id.eq(&household), households::name.eq("home"), households::created_at.eq(now)))
            .execute(&mut **tx)?;
        diesel::insert_into(users::table)
            .values((
                users::id.eq(&user),
                users::household_id.eq(&household),
                users::username.eq(user.as_str()),
                users::username_folded.eq(user.as_str()),
                users::full_name.eq("Test"),
                users::role.eq("user"),
                users::created_at.eq(now),
                users::updated_at.eq(now),
            ))
            .execute(&mut **tx)?;
        Ok(())
    })
    .unwrap();
    Actor { user, name: "test".to_owned(), via: Via::Cli, address: None }
}
