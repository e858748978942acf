//! A professional's link as an actor: what it opens, and when it opens nothing. Its pages ask the same of `access::grant`.

use chrono::Duration;
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};
use kinchart::{
    access::{self, Actor, Edit, Permission, Rank, Scope, Via, View},
    db::{
        schema::{patient_shares, professional_links},
        types::{LinkId, PatientId},
    },
    error::{Error, Result},
    records,
};

use super::world::{Slot, World};
use crate::common::{Person, Share, TestApp, sample::Sample};

/// Who comes by this link.
fn visitor(maker: &Person, link: &LinkId) -> Actor {
    Actor { user: maker.id.clone(), name: "A link".into(), via: Via::Link(link.clone()), address: None }
}

/// What the link opens of the patient: how far, and which part.
fn opens(t: &TestApp, maker: &Person, link: &LinkId, patient: &PatientId) -> Option<(Rank, Scope)> {
    let granted: Result<_> = t.app.db.read(|conn| {
        let access = access::grant::<View>(conn, &visitor(maker, link), patient, t.now())?;
        assert!(!access.owner, "nobody owns who comes by a link");
        Ok((access.rank, access.scope().clone()))
    });
    match granted {
        Ok(found) => Some(found),
        Err(Error::NotFound) => None,
        Err(other) => panic!("a link that opens nothing is told as {other}"),
    }
}

fn list(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[actix_web::test]
async fn a_link_opens_its_patient_to_read_while_it_lasts() {
    let t = TestApp::new().await;
    t.app.clock.stop();
    let owner = t.user("owner");
    let (ada, bea) = (owner.patient("Ada"), owner.patient("Bea"));
    let (now, hour) = (t.now(), Duration::hours(1));
    let good = owner.link(&ada, &Share::default());
    assert_eq!(opens(&t, &owner, &good, &ada), Some((Rank::View, Scope::default())));
    let write = t.app.db.read(|conn| access::grant::<Edit>(conn, &visitor(&owner, &good), &ada, now).map(drop));
    assert!(matches!(write, Err(Error::Forbidden)), "a link reads");

    // Another patient of the same maker, and a link that nobody made.
    assert_eq!(opens(&t, &owner, &good, &bea), None);
    assert_eq!(opens(&t, &owner, &LinkId::new(), &ada), None);
    // Somebody else who says that the link is theirs, though they may see the patient too.
    let helper = t.stranger("helper");
    owner.share(&ada, &helper, &Share::to(Permission::Full));
    assert_eq!(opens(&t, &helper, &good, &ada), None);

    let ended = owner.link(&ada, &Share { expires_at: Some(now - hour), ..Share::default() });
    let ends_now = owner.link(&ada, &Share { expires_at: Some(now), ..Share::default() });
    let revoked = owner.link(&ada, &Share { active: false, ..Share::default() });
    for (name, link) in [("ended", ended), ("ends at this moment", ends_now), ("revoked", revoked)] {
        assert_eq!(opens(&t, &owner, &link, &ada), None, "{name}");
    }
    t.later(Duration::days(1));
    assert_eq!(opens(&t, &owner, &good, &ada), None, "its day is over");
}

#[actix_web::test]
async fn a_link_opens_no_list_of_people() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let link = owner.link(&ada, &Share::default());
    let all = t.app.db.read(|conn| access::all(conn, &visitor(&owner, &link), t.now())).unwrap();
    assert!(all.list.is_empty());
}

