//! A large file without a long wait for everybody else: its new records are written in many short transactions, unseen, and shown all at
//! once by the last one, which also does the rest. What came to nothing is taken back.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use chrono::NaiveDateTime;

use super::{
    Problem, Report, Target, Work, apply,
    directory::Directory,
    people,
    records::{Batch, Staged},
    storable, systems,
};
use crate::{
    access::{self, Actor, Edit, PatientAccess},
    db::{
        Db, Tx,
        types::{HouseholdId, PatientId},
    },
    error::{Error, Result},
    interchange::draft::Told,
    records::staged::{self, Sort},
};

/// A file with fewer records is one transaction, which is simpler and short enough.
const LARGE: usize = 500;
/// So many records are written in one transaction of a stage.
const BATCH: usize = 250;
/// A stage that was not touched for so long belongs to a program that ended.
const LEFT_BEHIND: chrono::Duration = chrono::Duration::minutes(5);

/// What a stage has written.
pub struct Stage {
    id: String,
    /// The new patients, by the source's key.
    pub patients: HashMap<String, PatientId>,
    /// The new records, by the source's key.
    pub records: HashMap<String, Staged>,
    directories: HashMap<HouseholdId, Directory>,
    problems: Vec<Problem>,
}

/// A patient whose records are written: by the key of the file, and whether nobody sees them yet.
struct Person<'a> {
    key: &'a str,
    id: PatientId,
    is_new: bool,
}

impl Person<'_> {
    fn access(&self, tx: &mut Tx<'_>, actor: &Actor, now: NaiveDateTime) -> Result<PatientAccess<Edit>> {
        let access =
            if self.is_new { access::in_the_making(tx, actor, &self.id, now)? } else { access::grant::<Edit>(tx, actor, &self.id, now)? };
        if access.scope().is_whole() { Ok(access) } else { Err(Error::Forbidden) }
    }
}

