//! What a million events cost: to be run by hand, and read.

use std::time::Instant;

use diesel::{RunQueryDsl, connection::SimpleConnection, sql_types::Text};
use kinchart::audit::{seal, verify};

use crate::common::{TestApp, on_postgres};

const EVENTS: usize = 1_000_000;

/// `cargo nextest run --run-ignored all -E 'test(a_million_events)' --no-capture`.
#[actix_web::test]
#[ignore = "takes minutes, and only tells how long"]
async fn a_million_events() {
    let t = TestApp::new().await;
    let (owner, admin) = (t.user("owner"), t.admin("root"));
    let ada = owner.patient("Ada");
    // Half of them of one patient and by one account, a few refused.
    let (id, at) = if on_postgres() {
        ("lpad(to_hex(n), 12, '0') || '-made'", "timestamp '2020-03-14 12:00:00' + n * interval '3 minutes'")
    } else {
        ("printf('%012x', n) || '-made'", "datetime('2020-03-14 12:00:00', '+' || (n * 3) || ' minutes')")
    };
    let text = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {EVENTS}) \
         INSERT INTO audit_events (id, at, actor, actor_name, action, patient_id, kind, address, session_id, success) \
         SELECT {id}, {at}, CASE WHEN n % 2 = 0 THEN '{}' ELSE 'actor-' || (n % 40) END, 'Somebody', \
         CASE WHEN n % 100000 = 0 THEN 'sign_in_failed' WHEN n % 5 = 0 THEN 'changed' ELSE 'read' END, \
         CASE WHEN n % 4 < 2 THEN '{ada}' ELSE 'patient-' || (n % 90) END, 'vitals', '192.0.2.1', 'a-session', n % 100000 <> 0 FROM numbers",
        owner.id
    );
    let took = |what: &str, began: Instant| println!("{what}: {:?}", began.elapsed());
    let began = Instant::now();
    t.app.db.write(|tx| Ok(tx.batch_execute(&text)?)).unwrap();
    took("written", began);
    let began = Instant::now();
    println!("{} sealed", seal::run(&t.app).unwrap());
    took("sealed", began);
    if on_postgres() {
        t.app.db.write(|tx| Ok(tx.batch_execute("ANALYZE audit_events")?)).unwrap();
    }
    let began = Instant::now();
    let proven = t.app.db.read(|conn| verify::verify(conn, &t.app.key, None)).unwrap().unwrap();
    took(&format!("{} events in {} batches verified", proven.events, proven.seals), began);
    let looks = format!("/patients/{ada}/looks");
    let deep = "before=1600000000000000-x";
    for (person, path) in [
        (&admin, "/admin/audit".to_owned()),
        (&admin, format!("/admin/audit?{deep}")),
        (&admin, format!("/admin/audit?who={}", owner.id)),
        (&admin, format!("/admin/audit?who={}&what=signed_in", owner.id)),
        (&admin, "/admin/audit?what=looked".to_owned()),
        (&admin, "/admin/audit?what=signed_in".to_owned()),
        (&admin, "/admin/audit?what=installation".to_owned()),
        (&admin, "/admin/audit?success=refused".to_owned()),
        (&admin, "/admin/audit?from=2021-01-01&to=2021-01-02".to_owned()),
        (&owner, "/settings/activity".to_owned()),
        (&owner, format!("/settings/activity?{deep}")),
        (&owner, "/settings/activity?what=shared".to_owned()),
        (&owner, format!("/settings/activity?patient={ada}")),
        (&owner, "/settings/activity?success=refused".to_owned()),
        (&owner, looks.clone()),
        (&owner, format!("{looks}?own=1&{deep}")),
        (&owner, format!("{looks}?what=changed")),
        (&owner, format!("{looks}?what=shared")),
        (&owner, format!("{looks}?record=nothing")),
        (&owner, format!("{looks}?who=actor-7")),
        (&owner, format!("{looks}/csv")),
    ] {
        let began = Instant::now();
        person.get(&path).await.is(200);
        took(&path.replace(ada.as_str(), "ada").replace(owner.id.as_str(), "owner"), began);
    }
    let before = "at <= '2021-01-01 00:00:00' AND (at < '2021-01-01 00:00:00' OR id < 'x') ORDER BY at DESC, id DESC LIMIT 51";
    for (what, filter) in [
        ("all", String::new()),
        ("account", format!("actor = '{}' AND ", owner.id)),
        ("action", "action = 'sign_in_failed' AND ".to_owned()),
        ("patient", format!("patient_id = '{ada}' AND ")),
        ("refused", "success = FALSE AND ".to_owned()),
        ("about", "detail = 'x' AND ".to_owned()),
    ] {
        let select = format!("SELECT * FROM audit_events WHERE {filter}{before}");
        explain(&t, what, &select);
    }
    explain(&t, "waiting", "SELECT * FROM audit_events WHERE seal IS NULL ORDER BY seal, id LIMIT 1000");
    explain(&t, "batch", "SELECT * FROM audit_events WHERE seal = 77 ORDER BY seal, id LIMIT 1001");
}

/// The plan, by its steps.
fn explain(t: &TestApp, what: &str, select: &str) {
    let lines: Vec<String> = if on_postgres() {
        #[derive(diesel::QueryableByName)]
        struct Line {
            #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
            line: String,
        }
        let plan: Vec<Line> = t.app.db.read(|conn| Ok(diesel::sql_query(format!("EXPLAIN {select}")).load(conn)?)).unwrap();
        plan.into_iter().map(|line| line.line).collect()
    } else {
        #[derive(diesel::QueryableByName)]
        struct Line {
            #[diesel(sql_type = Text)]
            detail: String,
        }
        let plan: Vec<Line> = t.app.db.read(|conn| Ok(diesel::sql_query(format!("EXPLAIN QUERY PLAN {select}")).load(conn)?)).unwrap();
        plan.into_iter().map(|line| line.detail).collect()
    };
    println!("{what}: {}", lines.join(" | "));
}
