//! What a professional's link opens: the part its maker chose, as far as the maker may still give it, while the link lasts.

use chrono::NaiveDateTime;
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl};

use super::{Actor, Columns, Grant, Rank, Scope};
use crate::{
    db::{Conn, schema::professional_links, types::LinkId},
    error::Result,
};

/// Narrows what its maker has to what the link was made for. Nothing is left when the link is over or its maker may not share any more.
/// Whether this visit may go on (passcode, openings) is `professional_links`' to know.
pub(super) fn narrow(conn: &mut Conn, found: Grant, actor: &Actor, link: &LinkId, now: NaiveDateTime) -> Result<Option<Grant>> {
    let columns: Option<Columns> = professional_links::table
        .find(link)
        .filter(professional_links::patient_id.eq(&found.patient.id))
        .filter(professional_links::created_by.eq(&actor.user))
        .filter(professional_links::revoked_at.is_null())
        .filter(professional_links::expires_at.gt(now))
        .select((professional_links::kinds, professional_links::tags, professional_links::without))
        .first(conn)
        .optional()?;
    let Some(scope) = columns.and_then(Scope::of_columns) else { return Ok(None) };
    // `found.rank` is capped to reading by the way the link came in; what counts is the maker's own.
    if found.uncapped < Rank::Full {
        return Ok(None);
    }
    Ok(Some(Grant { scope: scope.within(&found.scope), rank: Rank::View, owner: false, ..found }))
}
