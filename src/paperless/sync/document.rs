//! What a document's page says of the copy in Paperless-ngx, and the buttons that help.

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, web};

use super::{
    connection,
    copies::{self, Copy, State, Step},
    describe, reason, theirs, trash,
};
use crate::{
    access::{self, Edit, Level, PatientAccess, Rank},
    app::App,
    audit::{Action, Event},
    auth::{form::Form, session::Signed},
    db::{
        Conn, Tx,
        types::{FileId, PatientId},
    },
    error::{Error, Result},
    files,
    page::{Ui, see_other},
};

/// The reason of a copy that comes back as another document.
const DIFFERS: &str = "differs";

/// A part of a document's page.
pub struct Panel {
    pub href: String,
    /// Its state and that in words; nothing if it is not to be there.
    pub state: Option<(&'static str, String)>,
    pub why: String,
    pub place: String,
    /// As it is called there and here, if those are two titles; and the tags there.
    pub title: String,
    pub title_here: String,
    pub tags: Vec<String>,
    /// It can be opened and taken along now.
    pub opens: bool,
    /// Words of the program and of the buttons.
    pub acts: Vec<(&'static str, String)>,
}

/// Nothing where there is nothing to say: it is not there, and nobody who looks could send it.
pub fn panel<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, ui: &Ui, file: &files::File) -> Result<Option<Panel>> {
    let may_edit = access.may(Rank::Edit);
    let copy = copies::of(conn, &file.id)?;
    let href = format!("/patients/{}/files/{}/paperless", access.id(), file.id);
    let Some(copy) = copy else {
        let own = if may_edit { connection::of(conn, &access.actor.user)? } else { None };
        let send = |_| Panel {
            href,
            state: None,
            why: String::new(),
            place: ui.t("paperless.place.not_sent"),
            title: String::new(),
            title_here: String::new(),
            tags: Vec::new(),
            opens: true,
            acts: vec![("send", ui.t("paperless.act.send"))],
        };
        return Ok(own.filter(|own| !own.leaving).map(send));
    };
    let bytes = copies::bytes_of(conn, &file.id)?;
    let is_mine = copy.user_id == access.actor.user;
    let may_let_go = is_mine && copies::is_an_owners(conn, &copy)?;
    let title = theirs::other_title(&copy, file);
    let differs = copy.state == State::Failed && copy.reason.as_deref() == Some(DIFFERS);
    let opens = bytes.are_here || !(copy.state == State::Missing || differs);
    let place = match (copy.state, bytes.are_here) {
        _ if !opens => "only_was_there",
        (_, false) => "only_there",
        (State::Synced, true) => "both",
        (_, true) => "here",
    };
    let acts = if may_edit { acts(&copy, bytes.are_here, is_mine, may_let_go, title.as_ref()) } else { Vec::new() };
    Ok(Some(Panel {
        href,
        state: Some((copy.state.as_str(), ui.choice("PaperlessState", copy.state.as_str()))),
        why: copy.reason.filter(|_| may_edit).map(|why| why_of(ui, &why, opens)).unwrap_or_default(),
        place: ui.t2("paperless.place", place),
        title_here: title.as_ref().map(|_| describe::title(file)).unwrap_or_default(),
        title: title.unwrap_or_default(),
        opens,
        tags: copy.seen_tags.iter().flat_map(|tags| tags.lines()).map(str::to_owned).collect(),
        acts: acts.into_iter().map(|act| (act, ui.t2("paperless.act", act))).collect(),
    }))
}

/// In words; what comes back as another document cannot be let go of where it lies nowhere else.
fn why_of(ui: &Ui, why: &str, opens: bool) -> String {
    if !opens && why == DIFFERS { ui.t("paperless.why.differs_only_there") } else { reason::sentence(&ui.words, why) }
}

/// The states of a patient's documents in words, for a list: one statement.
pub fn badges<L: Level>(conn: &mut Conn, access: &PatientAccess<L>, ui: &Ui) -> Result<HashMap<FileId, String>> {
    let states = copies::of_patient(conn, access.id())?;
    Ok(states.into_iter().map(|(file, state)| (file, ui.t2("paperless.badge", state.as_str()))).collect())
}

/// What helps, the most helpful first.
fn acts(copy: &Copy, is_here: bool, is_mine: bool, may_let_go: bool, other_title: Option<&String>) -> Vec<&'static str> {
    let mut acts = match copy.state {
        State::Synced if !is_here => vec!["return"],
        State::Synced if may_let_go => vec!["release"],
        State::Missing if is_here => vec!["again", "look"],
        State::Missing => vec!["look"],
        // What is not here cannot be sent.
        State::Failed => vec![if is_here { "again" } else { "look" }],
        State::Pending | State::Processing if copy.reason.is_some() => vec!["again"],
        State::Synced | State::Pending | State::Processing => Vec::new(),
    };
    if is_mine && trash::may_lie_there(copy) {
        acts.insert(0, "restore");
    }
    if other_title.is_some() && copy.state == State::Synced && copy.step == Step::Rest {
        acts = [vec!["take_title", "tell_title"], acts].concat();
    }
    if is_mine && (is_here || copy.state == State::Missing) {
        acts.push(if is_here { "forget" } else { "give_up" });
    }
    acts
}

