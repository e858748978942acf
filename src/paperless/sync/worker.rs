//! One step of one document: look for it, send it, ask what became of it, read it back, say what is known of it.
//!
//! After every step the row says what is next, so that whoever comes after a crash goes on there. Before an upload the row says that one has
//! begun: nobody sends again before having looked, twice, whether the first one arrived.

use std::io::{self, Write};

use chrono::{Duration, NaiveDateTime};

use super::{
    connection::{self, Connection},
    copies::{self, Bytes, Copy, State, Step},
    describe::{self, Described, Names, Told},
    reason,
    theirs::{self, Standing},
};
use crate::{
    app::App,
    error::{Error, Result},
    files::{File, blobs},
    paperless::{Client, Decision, DocumentId, Fault, TaskId, TaskState, Upload},
    storage::{Incoming, Span},
};

/// After an upload of which nobody knows what came of it, the document may still be in the server's queue: for so long it is looked for.
const UNCERTAIN: Duration = Duration::minutes(20);
/// A task that is not done by then is done no more, such as after a restart with an empty queue; then the document is looked for.
const LONGEST_TASK: Duration = Duration::hours(4);
/// So many of one person's are in the server's queue at a time: what waits there for hours could not be told from what is lost.
const MOST_ON_THE_WAY: i64 = 8;
/// So often a document is sent that never arrives before that is told.
const MOST_SENDS: i32 = 3;
/// So often a fault of one document is met before it is left to a person.
const MOST_ATTEMPTS: i32 = 20;
/// What was sent in vain is left alone for so long.
const LOOKED_FOR: Duration = Duration::hours(6);
/// A document whose record cannot be seen at the moment is tried again then.
const A_DAY: Duration = Duration::days(1);

/// What a step can end with besides a row that says what is next.
#[derive(Debug)]
pub enum Trouble {
    Fault(Fault),
    Error(Error),
}
impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}
type Done<T = ()> = Result<T, Trouble>;

/// `5 s, 10 s, 20 s ...`, at most that long.
fn pause(attempts: i32, first: Duration, most: Duration) -> Duration {
    (first * 2_i32.saturating_pow(u32::try_from(attempts.clamp(0, 16)).unwrap_or_default())).min(most)
}

/// Does what the row says is next, and writes what is next after it.
pub fn work(app: &App, mut copy: Copy) -> Result<()> {
    let Some(connection) = app.db.read(|conn| connection::of(conn, &copy.user_id))? else { return Ok(()) };
    let network = app.paperless.network().map_err(|fault| Error::Internal(fault.to_string()))?;
    let outcome = match connection.client(&network, &app.key) {
        Ok(client) => Job { app, client: &client, copy: &mut copy, now: app.clock.now() }.step(),
        Err(fault) => Err(Trouble::Fault(fault)),
    };
    let now = app.clock.now();
    match outcome {
        Ok(()) => app.db.write(|tx| {
            connection::well(tx, &copy.user_id)?;
            if copies::save(tx, &copy, now)? {
                copies::release(tx, app, &copy)?;
            }
            Ok(())
        })?,
        Err(Trouble::Fault(fault)) => failed(app, &connection, &mut copy, &fault, now)?,
        Err(Trouble::Error(error)) => {
            copy.again(now + pause(copy.attempts, Duration::minutes(1), Duration::hours(6)));
            app.db.write(|tx| copies::save(tx, &copy, now))?;
            return Err(error);
        }
    }
    if connection.leaving { finish_leaving(app, &connection) } else { Ok(()) }
}

/// A fault of the connection holds up everything of it, one of the document only that.
fn failed(app: &App, connection: &Connection, copy: &mut Copy, fault: &Fault, now: NaiveDateTime) -> Result<()> {
    let why = reason::of_fault(fault);
    let for_all = connection::concerns_all(fault);
    match fault.decision() {
        Decision::Document => match fault {
            Fault::NotFound | Fault::InTrash => copy.stop(State::Missing, why),
            _ => copy.stop(State::Failed, why),
        },
        _ if for_all => {
            copy.reason = Some(why);
            copy.next_at = Some(now);
        }
        // What lies here cannot be read: trying again changes nothing.
        Decision::Again if matches!(fault, Fault::Here(io::ErrorKind::InvalidData | io::ErrorKind::NotFound)) => {
            copy.stop(State::Failed, why);
        }
        _ if copy.attempts >= MOST_ATTEMPTS => copy.stop(State::Failed, why),
        _ => {
            let asked = fault.retry_after().and_then(|after| Duration::from_std(after).ok()).unwrap_or_default();
            copy.reason = Some(why);
            copy.again(now + pause(copy.attempts, Duration::minutes(1), Duration::hours(6)).max(asked));
        }
    }
    app.db.write(|tx| {
        if for_all {
            connection::pause(tx, &connection.user_id, fault, now)?;
        } else {
            connection::well(tx, &connection.user_id)?;
        }
        copies::save(tx, copy, now).map(drop)
    })
}

