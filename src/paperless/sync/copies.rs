//! The documents that are in somebody's Paperless-ngx, or shall be: a row each, which says how far it is and what is done next.
//!
//! Whoever works on a row holds its lease. What a person asks for meanwhile breaks the lease, so that the worker's answer of before changes
//! nothing; an upload that has begun is noted before, so that it is looked for and not sent again.

use chrono::{Duration, NaiveDateTime};
use diesel::{dsl::exists, prelude::*};

use super::connection;
use crate::{
    access::{AtLeast, Edit, Level, PatientAccess},
    app::App,
    audit::{Action, Event},
    checksums::Checksums,
    db::{
        Conn, MultiBackend, Tx,
        schema::{blobs, files, paperless_connections as connections, paperless_copies as rows, patient_owners, users},
        types::{FileId, PatientId, UserId, choice},
    },
    error::{Error, Result},
    files::blobs as bytes,
    paperless::DocumentId,
    storage::{self, BlobName},
};

choice!(
    /// How it stands, as people see it.
    State { Pending = "pending", Processing = "processing", Synced = "synced", Failed = "failed", Missing = "missing" }
);
choice!(
    /// What is done next: look whether it is there already, send it, ask what became of it, read it back and compare, say there what is known of
    /// it, read it back and keep it here; or nothing, but for looking from time to time.
    Step { Find = "find", Send = "send", Poll = "poll", Prove = "prove", Tell = "tell", Return = "return", Rest = "rest" }
);

/// How long somebody may work on one: more than the client's longest transfer takes.
pub const LEASE: Duration = Duration::minutes(15);

/// One row.
#[derive(Clone, Debug, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = rows, check_for_backend(MultiBackend), treat_none_as_null = true, treat_none_as_default_value = false)]
pub struct Copy {
    pub file_id: FileId,
    pub user_id: UserId,
    pub state: State,
    pub step: Step,
    pub reason: Option<String>,
    pub document_id: Option<i64>,
    pub task_id: Option<String>,
    pub uncertain_since: Option<NaiveDateTime>,
    pub sends: i32,
    pub sent_at: Option<NaiveDateTime>,
    pub proved_at: Option<NaiveDateTime>,
    pub keep_local: bool,
    pub told: Option<String>,
    pub seen_title: Option<String>,
    pub seen_tags: Option<String>,
    pub attempts: i32,
    pub next_at: Option<NaiveDateTime>,
    pub lease: Option<String>,
    pub leased_until: Option<NaiveDateTime>,
    pub created_at: NaiveDateTime,
    pub updated_at: NaiveDateTime,
}

impl Copy {
    pub fn new(file: &FileId, user: &UserId, keep_local: bool, now: NaiveDateTime) -> Self {
        Self {
            file_id: file.clone(),
            user_id: user.clone(),
            state: State::Pending,
            step: Step::Find,
            reason: None,
            document_id: None,
            task_id: None,
            uncertain_since: None,
            sends: 0,
            sent_at: None,
            proved_at: None,
            keep_local,
            told: None,
            seen_title: None,
            seen_tags: None,
            attempts: 0,
            next_at: Some(now),
            lease: None,
            leased_until: None,
            created_at: now,
            updated_at: now,
        }
    }

    pub fn document(&self) -> Option<DocumentId> {
        self.document_id.map(DocumentId)
    }

    /// This next, at that moment, with a count of attempts of its own.
    pub fn go(&mut self, state: State, step: Step, at: NaiveDateTime) {
        (self.state, self.step, self.next_at, self.attempts) = (state, step, Some(at), 0);
    }

    /// Nothing more until somebody asks for it, or it is seen again.
    pub fn stop(&mut self, state: State, reason: impl Into<String>) {
        (self.state, self.reason, self.next_at, self.step) = (state, Some(reason.into()), None, Step::Rest);
    }

    /// The same again, later.
    pub fn again(&mut self, at: NaiveDateTime) {
        self.attempts = self.attempts.saturating_add(1);
        self.next_at = Some(at);
    }
}

/// What is known of the bytes here.
#[derive(Clone, Debug)]
pub struct Bytes {
    pub name: BlobName,
    pub size: u64,
    pub sums: Checksums,
    /// They lie in a store of ours, and not only in Paperless-ngx.
    pub are_here: bool,
}