/// `POST /patients/{patient}/files/{file}/paperless`.
pub async fn act(
    app: web::Data<App>,
    signed: Signed,
    path: web::Path<(String, String)>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse> {
    let (patient, file) = (PatientId::parse(&path.0).ok_or(Error::NotFound)?, FileId::parse(&path.1).ok_or(Error::NotFound)?);
    let (actor, of, one) = (signed.actor.clone(), patient.clone(), file.clone());
    app.read(move |conn, app| {
        let access = access::grant::<Edit>(conn, &actor, &of, app.clock.now())?;
        files::living(conn, &access, &one).map(drop)
    })
    .await?;
    let act = Form::read(&request, payload).await?.text("act");
    let next = format!("/patients/{patient}/files/{file}");
    if act == "restore" {
        app.run(move |app| trash::restore(app, &signed.actor, &patient, &file)).await?;
        return Ok(see_other(&next));
    }
    app.write(move |tx, app| {
        let access = access::grant::<Edit>(tx, &signed.actor, &patient, app.clock.now())?;
        files::living(tx, &access, &file)?;
        done(tx, &access, &file, &act)
    })
    .await?;
    Ok(see_other(&next))
}

fn done(tx: &mut Tx<'_>, access: &PatientAccess<Edit>, file: &FileId, act: &str) -> Result<()> {
    if act == "send" {
        copies::send(tx, access, file)?;
        return note(tx, access, file);
    }
    let mut copy = offered(tx, access, file, act)?;
    match act {
        "take_title" | "tell_title" => theirs::choose(tx, access, &mut copy, act == "take_title", access.now)?,
        "again" if copy.state == State::Missing => {
            // Sent again, if its checksum is nowhere: what is in the trash there stays there.
            (copy.document_id, copy.proved_at, copy.told) = (None, None, None);
            copies::begin_anew(&mut copy, access.now);
        }
        "again" | "look" => copies::begin_anew(&mut copy, access.now),
        "return" => copies::bring_back(&mut copy, access.now),
        "release" => {
            copy.keep_local = false;
            // Proved once more before ours goes.
            copy.go(State::Processing, Step::Prove, access.now);
        }
        "forget" => {
            copies::drop_one(tx, file)?;
            return note(tx, access, file);
        }
        "give_up" => return files::remove(tx, access, file),
        _ => return Err(Error::BadRequest("bad_request")),
    }
    copies::put(tx, &copy, access.now)?;
    note(tx, access, file)
}

/// The row, if the page offers this. What it did not offer is not done: it has changed since, or nobody may.
pub(super) fn offered(conn: &mut Conn, access: &PatientAccess<Edit>, file: &FileId, act: &str) -> Result<Copy> {
    let (found, _) = files::living(conn, access, file)?;
    let Some(copy) = copies::of(conn, file)? else { return Err(Error::BadRequest("bad_request")) };
    let is_here = copies::bytes_of(conn, file)?.are_here;
    let is_mine = copy.user_id == access.actor.user;
    let may_let_go = is_mine && copies::is_an_owners(conn, &copy)?;
    let title = theirs::other_title(&copy, &found);
    if acts(&copy, is_here, is_mine, may_let_go, title.as_ref()).contains(&act) {
        Ok(copy)
    } else {
        Err(Error::Conflict("paperless_changed"))
    }
}

pub(super) fn note(tx: &mut Tx<'_>, access: &PatientAccess<Edit>, file: &FileId) -> Result<()> {
    let event = Event::new(&access.actor, Action::Changed, access.now).patient(access.id()).kind(files::KIND);
    Ok(Event { detail: Some(file.to_string()), ..event }.write(tx)?)
}
