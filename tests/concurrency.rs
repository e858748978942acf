//! Two at once: nothing is lost, and of two changes one wins. Threads instead of requests, so that they truly meet.

use std::sync::Barrier;

use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};
use kinchart::{
    access::{self, Edit},
    db::schema::installation,
    error::Error,
    records::{self, chart::Draft, field::Mode},
};

use crate::common::{TestApp, sample::Sample};

#[actix_web::test]
async fn eight_threads_that_count_lose_nothing() {
    const THREADS: usize = 8;
    const EACH: usize = 12;
    let t = TestApp::new().await;
    let db = &t.app.db;
    kinchart::installation::set(db, "counter", "0").unwrap();
    let start = Barrier::new(THREADS);
    let counted: usize = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    (0..EACH).filter(|_| count(db)).count()
                })
            })
            .collect();
        workers.into_iter().map(|w| w.join().unwrap()).sum()
    });
    let told: usize = kinchart::installation::get(db, "counter").unwrap().unwrap().parse().unwrap();
    assert_eq!(told, counted, "a write that was said to be done is lost, or one that failed was done");
    assert!(counted >= EACH, "at least one thread gets through at every moment");
}

/// One more; whoever loses the race eight times is told that the program is busy, and nothing else.
fn count(db: &kinchart::db::Db) -> bool {
    let result = db.write(|tx| {
        let row = installation::table.find("counter");
        let text: String = row.select(installation::value).first(&mut **tx)?;
        let next = text.parse::<u32>().unwrap() + 1;
        diesel::update(row).set(installation::value.eq(next.to_string())).execute(&mut **tx)?;
        Ok(())
    });
    match result {
        Ok(()) => true,
        Err(Error::Busy) => false,
        Err(other) => panic!("a lost race is told as {other}"),
    }
}

#[actix_web::test]
async fn of_two_changes_at_once_one_wins_and_the_other_is_stale() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let kind = records::kind("allergies").unwrap();
    for round in 0..5 {
        let id = owner.record(&ada, kind, &Sample::least(kind, round));
        let (notes, _) = kind.field("notes").unwrap();
        let start = Barrier::new(4);
        let (app, actor) = (&t.app, owner.actor());
        let change = |text: String| {
            start.wait();
            app.db.write(|tx| {
                let access = access::grant::<Edit>(tx, &actor, &ada, app.clock.now())?;
                let chart = access.chart(kind)?;
                let mut entry = chart.get(tx, &id)?.entry;
                entry.set(notes, &text, Mode::Strict).unwrap();
                chart.change(tx, &id, 1, &Draft { entry, tags: None, links: None, source: "person".into() })
            })
        };
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let change = &change;
            let workers: Vec<_> = (0..4).map(|n| scope.spawn(move || change(format!("Said by {n}")))).collect();
            workers.into_iter().map(|w| w.join().unwrap()).collect()
        });
        let won = outcomes.iter().filter(|o| matches!(o, Ok(2))).count();
        let stale = outcomes.iter().filter(|o| matches!(o, Err(Error::Stale { current: 2 }))).count();
        assert_eq!((won, stale), (1, 3), "{outcomes:?}");
        assert_eq!(owner.load(&ada, kind, &id).head.version, 2);
    }
}

#[actix_web::test]
async fn two_primaries_at_once_end_with_one() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    for kind in records::kinds() {
        let Some((flag, _)) = kind.exclusive else { continue };
        let ada = owner.patient(kind.name);
        let start = Barrier::new(4);
        std::thread::scope(|scope| {
            for variant in 0..4 {
                let (start, owner, ada) = (&start, owner.record_maker(), &ada);
                scope.spawn(move || {
                    let sample = Sample::least(kind, variant).with(flag, "true").with("insurance_type", "medical").only(kind);
                    start.wait();
                    owner(ada, kind, &sample).unwrap();
                });
            }
        });
        let (index, _) = kind.field(flag).unwrap();
        let query = records::query::ListQuery::parse(kind, &[], records::field::Mode::Strict).unwrap();
        let rows = t
            .app
            .db
            .read(|conn| Ok(access::grant::<Edit>(conn, &owner.actor(), &ada, t.now())?.chart(kind)?.list(conn, &query)?.0))
            .unwrap();
        assert_eq!(rows.len(), 4, "{}", kind.name);
        let primary = rows.iter().filter(|row| row.entry.get(index).as_deref() == Some("true")).count();
        assert_eq!(primary, 1, "{}", kind.name);
    }
}