pub fn bytes_of(conn: &mut Conn, file: &FileId) -> Result<Bytes> {
    let (name, size, sha256, md5, backend): (String, i64, String, String, String) = files::table
        .inner_join(blobs::table.on(blobs::name.eq(files::blob)))
        .filter(files::id.eq(file))
        .select((files::blob, files::file_size, files::sha256, files::md5, blobs::storage_backend))
        .first(conn)?;
    Ok(Bytes {
        name: BlobName::parse(&name).ok_or_else(|| Error::Internal("a file's blob has no name".to_owned()))?,
        size: u64::try_from(size).unwrap_or_default(),
        sums: Checksums { sha256, md5 },
        are_here: backend != storage::paperless::NAME,
    })
}

pub fn of(conn: &mut Conn, file: &FileId) -> Result<Option<Copy>> {
    Ok(rows::table.find(file).select(Copy::as_select()).first(conn).optional()?)
}

/// The rows of the files of a patient, for a list: one statement.
pub fn of_patient(conn: &mut Conn, patient: &PatientId) -> Result<Vec<(FileId, State)>> {
    Ok(rows::table
        .inner_join(files::table.on(files::id.eq(rows::file_id)))
        .filter(files::patient_id.eq(patient))
        .select((rows::file_id, rows::state))
        .load(conn)?)
}

pub fn insert(tx: &mut Tx<'_>, copy: &Copy) -> Result<()> {
    diesel::insert_into(rows::table).values(copy).execute(&mut **tx)?;
    Ok(())
}

/// What somebody adds goes to their Paperless-ngx, if they said so; everything else stays here.
pub fn added<L: AtLeast<Edit>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, file: &FileId) -> Result<()> {
    let mine = connection::of(tx, &access.actor.user)?;
    let wanted = mine.filter(|mine| mine.default_store == connection::Place::Paperless && !mine.leaving);
    wanted.map_or(Ok(()), |mine| insert(tx, &Copy::new(file, &mine.user_id, mine.keep_local, access.now)))
}

/// Sends a file that is here; one that has a row already is left as it is. Told whether there was something to do.
pub fn send<L: AtLeast<Edit>>(tx: &mut Tx<'_>, access: &PatientAccess<L>, file: &FileId) -> Result<bool> {
    let mine = connection::named(tx, &access.actor.user)?;
    if mine.leaving || of(tx, file)?.is_some() {
        return Ok(false);
    }
    insert(tx, &Copy::new(file, &mine.user_id, mine.keep_local, access.now))?;
    Ok(true)
}

/// The row that is due longest and that nobody works on, under a lease of its own.
pub fn take(app: &App) -> Result<Option<Copy>> {
    let now = app.clock.now();
    if app.db.read(|conn| due(conn, now))?.is_none() {
        return Ok(None);
    }
    app.db.write(|tx| {
        let Some(mut copy) = due(tx, now)? else { return Ok(None) };
        copy.lease = Some(uuid::Uuid::now_v7().to_string());
        copy.leased_until = Some(now + LEASE);
        diesel::update(rows::table.find(&copy.file_id)).set(&copy).execute(&mut **tx)?;
        Ok(Some(copy))
    })
}

fn due(conn: &mut Conn, now: NaiveDateTime) -> Result<Option<Copy>> {
    Ok(rows::table
        .inner_join(connections::table.on(connections::user_id.eq(rows::user_id)))
        .inner_join(users::table.on(users::id.eq(rows::user_id)))
        .filter(rows::next_at.le(now))
        .filter(rows::leased_until.is_null().or(rows::leased_until.lt(now)))
        .filter(connections::paused_until.is_null().or(connections::paused_until.le(now)))
        // What lies only there is read for others, too; in the name of a disabled account nothing more is sent.
        .filter(users::disabled_at.is_null().or(rows::step.eq(Step::Return)))
        .order((rows::next_at, rows::file_id))
        .select(Copy::as_select())
        .first(conn)
        .optional()?)
}

/// Writes what became of it and gives the lease back; nothing if the lease was lost meanwhile.
pub fn save(tx: &mut Tx<'_>, copy: &Copy, now: NaiveDateTime) -> Result<bool> {
    let free = Copy { lease: None, leased_until: None, updated_at: now, ..copy.clone() };
    let held = rows::table.filter(rows::file_id.eq(&copy.file_id)).filter(rows::lease.eq(copy.lease.as_ref()));
    Ok(diesel::update(held).set(&free).execute(&mut **tx)? == 1)
}