/// Imports what a file told, whole or not at all. `progress` hears how many of how many entries are done, and starts again from zero when a
/// transaction is tried again.
pub fn import(
    db: &Db,
    actor: &Actor,
    told: &Told,
    target: &Target,
    now: NaiveDateTime,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Report> {
    let told = &*systems::own_keys(db, actor, told, target, now)?;
    if told.records.len() < LARGE {
        return db.write(|tx| apply(tx, actor, told, target, now, progress));
    }
    sweep(db, now)?;
    let mut stage = Stage {
        id: uuid::Uuid::now_v7().to_string(),
        patients: HashMap::new(),
        records: HashMap::new(),
        directories: HashMap::new(),
        problems: Vec::new(),
    };
    let outcome = stage.write(db, actor, told, target, now, progress).and_then(|()| stage.finish(db, actor, told, target, now));
    if outcome.is_err()
        && let Err(error) = take_back(db, &stage.id, now)
    {
        log::warn!("an import that failed is taken back later: {error}");
    }
    outcome
}

/// Takes back what programs left behind that ended in the middle of an import.
pub fn sweep(db: &Db, now: NaiveDateTime) -> Result<()> {
    for stage in db.read(|conn| staged::left_behind(conn, now - LEFT_BEHIND))? {
        take_back(db, &stage, now)?;
    }
    Ok(())
}

fn take_back(db: &Db, stage: &str, now: NaiveDateTime) -> Result<()> {
    while db.write(|tx| staged::take_back(tx, stage, now))? {}
    Ok(())
}

impl Stage {
    /// Everything that can be written unseen.
    fn write(
        &mut self,
        db: &Db,
        actor: &Actor,
        told: &Told,
        target: &Target,
        now: NaiveDateTime,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<()> {
        let people = db.write(|tx| self.begin(tx, actor, told, target, now))?;
        let mut work = db.rehearse(|tx| Work::new(tx, actor, told, now, progress))?;
        work.directories.clone_from(&self.directories);
        for person in &people {
            self.person(db, &mut work, person)?;
        }
        Ok(())
    }

    /// What the records name: the directory's entries, and the new patients.
    fn begin<'t>(
        &mut self,
        tx: &mut Tx<'_>,
        actor: &Actor,
        told: &'t Told,
        target: &Target,
        now: NaiveDateTime,
    ) -> Result<Vec<Person<'t>>> {
        let mut idle = |_, _| {};
        let pairs = people::pair(tx, actor, told, target, now)?;
        let mut work = Work::new(tx, actor, told, now, &mut idle)?;
        staged::open(tx, &self.id, now)?;
        self.patients.clear();
        let mut people = Vec::new();
        for pair in pairs {
            let household = pair.patient.as_ref().map_or_else(|| work.household.clone(), |patient| patient.household_id.clone());
            if !work.directories.contains_key(&household) {
                let directory = Directory::resolve(&mut work, tx, &household)?;
                for (list, id) in &directory.made {
                    staged::note(tx, &self.id, Sort::Entry(list), id)?;
                }
                work.directories.insert(household.clone(), directory);
            }
            let key = pair.draft.source_key.as_str();
            let is_new = pair.patient.is_none();
            let id = if let Some(patient) = pair.patient {
                let access = access::grant::<Edit>(tx, actor, &patient.id, now)?;
                if staged::is_busy(tx, &access)? {
                    return Err(Error::Busy);
                }
                patient.id
            } else {
                // What is wrong with the person's fields is told when they are shown.
                let before = work.problems.len();
                let id = people::conceive(&mut work, tx, pair.draft, &household)?;
                work.problems.truncate(before);
                staged::note(tx, &self.id, Sort::Patient, id.as_str())?;
                self.patients.insert(storable(key), id.clone());
                id
            };
            people.push(Person { key, id, is_new });
        }
        self.directories = work.directories;
        self.problems = work.problems;
        Ok(people)
    }

    fn person(&mut self, db: &Db, work: &mut Work<'_>, person: &Person<'_>) -> Result<()> {
        let (actor, now) = (work.actor, work.now);
        let batch = db.rehearse(|tx| {
            let access = person.access(tx, actor, now)?;
            Batch::new(work, tx, &access, person.key)
        })?;
        let mut untied = Vec::new();
        let mut from = 0;
        while from < batch.len() {
            let places = from..(from + BATCH).min(batch.len());
            let done = work.done;
            let began = Instant::now();
            let (written, more) = db.write(|tx| {
                let access = person.access(tx, actor, now)?;
                work.done = done;
                staged::touch(tx, &self.id, now)?;
                batch.write(work, tx, &access, (&self.id, places.clone()))
            })?;
            self.records.extend(written);
            untied.extend(more);
            from += BATCH;
            let_others_in(began.elapsed());
        }
        for some in untied.chunks(BATCH * 4) {
            let began = Instant::now();
            db.write(|tx| {
                let access = person.access(tx, actor, now)?;
                batch.tie(tx, &access, some)
            })?;
            let_others_in(began.elapsed());
        }
        Ok(())
    }

    /// The one transaction after which everything is there.
    fn finish(&self, db: &Db, actor: &Actor, told: &Told, target: &Target, now: NaiveDateTime) -> Result<Report> {
        db.write(|tx| {
            let mut idle = |_, _| {};
            // A patient of ours is found again; one in the making is none yet, and is shown in turn.
            let pairs = people::pair(tx, actor, told, target, now)?;
            let is_known =
                |pair: &people::Pair<'_>| pair.patient.is_some() && self.patients.contains_key(&storable(&pair.draft.source_key));
            if pairs.iter().any(is_known) {
                // Somebody made the same patient meanwhile.
                return Err(Error::Busy);
            }
            let mut work = Work::new(tx, actor, told, now, &mut idle)?;
            work.stage = Some(self);
            work.directories.clone_from(&self.directories);
            work.problems.clone_from(&self.problems);
            let report = work.all(tx, &pairs)?;
            staged::reveal(tx, &self.id)?;
            Ok(report)
        })
    }
}

/// `SQLite` has one writer at a time, and the others ask again only now and then: without a pause they would hardly ever find it free.
fn let_others_in(held: Duration) {
    std::thread::sleep((held / 3).clamp(Duration::from_millis(5), Duration::from_millis(150)));
}