#[actix_web::test]
async fn a_link_ends_with_what_its_maker_may_give() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let levels = [("viewer", Permission::View, false), ("editor", Permission::Edit, false), ("full", Permission::Full, true)];
    for (name, level, may) in levels {
        let maker = t.stranger(name);
        owner.share(&ada, &maker, &Share::to(level));
        let link = maker.link(&ada, &Share::default());
        assert_eq!(opens(&t, &maker, &link, &ada).is_some(), may, "{name}");
    }
    // Who had everything and has less now, or nothing any more.
    let changed = |name: &str, change: &dyn Fn(&Person)| {
        let maker = t.stranger(name);
        owner.share(&ada, &maker, &Share::to(Permission::Full));
        let link = maker.link(&ada, &Share::default());
        assert!(opens(&t, &maker, &link, &ada).is_some());
        change(&maker);
        assert_eq!(opens(&t, &maker, &link, &ada), None, "{name}");
    };
    let of = |maker: &Person| patient_shares::table.filter(patient_shares::shared_with_user_id.eq(maker.id.clone()));
    let db = &t.app.db;
    changed("lowered", &|maker| {
        db.write(|tx| Ok(diesel::update(of(maker)).set(patient_shares::permission_level.eq("edit")).execute(&mut **tx)?))
            .map(drop)
            .unwrap();
    });
    changed("deactivated", &|maker| {
        db.write(|tx| Ok(diesel::update(of(maker)).set(patient_shares::is_active.eq(false)).execute(&mut **tx)?)).map(drop).unwrap();
    });
    changed("removed", &|maker| db.write(|tx| Ok(diesel::delete(of(maker)).execute(&mut **tx)?)).map(drop).unwrap());
}

#[actix_web::test]
async fn a_link_opens_no_more_than_both_its_own_part_and_its_makers() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let maker = t.stranger("maker");
    let part = Share { kinds: Some(list(&["vitals", "allergies"])), without: Some(list(&["violence"])), ..Share::to(Permission::Full) };
    owner.share(&ada, &maker, &part);
    let wider = maker.link(
        &ada,
        &Share { kinds: Some(list(&["allergies", "conditions"])), without: Some(list(&["mental_health"])), ..Share::default() },
    );
    let (rank, scope) = opens(&t, &maker, &wider, &ada).unwrap();
    assert_eq!(rank, Rank::View);
    assert_eq!(scope.kinds, Some(list(&["allergies"])));
    assert_eq!(scope.without, list(&["mental_health", "violence"]));
    let whole = maker.link(&ada, &Share::default());
    assert_eq!(opens(&t, &maker, &whole, &ada).unwrap().1.kinds, part.kinds);
    // A list that cannot be read opens nothing.
    let row = professional_links::table.find(&wider);
    t.app.db.write(|tx| Ok(diesel::update(row).set(professional_links::kinds.eq("allergies")).execute(&mut **tx)?)).unwrap();
    assert_eq!(opens(&t, &maker, &wider, &ada), None);
}

#[actix_web::test]
async fn what_a_link_leaves_out_is_in_no_chart() {
    let world = World::new().await;
    let World { t, owner, ada, .. } = &world;
    let first = records::kinds().iter().next().unwrap();
    let without = Share { without: Some(list(&["mental_health"])), ..Share::default() };
    let links = [
        ("a kind", Share { kinds: Some(list(&[first.name])), ..Share::default() }, [true, true, true]),
        ("a tag", Share { tags: Some(vec![world.tag.clone()]), ..Share::default() }, [true, false, true]),
        ("without what is sensitive", without, [true, true, false]),
    ];
    for (name, share, seen) in links {
        let link = owner.link(ada, &share);
        for kind in records::kinds() {
            let slots = [Slot::Open, Slot::Plain, Slot::Secret].into_iter().zip(seen);
            for (slot, seen) in slots.chain([(Slot::Foreign, false), (Slot::Gone, false)]) {
                let seen = seen && share.kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind.name.to_owned()));
                let found = t.app.db.read(|conn| {
                    let access = access::grant::<View>(conn, &visitor(owner, &link), ada, t.now())?;
                    access.chart(kind)?.get(conn, world.record(kind, slot)).map(drop)
                });
                assert_eq!(found.is_ok(), seen, "{name}: {} {slot:?}", kind.name);
            }
        }
    }
}

#[actix_web::test]
async fn reading_by_a_link_is_noted_as_the_links() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let kind = records::kind("allergies").unwrap();
    owner.record(&ada, kind, &Sample::least(kind, 1));
    let link = owner.link(&ada, &Share::default());
    assert_eq!(visitor(&owner, &link).key(), format!("link:{link}"));
    assert_eq!(visitor(&owner, &link).session_id(), Some(link.to_string()));
    assert!(visitor(&owner, &link).via_read_only());
}