/// The same in the midst of the work: the lease begins anew.
pub fn hold(tx: &mut Tx<'_>, copy: &mut Copy, now: NaiveDateTime) -> Result<bool> {
    copy.leased_until = Some(now + LEASE);
    let held = rows::table.filter(rows::file_id.eq(&copy.file_id)).filter(rows::lease.eq(copy.lease.as_ref()));
    Ok(diesel::update(held).set(&*copy).execute(&mut **tx)? == 1)
}

/// What a person changes: whoever works on it has lost the lease.
pub fn put(tx: &mut Tx<'_>, copy: &Copy, now: NaiveDateTime) -> Result<()> {
    let free = Copy { lease: None, leased_until: None, updated_at: now, ..copy.clone() };
    diesel::update(rows::table.find(&copy.file_id)).set(&free).execute(&mut **tx)?;
    Ok(())
}

/// From the beginning: a document that is known is proved again, another one looked for first.
pub fn begin_anew(copy: &mut Copy, now: NaiveDateTime) {
    (copy.reason, copy.sends) = (None, 0);
    match copy.document_id {
        Some(_) if copy.state == State::Missing || copy.proved_at.is_some() => copy.go(State::Processing, Step::Prove, now),
        _ => {
            (copy.document_id, copy.task_id) = (None, None);
            copy.go(State::Pending, Step::Find, now);
        }
    }
}

/// Everything of this person that failed, is missing or waits, at once.
pub fn all_again(tx: &mut Tx<'_>, user: &UserId, now: NaiveDateTime) -> Result<usize> {
    let stuck: Vec<Copy> = rows::table
        .filter(rows::user_id.eq(user))
        .filter(rows::state.ne(State::Synced).or(rows::reason.is_not_null()))
        .select(Copy::as_select())
        .load(&mut **tx)?;
    for mut copy in stuck.iter().cloned() {
        match copy.state {
            State::Failed | State::Missing => begin_anew(&mut copy, now),
            // Something could not be told there.
            State::Synced => copy.go(State::Synced, Step::Tell, now),
            State::Pending | State::Processing => copy.next_at = Some(now),
        }
        put(tx, &copy, now)?;
    }
    Ok(stuck.len())
}

/// How many of this person's were sent and are not done.
pub fn on_the_way(conn: &mut Conn, user: &UserId) -> Result<i64> {
    Ok(rows::table.filter(rows::user_id.eq(user)).filter(rows::step.eq(Step::Poll)).count().get_result(conn)?)
}

/// Nothing more of this person's is sent before then.
pub fn hold_back(tx: &mut Tx<'_>, user: &UserId, until: NaiveDateTime) -> Result<()> {
    let waiting = rows::table.filter(rows::user_id.eq(user)).filter(rows::step.eq(Step::Send)).filter(rows::uncertain_since.is_null());
    let free = waiting.filter(rows::lease.is_null()).filter(rows::next_at.lt(until));
    diesel::update(free).set(rows::next_at.eq(until)).execute(&mut **tx)?;
    Ok(())
}

/// What waits goes on now: the connection was mended.
pub fn go_on(tx: &mut Tx<'_>, user: &UserId, now: NaiveDateTime) -> Result<()> {
    let waiting = rows::table.filter(rows::user_id.eq(user)).filter(rows::next_at.is_not_null()).filter(rows::lease.is_null());
    diesel::update(waiting).set(rows::next_at.eq(now)).execute(&mut **tx)?;
    Ok(())
}

/// The address has changed: an id of before is somebody else's there, until the checksum says that it is the same.
pub fn search_anew(tx: &mut Tx<'_>, user: &UserId, now: NaiveDateTime) -> Result<()> {
    let all: Vec<Copy> = rows::table.filter(rows::user_id.eq(user)).select(Copy::as_select()).load(&mut **tx)?;
    for mut copy in all {
        (copy.document_id, copy.task_id, copy.proved_at, copy.told, copy.reason) = (None, None, None, None, None);
        (copy.seen_title, copy.seen_tags, copy.uncertain_since, copy.sends) = (None, None, None, 0);
        copy.go(State::Pending, Step::Find, now);
        put(tx, &copy, now)?;
    }
    Ok(())
}

