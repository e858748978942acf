//! Who the matrix asks as. Each stands in one column of `expected.txt`; somebody new is one line here, and a column there if no other fits.

use actix_web::http::Method;
use chrono::{Duration, NaiveDateTime};
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};
use kinchart::{
    access::{Own, Permission, grant},
    auth::{
        sealed::{self, Purpose},
        token_text,
    },
    db::schema::{api_tokens, patient_shares, professional_links, users},
    patients, records,
};

use super::world::{Sees, World};
use crate::common::{Answer, Api, Person, Share};

/// With what somebody comes.
pub enum Asks {
    /// A session at pages, a token that may write at the API.
    Both(Person, Box<Api>),
    /// The same browser at both: nobody, or somebody whose cookie opens nothing.
    Browser(Person),
    /// A session at the API only, where it must open nothing.
    BrowserAtApi(Person),
    /// A token at both; at pages it must open nothing.
    Program(Api),
}

pub struct Who {
    pub name: &'static str,
    pub column: &'static str,
    pub asks: Asks,
    pub sees: Sees,
    /// Belongs to the owner's household: its directory and tags.
    pub is_housed: bool,
    /// Sees the owner's other patients too.
    pub is_owner: bool,
    /// The end of the address of the professional's link that they came by.
    pub visits: Option<String>,
}

impl Who {
    fn new(name: &'static str, column: &'static str, asks: Asks, sees: Sees) -> Self {
        Self { name, column, asks, sees, is_housed: false, is_owner: false, visits: None }
    }
    fn both(name: &'static str, column: &'static str, person: Person, sees: Sees) -> Self {
        let api = Box::new(person.api(true));
        Self::new(name, column, Asks::Both(person, api), sees)
    }
    fn housed(mut self) -> Self {
        self.is_housed = true;
        self
    }
    fn owner(mut self) -> Self {
        self.is_owner = true;
        self.housed()
    }

    /// Is this path one to ask with what they have?
    pub fn comes_to(&self, path: &str) -> bool {
        !matches!(self.asks, Asks::BrowserAtApi(_)) || is_api(path)
    }

    /// A session that a request may end.
    pub fn once_more(&self) -> Option<Person> {
        match &self.asks {
            Asks::Both(person, _) => Some(person.clone().signed_in()),
            _ => None,
        }
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
        match &self.asks {
            Asks::Both(_, api) if is_api(path) => api.send(method, path, headers, body).await,
            Asks::Both(person, _) | Asks::Browser(person) | Asks::BrowserAtApi(person) => person.send(method, path, headers, body).await,
            Asks::Program(api) => api.send(method, path, headers, body).await,
        }
    }
}

fn is_api(path: &str) -> bool {
    path.starts_with("/api/")
}

/// Who opens a link of this maker's, without a passcode.
async fn visitor(world: &World, name: &'static str, maker: &Person, share: &Share, sees: Sees) -> Who {
    let link = maker.link(&world.ada, share);
    let text = sealed::text(&world.t.app.key, Purpose::ProfessionalLink, link.as_str(), 1);
    let opened = world.t.anon().post(&format!("/l/{text}"), &[]).await.is(303);
    let cookie = opened.header("set-cookie").map(|set| set.split(';').next().unwrap_or_default().to_owned());
    let browser = world.t.anon().with_cookie(cookie);
    Who { visits: Some(text), ..Who::new(name, "visitor", Asks::Browser(browser), sees) }
}

/// The same, whose link is over since.
async fn late(world: &World, name: &'static str, revoked_at: Option<NaiveDateTime>) -> Who {
    let who = visitor(world, name, &world.owner, &Share::default(), Sees::Nothing).await;
    let id = who.visits.as_deref().and_then(sealed::id_of).unwrap_or_default().to_owned();
    let ends = if revoked_at.is_some() { world.t.now() + Duration::days(1) } else { world.t.now() };
    let row = professional_links::table.find(id);
    set(&world.owner, diesel::update(row).set((professional_links::revoked_at.eq(revoked_at), professional_links::expires_at.eq(ends))));
    Who { column: "late", ..who }
}

