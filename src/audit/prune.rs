//! What is older than `KINCHART_AUDIT_YEARS` goes, in whole batches. Their seals stay, with a signed mark of when that was, so that the chain
//! can still be proven from its beginning.

use chrono::{Duration, Months, NaiveDateTime};
use diesel::prelude::*;

use super::{
    Action, Event,
    seal::{self, AuditKey, Seal},
};
use crate::{
    app::App,
    db::{
        Tx,
        schema::{audit_events, audit_seals},
    },
    error::Result,
};

pub const TASK: &str = "prune_audit";
pub const EVERY: Duration = Duration::days(1);
/// Batches of one transaction, so that none holds up the people who write.
const MOST: i64 = 10;

/// Removes what is too old; how many events that were.
pub fn run(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let Some(until) = now.checked_sub_months(Months::new(app.config.audit_years.saturating_mul(12))) else { return Ok(0) };
    let mut gone = 0;
    loop {
        let events = app.db.write(|tx| {
            let Some(key) = seal::key(tx, &app.key)? else { return Ok(0) };
            some(tx, &key, until, now)
        })?;
        if events == 0 {
            return Ok(gone);
        }
        gone += events;
    }
}

fn some(tx: &mut Tx<'_>, key: &AuditKey, until: NaiveDateTime, now: NaiveDateTime) -> Result<usize> {
    let old: Vec<Seal> = audit_seals::table
        .filter(audit_seals::pruned_at.is_null())
        .filter(audit_seals::last_at.lt(until))
        .order(audit_seals::number)
        .limit(MOST)
        .select(Seal::as_select())
        .load(&mut **tx)?;
    let mut gone = 0;
    for seal in &old {
        // First the mark: without it the table lets nothing go.
        let mark = (audit_seals::pruned_at.eq(now), audit_seals::pruned_mac.eq(key.pruned_mac(seal, now)));
        diesel::update(audit_seals::table.find(seal.number)).set(mark).execute(&mut **tx)?;
        gone += diesel::delete(audit_events::table.filter(audit_events::seal.eq(seal.number))).execute(&mut **tx)?;
    }
    if gone > 0 {
        Event::by_the_program(Action::AuditPruned, now).write(tx)?;
    }
    Ok(gone)
}
