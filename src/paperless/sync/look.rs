//! The regular look at everything that is in somebody's Paperless-ngx: what was changed there, what went into the trash there or came back,
//! and what was changed here and is told there next.

use std::collections::HashMap;

use chrono::Duration;
use diesel::prelude::*;

use super::{
    connection::{self, Connection},
    copies::{self, Copy, State, Step},
    describe, reason,
    theirs::{self, Standing},
    worker::Trouble,
};
use crate::{
    app::App,
    db::{Conn, MultiBackend, schema::paperless_copies as rows, types::FileId},
    error::{Error, Result},
    paperless::{Client, Document, DocumentId, Fault},
};

/// How often everything is looked at.
pub const EVERY: Duration = Duration::minutes(15);
/// Documents asked for at once.
const AT_ONCE: i64 = 100;

/// Looks at the connections whose time has come; tells how many.
pub fn run(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let due = app.db.read(|conn| connection::to_look_at(conn, now - EVERY, now))?;
    let mut looked = 0;
    for connection in due {
        if app.db.write(|tx| connection::begin_look(tx, &connection, now))? {
            looked += 1;
            let outcome = all(app, &connection);
            let now = app.clock.now();
            app.db.write(|tx| match &outcome {
                Ok(true) => connection::well(tx, &connection.user_id),
                Err(Trouble::Fault(fault)) => connection::pause(tx, &connection.user_id, fault, now).map(drop),
                // Who was not asked is neither well nor ill.
                Ok(false) | Err(Trouble::Error(_)) => Ok(()),
            })?;
            if let Err(Trouble::Error(error)) = outcome {
                return Err(error);
            }
        }
    }
    Ok(looked)
}

/// Told is whether the server was asked.
fn all(app: &App, connection: &Connection) -> Result<bool, Trouble> {
    let mut after: Option<FileId> = None;
    let mut client = None;
    loop {
        let batch = app.db.read(|conn| some(conn, connection, after.as_ref()))?;
        let Some(last) = batch.last() else { return Ok(client.is_some()) };
        after = Some(last.file_id.clone());
        let client = match &client {
            Some(client) => client,
            // Only who has documents there is asked at all.
            None => client.insert(connection.client(&app.paperless.network()?, &app.key)?),
        };
        look(app, client, batch)?;
    }
}

/// The next documents that rest, by their files' ids.
fn some(conn: &mut Conn, connection: &Connection, after: Option<&FileId>) -> Result<Vec<Copy>> {
    let mut query = rows::table
        .filter(rows::user_id.eq(&connection.user_id))
        .filter(rows::step.eq(Step::Rest))
        .filter(rows::document_id.is_not_null())
        .filter(rows::state.eq_any([State::Synced, State::Missing]))
        .into_boxed::<MultiBackend>();
    if let Some(after) = after {
        query = query.filter(rows::file_id.gt(after));
    }
    Ok(query.order(rows::file_id).limit(AT_ONCE).select(Copy::as_select()).load(conn)?)
}

fn look(app: &App, client: &Client, batch: Vec<Copy>) -> Result<(), Trouble> {
    let ids: Vec<DocumentId> = batch.iter().filter_map(Copy::document).collect();
    let found: HashMap<i64, Document> = client.documents(&ids)?.into_iter().map(|document| (document.id.0, document)).collect();
    let mut tags: Vec<i64> = found.values().flat_map(|document| document.tags.clone()).collect();
    tags.sort_unstable();
    tags.dedup();
    let names = theirs::tag_names(client, &tags)?;
    for mut copy in batch {
        let before = copy.clone();
        match copy.document_id.and_then(|id| found.get(&id)) {
            Some(document) => seen(app, client, &mut copy, &Standing::new(document, &names))?,
            None => gone(client, &mut copy)?,
        }
        write(app, &before, &copy)?;
    }
    Ok(())
}

fn seen(app: &App, client: &Client, copy: &mut Copy, there: &Standing) -> Result<(), Trouble> {
    let now = app.clock.now();
    if copy.state == State::Missing {
        // Back from the trash there: proved before it is believed.
        copy.reason = None;
        copy.go(State::Processing, Step::Prove, now);
        return Ok(());
    }
    theirs::take_over(app, client, copy, there)?;
    match app.db.read(|conn| describe::of(conn, app, copy)) {
        Ok((_, now_is)) if describe::has_news(copy, &now_is) => copy.go(State::Synced, Step::Tell, now),
        Ok(_) | Err(Error::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Not there: in the trash, or gone for good.
fn gone(client: &Client, copy: &mut Copy) -> Result<(), Fault> {
    let Some(id) = copy.document() else { return Ok(()) };
    let fault = match client.document(id) {
        Err(fault @ (Fault::NotFound | Fault::InTrash)) => fault,
        Err(fault) => return Err(fault),
        Ok(_) => return Ok(()),
    };
    copy.stop(State::Missing, reason::of_fault(&fault));
    Ok(())
}

/// Unless somebody has changed it meanwhile, or nothing is new.
fn write(app: &App, before: &Copy, copy: &Copy) -> Result<()> {
    let what = |copy: &Copy| {
        let seen = (copy.seen_title.clone(), copy.seen_tags.clone());
        (copy.state, copy.reason.clone(), copy.told.clone(), seen, copy.next_at)
    };
    if what(before) == what(copy) {
        return Ok(());
    }
    let now = app.clock.now();
    app.db.write(|tx| {
        let current = copies::of(tx, &copy.file_id)?;
        let unchanged = current.is_some_and(|row| row.updated_at == before.updated_at && row.lease == before.lease);
        if unchanged { copies::put(tx, copy, now) } else { Ok(()) }
    })
}