/// How many files of this person's Paperless-ngx have their bytes nowhere else, those in the trash included.
pub fn only_there(conn: &mut Conn, user: &UserId) -> Result<i64> {
    Ok(rows::table
        .inner_join(files::table.on(files::id.eq(rows::file_id)))
        .inner_join(blobs::table.on(blobs::name.eq(files::blob)))
        .filter(rows::user_id.eq(user))
        .filter(blobs::storage_backend.eq(storage::paperless::NAME))
        .count()
        .get_result(conn)?)
}

/// Brings back what lies only there.
pub fn bring_all_back(tx: &mut Tx<'_>, user: &UserId, now: NaiveDateTime) -> Result<()> {
    let away: Vec<Copy> = rows::table
        .inner_join(files::table.on(files::id.eq(rows::file_id)))
        .inner_join(blobs::table.on(blobs::name.eq(files::blob)))
        .filter(rows::user_id.eq(user))
        .filter(blobs::storage_backend.eq(storage::paperless::NAME))
        .select(Copy::as_select())
        .load(&mut **tx)?;
    for mut copy in away {
        bring_back(&mut copy, now);
        put(tx, &copy, now)?;
    }
    Ok(())
}

/// Here again, and kept here.
pub fn bring_back(copy: &mut Copy, now: NaiveDateTime) {
    (copy.keep_local, copy.reason) = (true, None);
    let step = if copy.document_id.is_some() { Step::Return } else { Step::Find };
    copy.go(State::Processing, step, now);
}

pub fn drop_all(tx: &mut Tx<'_>, user: &UserId) -> Result<()> {
    diesel::delete(rows::table.filter(rows::user_id.eq(user))).execute(&mut **tx)?;
    Ok(())
}

pub fn drop_one(tx: &mut Tx<'_>, file: &FileId) -> Result<()> {
    diesel::delete(rows::table.find(file)).execute(&mut **tx)?;
    Ok(())
}

/// Lets the copy here go, once the one there is proved: the file names bytes of the other store from now on, and the sweep takes ours away.
/// Only an owner's Paperless-ngx keeps what is nowhere else: somebody else's share may end.
pub fn release(tx: &mut Tx<'_>, app: &App, copy: &Copy) -> Result<bool> {
    let bytes = bytes_of(tx, &copy.file_id)?;
    let ready = copy.state == State::Synced && copy.proved_at.is_some() && copy.document_id.is_some() && !copy.keep_local && bytes.are_here;
    if !ready || !is_an_owners(tx, copy)? {
        return Ok(false);
    }
    let size = i64::try_from(bytes.size).unwrap_or(i64::MAX);
    let there = bytes::elsewhere(tx, app, storage::paperless::NAME, size, &bytes.sums)?;
    diesel::update(files::table.find(&copy.file_id)).set(files::blob.eq(there.as_str())).execute(&mut **tx)?;
    Ok(true)
}

pub fn is_an_owners(conn: &mut Conn, copy: &Copy) -> Result<bool> {
    let owner = patient_owners::table
        .inner_join(files::table.on(files::patient_id.eq(patient_owners::patient_id.nullable())))
        .filter(files::id.eq(&copy.file_id))
        .filter(patient_owners::user_id.eq(&copy.user_id));
    Ok(diesel::select(exists(owner)).get_result(conn)?)
}

/// How many documents of a patient this person could send: those that are in nobody's Paperless-ngx.
pub fn to_send<L: Level>(conn: &mut Conn, access: &PatientAccess<L>) -> Result<Vec<FileId>> {
    let found = crate::files::query::everything(conn, access)?;
    let known: std::collections::HashSet<FileId> = of_patient(conn, access.id())?.into_iter().map(|(file, _)| file).collect();
    Ok(found.into_iter().map(|(file, _)| file.id).filter(|id| !known.contains(id)).collect())
}

/// Notes that a document of the patient went to somebody's Paperless-ngx.
pub fn note_sent(tx: &mut Tx<'_>, app: &App, copy: &Copy) -> Result<()> {
    let Some(actor) = connection::actor(tx, &copy.user_id)? else { return Ok(()) };
    let patient: Option<PatientId> = files::table.find(&copy.file_id).select(files::patient_id).first(&mut **tx)?;
    let event = Event::new(&actor, Action::Downloaded, app.clock.now()).kind(crate::files::KIND);
    let event = patient.iter().fold(event, Event::patient);
    Ok(Event { detail: Some(copy.file_id.to_string()), ..event }.write(tx)?)
}
