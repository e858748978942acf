//! A document that lies in the trash there, brought back from here.

use super::{
    connection,
    copies::{self, Copy, State},
    document, reason,
};
use crate::{
    access::{self, Actor, Edit},
    app::App,
    db::types::{FileId, PatientId},
    error::Result,
    paperless::{DocumentId, Fault},
};

/// Is there something to bring back, as far as is known? What a look found deleted for good is not asked for.
pub fn may_lie_there(copy: &Copy) -> bool {
    let is_gone = copy.reason.as_deref() == Some(reason::of_fault(&Fault::NotFound).as_str());
    copy.state == State::Missing && copy.document_id.is_some() && !is_gone
}

/// Restores it there, at once: whoever presses the button waits for the answer. What is there again is proved next, as after any absence; what
/// is wrong stands on the page.
pub fn restore(app: &App, actor: &Actor, patient: &PatientId, file: &FileId) -> Result<()> {
    let (before, own) = app.db.read(|conn| {
        let access = access::grant::<Edit>(conn, actor, patient, app.clock.now())?;
        let copy = document::offered(conn, &access, file, "restore")?;
        let own = connection::named(conn, &copy.user_id)?;
        Ok((copy, own))
    })?;
    let ask = || own.client(&app.paperless.network()?, &app.key)?.restore(DocumentId(before.document_id.unwrap_or_default()));
    let outcome = ask();
    app.db.write(|tx| {
        let access = access::grant::<Edit>(tx, actor, patient, app.clock.now())?;
        let mut copy = document::offered(tx, &access, file, "restore")?;
        match &outcome {
            // Not there any more: back already, or gone for good. The proof tells which.
            Ok(()) | Err(Fault::NotFound) => copies::begin_anew(&mut copy, access.now),
            Err(fault) => copy.reason = Some(reason::of_fault(fault)),
        }
        copies::put(tx, &copy, access.now)?;
        document::note(tx, &access, file)
    })
}
