//! Two at once, where somebody loses their access meanwhile. Threads instead of requests where they must truly meet.

use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::Duration;
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};
use kinchart::{
    access::{self, Edit, Permission, View},
    app::App,
    db::schema::patient_shares,
    error::{Error, Result},
    records::{self, chart::Draft, field::Mode},
};

use crate::common::{Person, Share, TestApp, at_once, sample::Sample};

/// Takes a person's share away; without a test's app, so that another thread can do it.
fn revoke(app: &App, who: &kinchart::db::types::UserId) {
    let of = patient_shares::table.filter(patient_shares::shared_with_user_id.eq(who.clone()));
    app.db.write(|tx| Ok(diesel::update(of.clone()).set(patient_shares::is_active.eq(false)).execute(&mut **tx)?)).unwrap();
}

/// How somebody loses their share.
type End<'a> = &'a dyn Fn(&Person);

#[actix_web::test]
async fn a_share_that_ends_between_form_and_answer_writes_nothing() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let kind = records::kind("allergies").unwrap();
    let id = owner.record(&ada, kind, &Sample::least(kind, 1));
    let base = format!("/patients/{ada}/allergies");
    let ends: [(&str, End<'_>); 3] = [
        ("revoked", &|who| revoke(&t.app, &who.id)),
        ("removed", &|who| {
            let of = patient_shares::table.filter(patient_shares::shared_with_user_id.eq(who.id.clone()));
            t.app.db.write(|tx| Ok(diesel::delete(of.clone()).execute(&mut **tx)?)).map(drop).unwrap();
        }),
        ("expired", &|_| t.later(Duration::minutes(10))),
    ];
    for (name, end) in ends {
        let editor = t.stranger(name);
        owner.share(&ada, &editor, &Share { expires_at: Some(t.now() + Duration::minutes(10)), ..Share::to(Permission::Edit) });
        let api = editor.api(true);
        let edit = format!("{base}/{id}/edit");
        let form = editor.get(&edit).await.is(200).form(&edit).with("notes", "Written too late");
        let new = editor.get(&format!("{base}/new")).await.is(200).form(&base).with("allergen", "Too late");
        let sent = api.get(&format!("/api/v1{base}/{id}")).await.is(200).json();
        let (count, trail) = (owner.count(&ada, kind), owner.load(&ada, kind, &id).head.version);
        end(&editor);
        editor.submit(&form).await.is(404).lacks("Written too late");
        editor.submit(&new).await.is(404);
        editor.post(&format!("{base}/{id}/delete"), &[("_version", "1")]).await.is(404);
        api.put(&format!("/api/v1{base}/{id}"), 1, &sent).await.is(404);
        editor.get(&base).await.is(404);
        assert_eq!((owner.count(&ada, kind), owner.load(&ada, kind, &id).head.version), (count, trail), "{name}");
    }
}

/// Once taking away was answered, nothing more is read or written, however many are at it: each of them sees all or is refused.
#[actix_web::test]
async fn nothing_is_read_or_written_after_a_revocation_was_done() {
    const THREADS: usize = 6;
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let kind = records::kind("allergies").unwrap();
    let (notes, _) = kind.field("notes").unwrap();
    let id = owner.record(&ada, kind, &Sample::least(kind, 1));
    let helper = t.stranger("helper");
    owner.share(&ada, &helper, &Share::to(Permission::Edit));
    let (app, actor, now) = (t.app.clone(), helper.actor(), t.now());
    // How many tries there were when the revocation began, and whether it was done.
    let done = AtomicUsize::new(0);
    let outcomes = at_once(THREADS, |thread| {
        if thread == 0 {
            revoke(&app, &actor.user);
            done.store(1, Ordering::SeqCst);
            return Vec::new();
        }
        (0..20)
            .map(|round| {
                let was_done = done.load(Ordering::SeqCst) == 1;
                let result: Result<()> = if thread % 2 == 0 {
                    app.db.read(|conn| access::grant::<View>(conn, &actor, &ada, now)?.chart(kind)?.get(conn, &id).map(drop))
                } else {
                    app.db.write(|tx| {
                        let access = access::grant::<Edit>(tx, &actor, &ada, now)?;
                        let chart = access.chart(kind)?;
                        let current = chart.get(tx, &id)?;
                        let mut entry = current.entry;
                        entry.set(notes, &format!("{thread} {round}"), Mode::Strict).unwrap();
                        let draft = Draft { entry, tags: None, links: None, source: "person".into() };
                        chart.change(tx, &id, current.head.version, &draft).map(drop)
                    })
                };
                (was_done, thread % 2 == 1, result)
            })
            .collect()
    });
    let mut written = 0;
    for (was_done, writes, result) in outcomes.into_iter().flatten() {
        match result {
            Ok(()) if was_done => panic!("served after the share was revoked"),
            Ok(()) if writes => written += 1,
            // Whoever loses every race against the others is told to try again.
            Ok(()) | Err(Error::NotFound | Error::Busy) => {}
            Err(other) => panic!("a revoked share is told as {other}"),
        }
    }
    assert_eq!(owner.load(&ada, kind, &id).head.version, 1 + written, "every answer of a write was true");
    helper.get(&format!("/patients/{ada}/allergies/{id}")).await.is(404);
}

/// A download goes on part by part; the parts after the end of the share do not come.
#[actix_web::test]
async fn a_download_stops_where_the_share_ends() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let kind = records::kind("allergies").unwrap();
    for variant in 0..401 {
        owner.record(&ada, kind, &Sample::least(kind, variant));
    }
    let helper = t.stranger("helper");
    owner.share(&ada, &helper, &Share::default());
    let path = format!("/patients/{ada}/allergies/csv");
    let whole = helper.get(&path).await.is(200);
    assert_eq!(whole.body.lines().count(), 402);
    let (app, who) = (t.app.clone(), helper.id.clone());
    let after_one = move |part| {
        if part == 1 {
            revoke(&app, &who);
        }
    };
    let (rows, is_whole) = helper.parts(&path, after_one).await;
    assert!(!is_whole, "the rest of it would have to be missed");
    assert!(rows < 402, "{rows} lines came although the share was revoked");
}

#[actix_web::test]
async fn of_an_owners_end_and_an_editors_change_one_comes_first() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let kind = records::kind("allergies").unwrap();
    let (notes, _) = kind.field("notes").unwrap();
    for round in 0..6 {
        let id = owner.record(&ada, kind, &Sample::least(kind, round));
        let helper = t.stranger(&format!("helper-{round}"));
        owner.share(&ada, &helper, &Share::to(Permission::Edit));
        let (app, actor, now) = (t.app.clone(), helper.actor(), t.now());
        let outcomes = at_once(2, |thread| {
            if thread == 0 {
                revoke(&app, &actor.user);
                return Ok(0);
            }
            app.db.write(|tx| {
                let access = access::grant::<Edit>(tx, &actor, &ada, now)?;
                let chart = access.chart(kind)?;
                let mut entry = chart.get(tx, &id)?.entry;
                entry.set(notes, "Said by the helper", Mode::Strict).unwrap();
                chart.change(tx, &id, 1, &Draft { entry, tags: None, links: None, source: "person".into() })
            })
        });
        let version = owner.load(&ada, kind, &id).head.version;
        match &outcomes[1] {
            Ok(told) => assert_eq!((*told, version), (2, 2)),
            Err(Error::NotFound) => assert_eq!(version, 1),
            Err(other) => panic!("{other}"),
        }
    }
}
