//! Are the triggers there by which the tables take only what is new? They are compared with the text of the migration that makes them.

use diesel::{RunQueryDsl, sql_types::Text};

use crate::{
    db::{Conn, statement::Statement},
    error::Result,
};

const SQLITE: &str = include_str!("../../migrations/sqlite/0014b_audit_stays/up.sql");
const POSTGRES: &str = include_str!("../../migrations/postgres/0014b_audit_stays/up.sql");

/// Of PostgreSQL: name, table, type (1 a row, 2 before, 8 DELETE, 16 UPDATE, 32 TRUNCATE) and function.
const TRIGGERS: [(&str, &str, i32, &str); 6] = [
    ("audit_events_as_written", "audit_events", 1 + 2 + 16, "audit_event_as_written"),
    ("audit_events_stay", "audit_events", 1 + 2 + 8, "audit_event_stays"),
    ("audit_events_not_emptied", "audit_events", 2 + 32, "audit_refuse"),
    ("audit_seals_as_written", "audit_seals", 1 + 2 + 16, "audit_seal_as_written"),
    ("audit_seals_stay", "audit_seals", 1 + 2 + 8, "audit_refuse"),
    ("audit_seals_not_emptied", "audit_seals", 2 + 32, "audit_refuse"),
];

const STORED_BY_SQLITE: &str =
    "SELECT name || ' ' || sql FROM sqlite_master WHERE type = 'trigger' AND lower(tbl_name) IN ('audit_events', 'audit_seals')";
/// Triggers of people, whether they are on, on which condition, and what they run; and rules, of which there are none.
const STORED_BY_POSTGRES: &str = "SELECT concat_ws(' ', t.tgname, c.relname, t.tgtype, \
        CASE WHEN t.tgenabled IN ('O', 'A') AND t.tgqual IS NULL AND t.tgattr::text = '' AND t.tgnargs = 0 THEN 'on' ELSE 'off' END, \
        p.proname, p.prosrc) \
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid \
    WHERE t.tgrelid IN ('audit_events'::regclass, 'audit_seals'::regclass) AND NOT t.tgisinternal \
    UNION ALL SELECT rulename::text FROM pg_rewrite WHERE ev_class IN ('audit_events'::regclass, 'audit_seals'::regclass)";

/// The name of a trigger that is missing, changed, off or added.
pub fn fault(conn: &mut Conn) -> Result<Option<String>> {
    let (expected, query) = match conn {
        Conn::Sqlite(_) => (of_sqlite(), STORED_BY_SQLITE),
        Conn::Pg(_) => (of_postgres(), STORED_BY_POSTGRES),
    };
    let stored: Vec<String> = Statement::<Text>::new(query).load::<String>(conn)?.iter().map(|text| plain(text)).collect();
    let odd = expected.iter().find(|text| !stored.contains(text)).or_else(|| stored.iter().find(|text| !expected.contains(text)));
    Ok(odd.and_then(|text| text.split(' ').next()).map(str::to_owned))
}

/// Without the breaks of lines.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn of_sqlite() -> Vec<String> {
    const BEGIN: &str = "CREATE TRIGGER ";
    SQLITE
        .split(BEGIN)
        .skip(1)
        .map(|text| {
            let text = plain(text);
            let text = text.trim_end_matches(';');
            format!("{} {BEGIN}{text}", text.split(' ').next().unwrap_or_default())
        })
        .collect()
}

fn of_postgres() -> Vec<String> {
    TRIGGERS
        .iter()
        .map(|(name, table, kind, function)| {
            let body = POSTGRES.split_once(&format!("FUNCTION {function}()")).and_then(|(_, rest)| rest.split("$$").nth(1));
            plain(&format!("{name} {table} {kind} on {function} {}", body.unwrap_or_default()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trigger_of_the_migrations_is_asked_for() {
        assert_eq!(of_sqlite().len(), SQLITE.matches("CREATE TRIGGER").count());
        assert_eq!(TRIGGERS.len(), POSTGRES.matches("CREATE TRIGGER").count());
        for text in of_postgres() {
            assert!(text.ends_with(" END"), "{text}");
        }
        for (name, table, kind, function) in TRIGGERS {
            let when = match kind & 0x38 {
                8 => "DELETE",
                16 => "UPDATE",
                _ => "TRUNCATE",
            };
            let each = if kind & 1 == 1 { "ROW" } else { "STATEMENT" };
            let text = format!("CREATE TRIGGER {name} BEFORE {when} ON {table} FOR EACH {each} EXECUTE FUNCTION {function}();");
            assert!(POSTGRES.contains(&text), "{text}");
        }
    }
}