/// The connection ends when nothing lies only there any more.
fn finish_leaving(app: &App, connection: &Connection) -> Result<()> {
    let now = app.clock.now();
    app.db.write(|tx| {
        let Some(actor) = connection::actor(tx, &connection.user_id)? else { return Ok(()) };
        match connection::end(tx, &actor, now) {
            Err(Error::Conflict(_) | Error::NotFound) => Ok(()),
            other => other,
        }
    })
}

struct Job<'a> {
    app: &'a App,
    client: &'a Client,
    copy: &'a mut Copy,
    now: NaiveDateTime,
}

impl Job<'_> {
    fn step(&mut self) -> Done {
        // Whoever began to send did not come back to tell.
        let broke_off = self.copy.step == Step::Send && self.copy.uncertain_since.is_some();
        match self.copy.step {
            _ if broke_off => self.find(),
            Step::Find => self.find(),
            Step::Send => self.send(),
            Step::Poll => self.poll(),
            Step::Prove => self.prove(),
            Step::Tell => self.tell(),
            Step::Return => self.bring_back(),
            Step::Rest => {
                self.copy.next_at = None;
                Ok(())
            }
        }
    }

    fn bytes(&self) -> Result<Bytes> {
        self.app.db.read(|conn| copies::bytes_of(conn, &self.copy.file_id))
    }

    /// Is it there? Then it is linked; if not, it is sent, unless an upload may still be on its way.
    fn find(&mut self) -> Done {
        let bytes = self.bytes()?;
        if let Some(id) = self.client.find_by_checksum(&bytes.sums)?.first() {
            self.there(*id);
            return Ok(());
        }
        if !bytes.are_here {
            self.copy.stop(State::Missing, "not_found");
            return Ok(());
        }
        self.copy.step = Step::Find;
        match self.copy.uncertain_since {
            Some(since) if self.now < since + UNCERTAIN => {
                self.copy.reason = Some("uncertain".to_owned());
                self.copy.again(self.now + pause(self.copy.attempts, Duration::seconds(30), Duration::minutes(5)));
            }
            _ if self.copy.sends >= MOST_SENDS => {
                // A person is told; hours later it is looked for, and sent, once more: the server may be well by then.
                self.copy.sends = MOST_SENDS - 1;
                (self.copy.state, self.copy.reason) = (State::Failed, Some("never_arrives".to_owned()));
                self.copy.again(self.now + LOOKED_FOR);
            }
            _ => {
                self.copy.uncertain_since = None;
                self.copy.go(State::Pending, Step::Send, self.now);
            }
        }
        Ok(())
    }

    /// Known by this id now; what it is, is proved next.
    fn there(&mut self, id: DocumentId) {
        (self.copy.document_id, self.copy.reason, self.copy.uncertain_since) = (Some(id.0), None, None);
        self.copy.go(State::Processing, Step::Prove, self.now);
    }

    /// The document as it is described now; nothing if it is not to be sent at the moment.
    fn described(&mut self) -> Done<Option<(File, Described)>> {
        match self.app.db.read(|conn| describe::of(conn, self.app, self.copy)) {
            Ok(found) => Ok(Some(found)),
            Err(Error::NotFound) => {
                // In the trash, or no longer shared with them: it may come back.
                self.copy.reason = Some("not_seen".to_owned());
                self.copy.again(self.now + A_DAY);
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn send(&mut self) -> Done {
        if self.app.db.read(|conn| copies::on_the_way(conn, &self.copy.user_id))? >= MOST_ON_THE_WAY {
            let (at, user) = (self.now + Duration::seconds(30), self.copy.user_id.clone());
            self.copy.next_at = Some(at);
            self.app.db.write(|tx| copies::hold_back(tx, &user, at))?;
            return Ok(());
        }
        let Some((file, told)) = self.described()? else { return Ok(()) };
        let bytes = self.bytes()?;
        let names = Names::ensure(self.client, &told)?;
        let link: Vec<_> = names.link_field.map(|field| (field, serde_json::json!(told.link))).into_iter().collect();
        let mut content = blobs::open(self.app, &bytes.name, Span::whole(bytes.size)).map_err(|error| {
            if matches!(error, Error::FileDamaged | Error::NotFound) {
                Fault::Here(io::ErrorKind::InvalidData).into()
            } else {
                Trouble::from(error)
            }
        })?;
        self.begin_sending(&names, &told)?;
        let upload = Upload {
            file_name: &file.file_name,
            size: bytes.size,
            title: &told.title,
            created: told.created,
            correspondent: names.correspondent,
            document_type: names.document_type,
            tags: &names.tags,
            custom_fields: &link,
        };
        match self.client.upload(&upload, &mut content) {
            Ok(task) => self.sent(task),
            Err(fault) if fault.is_uncertain() => {
                self.copy.step = Step::Find;
                return Err(fault.into());
            }
            Err(fault) => {
                // It is sure that nothing was taken.
                self.copy.uncertain_since = None;
                self.copy.sends -= 1;
                return Err(fault.into());
            }
        }
        Ok(())
    }

    /// Noted before the first byte goes; whoever has lost the lease meanwhile sends nothing.
    fn begin_sending(&mut self, names: &Names, told: &Described) -> Done {
        let now = self.app.clock.now();
        self.copy.uncertain_since = Some(now);
        self.copy.sends = self.copy.sends.saturating_add(1);
        self.copy.reason = None;
        self.copy.note_told(&Told { said: names.said(told), there: None });
        let (app, copy) = (self.app, &mut *self.copy);
        let held = app.db.write(|tx| {
            copies::note_sent(tx, app, copy)?;
            copies::hold(tx, copy, now)
        })?;
        if held { Ok(()) } else { Err(Error::Busy.into()) }
    }

    fn sent(&mut self, task: TaskId) {
        let now = self.app.clock.now();
        (self.copy.task_id, self.copy.sent_at, self.copy.uncertain_since) = (Some(task.0), Some(now), None);
        self.copy.go(State::Processing, Step::Poll, now + Duration::seconds(5));
    }

    fn poll(&mut self) -> Done {
        let Some(task) = self.copy.task_id.clone().map(TaskId) else {
            self.copy.go(State::Pending, Step::Find, self.now);
            return Ok(());
        };
        match self.client.task(&task)? {
            TaskState::Done(id) => self.there(id),
            TaskState::Waiting | TaskState::Running => self.wait_on(),
            TaskState::Unknown => self.lost(),
            TaskState::Failed(failure) => self.copy.stop(State::Failed, reason::of_task(failure)),
            TaskState::Duplicate { in_trash: true, .. } => self.copy.stop(State::Failed, "twin_in_trash"),
            TaskState::Duplicate { .. } => {
                let bytes = self.bytes()?;
                match self.client.find_by_checksum(&bytes.sums)?.first() {
                    Some(id) => {
                        // It was there before us: what others wrote there stays.
                        self.copy.told = None;
                        self.there(*id);
                    }
                    None => self.copy.stop(State::Failed, "twin_of_others"),
                }
            }
        }
        Ok(())
    }

    fn wait_on(&mut self) {
        if self.copy.sent_at.is_some_and(|sent| self.now >= sent + LONGEST_TASK) {
            self.lost();
        } else {
            self.copy.again(self.now + pause(self.copy.attempts, Duration::seconds(5), Duration::minutes(5)));
        }
    }

    /// The task tells nothing any more; the document may be there all the same, or come.
    fn lost(&mut self) {
        let since = self.copy.sent_at;
        (self.copy.task_id, self.copy.uncertain_since, self.copy.reason) = (None, since, Some("task_lost".to_owned()));
        self.copy.go(State::Processing, Step::Find, self.now);
    }

    /// Reads the original back; until its checksum agrees nothing here is let go.
    fn prove(&mut self) -> Done {
        let Some(id) = self.copy.document() else {
            self.copy.go(State::Pending, Step::Find, self.now);
            return Ok(());
        };
        let bytes = self.bytes()?;
        let document = self.client.document(id)?;
        let read = self.client.download_original(id, &mut io::sink())?;
        if read.checksums != bytes.sums || read.size != bytes.size {
            self.copy.stop(State::Failed, "differs");
            return Ok(());
        }
        self.copy.proved_at = Some(self.now);
        // How it stands there when it is first read is nobody's change: the server may have a rule for titles.
        self.copy.seen_title.get_or_insert(document.title);
        if self.copy.keep_local && !bytes.are_here {
            self.copy.go(State::Processing, Step::Return, self.now);
        } else {
            self.copy.go(State::Synced, Step::Tell, self.now);
        }
        Ok(())
    }

    fn tell(&mut self) -> Done {
        let Some(id) = self.copy.document() else {
            self.copy.go(State::Pending, Step::Find, self.now);
            return Ok(());
        };
        (self.copy.state, self.copy.reason) = (State::Synced, None);
        // What was changed there since the last look comes first: it is not written over.
        let now_there = Standing::read(self.client, &self.client.document(id)?)?;
        theirs::take_over(self.app, self.client, self.copy, &now_there)?;
        let described = self.app.db.read(|conn| describe::of(conn, self.app, self.copy));
        (self.copy.step, self.copy.next_at) = (Step::Rest, None);
        let now = match described {
            Ok((_, now)) => now,
            // Nobody is told of what they no longer see.
            Err(Error::NotFound) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if describe::has_news(self.copy, &now) {
            let left_out = describe::tell(self.client, self.copy, &now)?;
            // What somebody has to choose is asked before what an administrator has to allow.
            self.copy.reason = self.copy.reason.take().or_else(|| left_out.as_ref().map(without));
        }
        Ok(())
    }

    /// Into our own store, and only when all of it is there and right the file names it.
    fn bring_back(&mut self) -> Done {
        let bytes = self.bytes()?;
        if bytes.are_here {
            self.copy.stop(State::Synced, String::new());
            self.copy.reason = None;
            return Ok(());
        }
        let Some(id) = self.copy.document() else {
            self.copy.stop(State::Missing, "not_found");
            return Ok(());
        };
        let kept = match take_in(self.app, self.client, id)? {
            Some(kept) if kept.arrived.sums == bytes.sums => kept,
            kept => {
                if let Some(kept) = kept {
                    blobs::give_up(self.app, self.app.storage.as_ref(), &kept.name);
                }
                self.copy.stop(State::Failed, "differs");
                return Ok(());
            }
        };
        let file = self.copy.file_id.clone();
        self.app.db.write(|tx| blobs::replace(tx, &file, &kept))?;
        self.copy.stop(State::Synced, String::new());
        self.copy.reason = None;
        Ok(())
    }
}

fn without(fault: &Fault) -> String {
    match fault {
        Fault::Right(right) => format!("without:{}", right.name()),
        _ => "without:labels".to_owned(),
    }
}

/// Hands what comes on to a store.
struct Onward<'a> {
    incoming: &'a mut dyn Incoming,
    left: u64,
}

impl Write for Onward<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or(io::ErrorKind::FileTooLarge)?;
        self.incoming.write(bytes)?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a document into our own store, sealed and summed; it is nobody's yet. Nothing if it is empty.
pub fn take_in(app: &App, client: &Client, id: DocumentId) -> Result<Option<blobs::Kept>, Trouble> {
    let store = app.storage.as_ref();
    let (name, key) = blobs::expect(app, store)?;
    let give_up = |fault: Fault| {
        blobs::give_up(app, store, &name);
        Trouble::Fault(fault)
    };
    let mut incoming = store.begin(&name, &key).map_err(|error| give_up(Fault::Here(error.kind())))?;
    let mut into = Onward { incoming: incoming.as_mut(), left: app.config.max_upload };
    if let Err(fault) = client.download_original(id, &mut into) {
        drop(incoming);
        return Err(give_up(fault));
    }
    let arrived = incoming.finish().map_err(|error| give_up(Fault::Here(error.kind())))?;
    let kept = blobs::Kept { name, arrived };
    if kept.arrived.size == 0 {
        blobs::give_up(app, store, &kept.name);
        return Ok(None);
    }
    Ok(Some(kept))
}