/// Everybody.
pub async fn everybody(world: &World) -> Vec<Who> {
    let World { t, owner, ada, cleo, tag, .. } = world;
    let (now, day) = (t.now(), Duration::days(1));
    let mut all = vec![
        Who::new("nobody", "nobody", Asks::Browser(t.anon()), Sees::Nothing),
        Who::new("a forged cookie", "nobody", Asks::Browser(t.anon().with_cookie(Some("kinchart=forged".into()))), Sees::Nothing),
        Who::new("the owner's session at the API", "nobody", Asks::BrowserAtApi(owner.clone()), Sees::Nothing),
        Who::both("a stranger", "none", t.stranger("stranger"), Sees::Nothing),
        Who::both("of the household", "member", t.user("sibling"), Sees::Nothing).housed(),
        Who::both("administrator", "admin", t.admin("root"), Sees::Nothing).housed(),
        Who::both("owner", "owner", owner.clone(), Sees::Everything).owner(),
        Who::new("owner's token to read", "read", Asks::Program(owner.api(false)), Sees::Everything).owner(),
        Who::new("owner's token to write", "write", Asks::Program(owner.api(true)), Sees::Everything).owner(),
    ];
    // Shares: name, column, how much, what of it.
    let whole = Share::default;
    let of = |kinds: &[&str]| Some(kinds.iter().map(|kind| (*kind).to_owned()).collect::<Vec<_>>());
    let names: Vec<&'static str> = records::kinds().iter().map(|kind| kind.name).collect();
    let (even, odd): (Vec<_>, Vec<_>) = names.iter().enumerate().partition(|(i, _)| i % 2 == 0);
    let only = |list: Vec<(usize, &&'static str)>| list.into_iter().map(|(_, name)| *name).collect::<Vec<_>>();
    let (even, odd) = (only(even), only(odd));
    let full = || Share::to(Permission::Full);
    let edit = || Share::to(Permission::Edit);
    let shares = [
        ("looks", "view", whole(), Sees::Everything),
        ("looks today", "view", Share { starts_at: Some(now - day), expires_at: Some(now + day), ..whole() }, Sees::Everything),
        ("edits", "edit", edit(), Sees::Everything),
        ("everything but owning", "full", full(), Sees::Everything),
        ("ended", "none", Share { expires_at: Some(now - day), ..full() }, Sees::Nothing),
        ("ends at this moment", "none", Share { expires_at: Some(now), ..full() }, Sees::Nothing),
        ("not begun", "none", Share { starts_at: Some(now + day), ..full() }, Sees::Nothing),
        ("revoked", "none", Share { active: false, ..full() }, Sees::Nothing),
        ("looks at some kinds", "part", Share { kinds: of(&even), ..whole() }, Sees::Kinds(even.clone())),
        ("edits the other kinds", "part-edit", Share { kinds: of(&odd), ..edit() }, Sees::Kinds(odd)),
        ("looks at no kind", "part", Share { kinds: Some(vec![]), ..whole() }, Sees::Kinds(vec![])),
        ("looks at a tag", "part", Share { tags: Some(vec![tag.clone()]), ..whole() }, Sees::Tagged),
        ("edits a tag", "part-edit", Share { tags: Some(vec![tag.clone()]), ..edit() }, Sees::Tagged),
        ("looks without what is sensitive", "part", Share { without: of(&["mental_health"]), ..whole() }, Sees::WithoutSensitive),
        ("edits without what is sensitive", "part-edit", Share { without: of(&["mental_health"]), ..edit() }, Sees::WithoutSensitive),
    ];
    for (name, column, share, sees) in shares {
        let person = t.stranger(&name.replace(' ', "-"));
        owner.share(ada, &person, &share);
        all.push(Who::both(name, column, person, sees));
    }
    let guest = t.stranger("guest");
    set(owner, diesel::update(users::table.find(&guest.id)).set(users::role.eq("guest")));
    owner.share(ada, &guest, &whole());
    all.push(Who::both("guest", "guest", guest, Sees::Everything));

    let second = t.stranger("second");
    let own = |patient| {
        let added = owner.db().write(|tx| {
            let access = grant::<Own>(tx, &owner.actor(), patient, now)?;
            patients::add_owner(tx, &access, &second.id)
        });
        added.unwrap();
    };
    own(ada);
    world.bring_back(cleo);
    own(cleo);
    world.throw_away(cleo);
    all.push(Who::both("second owner", "second", second, Sees::Everything));

    for (name, status) in [("invited", "pending"), ("invitation cancelled", "cancelled"), ("invitation declined", "rejected")] {
        let person = t.stranger(&name.replace(' ', "-"));
        owner.invite(ada, &person, status);
        all.push(Who::both(name, "none", person, Sees::Nothing));
    }
    // Accounts and tokens that were good once.
    let disabled = t.stranger("disabled");
    owner.share(ada, &disabled, &full());
    all.push(Who::new("disabled", "nobody", Asks::Browser(disabled.clone()), Sees::Nothing));
    all.push(Who::new("disabled, with a token", "nobody", Asks::Program(disabled.api(true)), Sees::Nothing));
    set(owner, diesel::update(users::table.find(&disabled.id)).set(users::disabled_at.eq(now)));
    let (revoked, expired) = (owner.api(true), owner.api(true));
    let row = |api: &Api| api_tokens::table.filter(api_tokens::token_hash.eq(token_text::hash(&api.token)));
    set(owner, diesel::update(row(&revoked)).set(api_tokens::revoked_at.eq(now)));
    set(owner, diesel::update(row(&expired)).set(api_tokens::expires_at.eq(now)));
    all.push(Who::new("a revoked token", "nobody", Asks::Program(revoked), Sees::Nothing));
    all.push(Who::new("an expired token", "nobody", Asks::Program(expired), Sees::Nothing));
    // Who has a link, of the owner's or of somebody who may give on a part only; and who has a link and not its passcode.
    let without = Share { without: of(&["mental_health"]), ..whole() };
    all.push(visitor(world, "by a link", owner, &whole(), Sees::Everything).await);
    let some = Share { kinds: of(&even), ..whole() };
    all.push(visitor(world, "by a link of some kinds", owner, &some, Sees::Kinds(even.clone())).await);
    all.push(visitor(world, "by a link without what is sensitive", owner, &without, Sees::WithoutSensitive).await);
    let (giver, careful) = (t.stranger("giver"), t.stranger("careful"));
    owner.share(ada, &giver, &Share { kinds: of(&even), ..full() });
    owner.share(ada, &careful, &Share { without: of(&["mental_health"]), ..full() });
    all.push(visitor(world, "by a link of who has some kinds", &giver, &whole(), Sees::Kinds(even)).await);
    all.push(visitor(world, "by a link of who sees nothing sensitive", &careful, &whole(), Sees::WithoutSensitive).await);
    all.push(late(world, "by a link that was taken back", Some(now)).await);
    all.push(late(world, "by a link that ended", None).await);
    let guesser = t.anon();
    guesser.post(&format!("/l/{}", world.visiting), &[("passcode", "guessed")]).await.is(422);
    all.push(Who::new("by a link, with a wrong passcode", "nobody", Asks::Browser(guesser), Sees::Nothing));
    // A list that cannot be read must not open everything.
    let broken = t.stranger("broken");
    owner.share(ada, &broken, &Share { kinds: Some(vec![]), ..full() });
    set(
        owner,
        diesel::update(patient_shares::table.filter(patient_shares::shared_with_user_id.eq(&broken.id)))
            .set(patient_shares::kinds.eq("vitals")),
    );
    all.push(Who::both("an unreadable scope", "none", broken, Sees::Nothing));
    all
}

fn set<Q>(owner: &Person, change: Q)
where
    Q: RunQueryDsl<kinchart::db::Conn> + Clone,
    Q: diesel::query_dsl::methods::ExecuteDsl<kinchart::db::Conn>,
{
    owner.db().write(|tx| Ok(change.clone().execute(&mut **tx)?)).unwrap();
}
