//! Every route, asked as everybody, of every kind: the answers are in `expected.txt`, and no answer holds a word of what its reader must not see.
//!
//! A new route needs its line in `expected.txt`. If it wants a body to be refused for, that is in [`form`] or [`json`]; what its path needs is
//! in [`Call::path`]. A request that truly changes something is put right again in [`World`]'s own way by [`Call::after`].

use std::collections::BTreeMap;

use actix_web::http::Method;
use kinchart::{
    records::{self, Kind, field::Input},
    routes::ROUTES,
};
use serde_json::{Value, json};

use super::{
    people::{Who, everybody},
    world::{CANARY, KEY, Sees, Slot, Tells, World, kinds_with_papers},
};
use crate::common::{Answer, sample::Sample};

/// Each part has a database of its own, so that they run beside each other.
const PARTS: usize = 4;
/// More wrong answers than anybody reads; then it is enough. `KINCHART_TEST_MOST_WRONG` says another number: one is all it takes to notice.
fn most_wrong() -> usize {
    std::env::var("KINCHART_TEST_MOST_WRONG").ok().and_then(|number| number.parse().ok()).unwrap_or(40)
}
/// Fewer means that something of the matrix is gone.
const LEAST: usize = 5000;

type Route = (&'static str, &'static str);

/// The table as it is written.
struct Expected {
    columns: Vec<&'static str>,
    rows: BTreeMap<(&'static str, &'static str), Vec<&'static str>>,
}

impl Expected {
    fn read() -> Self {
        let mut lines = include_str!("expected.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let columns: Vec<&str> = lines.next().unwrap().split_whitespace().skip(1).collect();
        let mut rows = BTreeMap::new();
        for line in lines {
            let mut cells = line.split_whitespace();
            let route = (cells.next().unwrap(), cells.next().unwrap());
            let cells: Vec<&str> = cells.collect();
            assert_eq!(cells.len(), columns.len(), "{line}");
            assert!(rows.insert(route, cells).is_none(), "twice: {line}");
        }
        Self { columns, rows }
    }

    fn answer(&self, route: Route, column: &str) -> &'static str {
        let place = self.columns.iter().position(|name| *name == column).unwrap_or_else(|| panic!("no column {column}"));
        self.rows[&route][place]
    }
}

#[test]
fn every_route_has_its_line_and_every_line_its_route() {
    let expected = Expected::read();
    let missing: Vec<&Route> = ROUTES.iter().filter(|route| !expected.rows.contains_key(*route)).collect();
    let gone: Vec<&Route> = expected.rows.keys().filter(|route| !ROUTES.contains(route)).collect();
    assert!(missing.is_empty() && gone.is_empty(), "no line in expected.txt for {missing:?}, no route for {gone:?}");
}

/// One request of the matrix.
struct Call<'a> {
    route: Route,
    kind: Option<&'static Kind>,
    slot: Slot,
    who: &'a Who,
    answer: &'static str,
}

/// What a path with this pattern is asked with: kinds (or none), and which records of them.
fn kinds_of((_, pattern): Route) -> Vec<Option<&'static Kind>> {
    if pattern.contains("{file}") {
        return kinds_with_papers().map(Some).collect();
    }
    if !pattern.contains("{kind}") {
        return vec![None];
    }
    let fits = |kind: &&Kind| !pattern.contains("/none-known/") || kind.none_known;
    records::kinds().iter().filter(fits).map(Some).collect()
}

/// Is it about one record, or about one of its papers, which is seen as its record is?
fn is_of_record(pattern: &str) -> bool {
    pattern.contains("{record}") || pattern.contains("{file}")
}

fn slots_of((_, pattern): Route) -> Vec<Slot> {
    if !is_of_record(pattern) {
        let is_of_one = pattern.contains("/{patient}") && !pattern.starts_with("/patients/trash/");
        return if is_of_one { vec![Slot::Open, Slot::Foreign, Slot::Thrown] } else { vec![Slot::Open] };
    }
    let living = [Slot::Open, Slot::Plain, Slot::Secret, Slot::Foreign];
    if pattern.ends_with("/restore") { living.map(Slot::gone).to_vec() } else { living.to_vec() }
}

/// Answers of somebody who came through.
const THROUGH: [&str; 6] = ["200", "done", "422", "412", "409", "204"];

/// Everything that is to be asked of this part of the kinds.
fn calls<'a>(expected: &Expected, people: &'a [Who], part: usize) -> Vec<Call<'a>> {
    let place = |kind: Option<&'static Kind>| kind.map_or(0, |kind| records::kinds().iter().position(|k| k.name == kind.name).unwrap());
    let mut all = Vec::new();
    for route in ROUTES.iter().copied() {
        for kind in kinds_of(route).into_iter().filter(|kind| place(*kind) % PARTS == part) {
            for slot in slots_of(route) {
                all.extend(people.iter().filter(|who| who.comes_to(route.1)).filter_map(|who| call(expected, route, kind, slot, who)));
            }
        }
    }
    all
}

/// The call, and what it must be answered. What tells nothing that another call does not tell is left out.
fn call<'a>(expected: &Expected, route: Route, kind: Option<&'static Kind>, slot: Slot, who: &'a Who) -> Option<Call<'a>> {
    let is_part = who.column.starts_with("part");
    // Only a share of a part tells the records of one patient apart.
    if matches!(slot, Slot::Plain | Slot::Secret | Slot::GonePlain | Slot::GoneSecret) && !is_part {
        return None;
    }
    let inside = if route.1.ends_with("/family") { who.sees.kind("family-members") } else { true }
        && kind.is_none_or(|kind| if is_of_record(route.1) { who.sees.record(kind.name, slot) } else { who.sees.kind(kind.name) });
    let column = match who.column {
        "part" if !inside && slot != Slot::Foreign => "out",
        "part-edit" if !inside && slot != Slot::Foreign => "out-edit",
        column => column,
    };
    let mut answer = expected.answer(route, column);
    // What a link leaves out is not there for who came by it; the columns tell of whole links.
    let is_of_visit = route.1.starts_with("/l/") && route.1.contains("{file}");
    if is_of_visit && who.column == "visitor" && !inside {
        answer = "404";
    }
    if slot == Slot::Thrown {
        let is_asked = matches!(who.column, "owner" | "second" | "read" | "write") && THROUGH.contains(&answer);
        return is_asked.then_some(Call { route, kind, slot, who, answer: "404" });
    }
    if slot == Slot::Foreign {
        // Ada's record would have been theirs; the other patient is, if they own her.
        let is_asked = if is_of_visit {
            answer == "200"
        } else if is_of_record(route.1) {
            THROUGH.contains(&answer)
        } else {
            !who.is_owner && who.visits.is_none() && !matches!(who.sees, Sees::Nothing)
        };
        if !is_asked {
            return None;
        }
        answer = "404";
    }
    assert_ne!(answer, "-", "{route:?} is asked as {}, and expected.txt says nothing", who.name);
    Some(Call { route, kind, slot, who, answer })
}

impl Call<'_> {
    fn is_taken(&self) -> bool {
        matches!(self.answer, "200" | "done")
    }
    /// Does this person come as far as the body?
    fn comes_through(&self) -> bool {
        !matches!(self.answer, "401" | "403" | "404" | "login")
    }

    fn path(&self, world: &World) -> String {
        let (_, pattern) = self.route;
        let of = |what: &str| self.kind.filter(|_| pattern.contains(what));
        let record = of("{record}").map(|kind| world.record(kind, self.slot).to_string()).unwrap_or_default();
        let file = of("{file}").map(|kind| world.file(kind, self.slot).to_string()).unwrap_or_default();
        let patient = match self.slot {
            Slot::Thrown => &world.cleo,
            _ if pattern.starts_with("/patients/trash/") => &world.cleo,
            Slot::Foreign if !is_of_record(pattern) => &world.bea,
            _ => &world.ada,
        };
        let entry = if pattern == "/directory/{list}/{entry}/delete" { world.owner.practitioner("Dr Short") } else { world.entry.clone() };
        let list = if pattern.starts_with("/codes") { "icd10" } else { "practitioners" };
        let tag = if pattern.starts_with("/static") { "0" } else { &world.tag };
        let thrown = pattern.ends_with("/restore");
        let path = pattern
            // A number in somebody's Paperless-ngx, or a document of the inbox.
            .replace("/paperless/{document}", "/paperless/1")
            .replace("{document}", if thrown { &world.thrown_document } else { &world.document }.as_str())
            .replace("{paper}", if thrown { &world.thrown_paper } else { &world.paper }.as_str())
            .replace("{patient}", patient.as_str())
            .replace("{kind}", self.kind.map_or("", |kind| kind.name))
            .replace("{record}", &record)
            .replace("{file}", &file)
            .replace("{version}", "1")
            .replace("{page}", "1")
            .replace("{list}", list)
            .replace("{entry}", &entry)
            .replace("{tag}", tag)
            .replace("{name}", "app.css")
            .replace("{import}", &world.import)
            .replace("{share}", &world.share)
            .replace("{passkey}", "none")
            .replace("{invitation}", &world.invitation)
            .replace("{link}", &world.link)
            .replace("{household}", world.owner.household.as_str())
            .replace("{member}", world.owner.id.as_str())
            .replace("{user}", world.owner.id.as_str())
            .replace("{account}", world.owner.id.as_str())
            .replace("{job}", "nothing")
            .replace(
                "{text}",
                if pattern.starts_with("/l/") { self.who.visits.as_ref().unwrap_or(&world.visiting) } else { &world.joining },
            )
            .replace("{token}", &if pattern.contains("{token}") { world.owner.token_to_revoke() } else { String::new() });
        let query = match pattern {
            "/search" => format!("?q={CANARY}"),
            "/import" => format!("?patient={}", world.ada),
            "/inbox" | "/api/v1/inbox/files" => format!("?household={}", world.owner.household),
            "/inbox/file" if self.route.0 == "GET" => format!("?document={}", world.document),
            "/twins" if self.route.0 == "GET" => format!("?new={}&next=%2Finbox", world.paper),
            "/patients/{patient}/{kind}/{record}/links" if self.route.0 == "GET" => format!("?q={CANARY}"),
            _ if pattern.ends_with("/original") && !pattern.contains("{record}") => format!("?key={KEY}"),
            _ => String::new(),
        };
        assert!(!path.contains('{'), "{path}: say in Call::path what stands there");
        path + &query
    }

    /// Headers and body.
    fn body(&self, world: &World) -> (Vec<(&'static str, &'static str)>, String) {
        let (method, pattern) = self.route;
        let refused = self.comes_through();
        let same_site = [("sec-fetch-site", "same-origin"), ("origin", "http://localhost:8080")];
        match method {
            "GET" => (Vec::new(), String::new()),
            "DELETE" => (vec![("if-match", if refused { "\"99\"" } else { "*" })], String::new()),
            _ if pattern.ends_with("/files") || pattern == "/inbox" || pattern.ends_with("/photo") => {
                let files: &[(&str, &str)] = if refused { &[] } else { &[("letter.txt", "Dear Ada")] };
                (vec![crate::files::FORM, same_site[0], same_site[1]], crate::files::form(&[], files))
            }
            _ if pattern.starts_with("/api/") => {
                let body = match self.route.1 {
                    _ if refused => json!({"nonsense": 1}),
                    "/api/v1/inbox/files/{document}/file" => json!({"patient": world.ada}),
                    _ => self.json(),
                };
                (vec![("content-type", "application/json"), ("if-match", "*")], body.to_string())
            }
            _ if pattern == "/import" => {
                (vec![("content-type", "multipart/form-data; boundary=part"), same_site[0], same_site[1]], upload(world.ada.as_str()))
            }
            _ => {
                let form = self.form(world, refused);
                let pairs: Vec<(&str, &str)> = form.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
                let body = serde_urlencoded::to_string(pairs).unwrap();
                (vec![("content-type", "application/x-www-form-urlencoded"), same_site[0], same_site[1]], body)
            }
        }
    }

    /// A form that is refused, or one that would be taken.
    fn form(&self, world: &World, refused: bool) -> Vec<(String, String)> {
        let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let version = if refused { "99" } else { "1" };
        let (_, pattern) = self.route;
        match (pattern, self.kind) {
            ("/patients/{patient}/{kind}" | "/patients/{patient}/{kind}/{record}/edit", Some(kind)) => {
                if refused {
                    refusable(kind)
                } else {
                    Sample::least(kind, 1).form(kind)
                }
            }
            ("/patients/{patient}/{kind}/{record}/status", Some(kind)) => {
                let status = if refused { "nonsense" } else { kind.status_words().first().copied().unwrap_or("active") };
                pairs(&[("status", status)])
            }
            ("/patients/{patient}/{kind}/{record}/links", Some(kind)) => {
                let other = world.record(kind, Slot::Plain);
                pairs(&[("to", if refused { "nothing" } else { other.as_str() }), ("relation", "related")])
            }
            ("/patients/{patient}/{kind}/{record}/offers", _) => pairs(&[("field", "notes"), ("answer", "dismiss")]),
            ("/patients/{patient}/none-known/{kind}", _) => pairs(&[("none", "true")]),
            ("/patients" | "/patients/{patient}/edit", _) => {
                if refused {
                    pairs(&[("birth_date", "nonsense")])
                } else {
                    pairs(&[("first_name", "Eve"), ("birth_date", "1970")])
                }
            }
            ("/inbox/file", _) => {
                let what = if refused { "record" } else { "patient" };
                pairs(&[("document", world.document.as_str()), ("patient", world.ada.as_str()), ("_what", what)])
            }
            ("/twins", _) => pairs(&[("file", world.paper.as_str()), ("keep", if refused { "nonsense" } else { "first" })]),
            ("/tags/{tag}", _) => pairs(&[("name", if refused { "" } else { "School" }), ("color", "slate")]),
            ("/directory/{list}" | "/directory/{list}/{entry}", _) => pairs(&[("name", if refused { "" } else { "Dr Entry" })]),
            // Not the same name twice: what is counted is how often it was tried.
            ("/login", _) => pairs(&[("username", self.who.name), ("password", "wrong")]),
            ("/settings/password", _) => pairs(&[("current_password", "wrong")]),
            ("/settings/address", _) => pairs(&[("email", "no address")]),
            ("/settings/sessions", _) => pairs(&[("which", "nothing")]),
            _ => pairs(&[("_version", version)]),
        }
    }

    /// A body that would be taken.
    fn json(&self) -> Value {
        match self.kind {
            Some(kind) => crate::api::body(kind, &Sample::least(kind, 1)),
            None => json!({"first_name": "Eve", "birth_date": "1970"}),
        }
    }

    async fn ask(&self, world: &World) -> (String, Answer) {
        self.before(world);
        let (method, pattern) = self.route;
        let method: Method = method.parse().unwrap();
        let path = self.path(world);
        let (headers, body) = self.body(world);
        let answer = match self.who.once_more() {
            // It ends the session, which goes on being used.
            Some(person) if pattern == "/logout" => person.send(method, &path, &headers, body).await,
            _ => self.who.send(method, &path, &headers, body).await,
        };
        self.after(world, &answer);
        (path, answer)
    }

    /// What a request that changes something needs.
    fn before(&self, world: &World) {
        if let Some(kind) = self.kind.filter(|_| self.route.1.ends_with("/{record}/offers") && self.is_taken()) {
            let letters: String = kind.name.chars().filter(char::is_ascii_alphabetic).collect();
            world.offer(world.record(kind, self.slot), &format!("{CANARY}{letters}{}", self.slot.letters()));
        }
    }

    /// As it was before.
    fn after(&self, world: &World, answer: &Answer) {
        if matches!(self.route.1, "/login" | "/login/passkey/challenge" | "/settings/password") {
            // So many wrong passwords from one address are too many.
            world.forget_guesses();
        }
        if self.route.0 == "POST"
            && (self.route.1.contains("/sharing") || self.route.1.contains("/links/{link}") || self.route.1.starts_with("/l/"))
        {
            world.give_again();
        }
        if self.route.0 != "POST" || answer.status != 303 {
            return;
        }
        match (self.route.1, self.kind) {
            ("/inbox/{document}/delete", _) => world.lay(&world.document, false),
            ("/inbox/{document}/restore", _) => world.lay(&world.thrown_document, true),
            ("/directory/practitioners/{entry}/files/{paper}/delete", _) => world.lay(&world.paper, false),
            ("/directory/practitioners/{entry}/files/{paper}/restore", _) => world.lay(&world.thrown_paper, true),
            (pattern, Some(kind)) if pattern.ends_with("/files/{file}/delete") => world.lay(world.file(kind, self.slot), false),
            (pattern, Some(kind)) if pattern.ends_with("/files/{file}/restore") => world.lay(world.file(kind, self.slot), true),
            ("/patients/{patient}/{kind}/{record}/restore", Some(kind)) => world.remove(kind, world.record(kind, self.slot)),
            ("/patients/{patient}/photo/delete", _) => world.hang(&world.ada),
            ("/patients/{patient}/delete", _) if self.is_taken() => world.bring_back(&world.ada),
            ("/patients/trash/{patient}/restore", _) if self.is_taken() => world.throw_away(&world.cleo),
            _ => {}
        }
    }

    /// What is wrong with the answer.
    fn judge(&self, world: &World, answer: &Answer) -> Vec<String> {
        let mut wrong = Vec::new();
        let place = answer.header("location").unwrap_or_default();
        let came = match answer.status {
            303 if place == "/login" || place.starts_with("/login?") => "login".to_owned(),
            303 => "done".to_owned(),
            status => status.to_string(),
        };
        if came != self.answer {
            wrong.push(format!("answers {came}, not {}", self.answer));
        }
        let headers: Vec<String> = answer.headers.iter().map(|(_, value)| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
        for text in std::iter::once(&answer.body).chain(&headers) {
            let mut told: Vec<&str> = words(text).filter(|word| !world.tells(word).into_iter().any(|tells| self.may_read(tells))).collect();
            told.sort_unstable();
            told.dedup();
            if !told.is_empty() {
                wrong.push(format!("tells {}", told.join(", ")));
            }
        }
        wrong
    }

    fn may_read(&self, tells: Tells) -> bool {
        let who = self.who;
        // Whoever has no account here is told nothing at all, whatever the program knows of them.
        let is_somebody = self.answer != "login" && self.answer != "401";
        is_somebody
            && match tells {
                Tells::Record(kind, slot) => who.sees.record(kind, slot) || slot == Slot::Foreign && who.is_owner,
                Tells::House(kind, slot) => who.is_housed || who.sees.record(kind, slot),
                Tells::Ada => !matches!(who.sees, Sees::Nothing),
                Tells::Whole => who.sees.is_whole(),
                Tells::Shelf => who.is_housed,
                Tells::Owner => who.is_owner,
                Tells::Cleo => who.is_owner || who.column == "second",
            }
    }
}

/// A record's form with a line that no field takes.
fn refusable(kind: &Kind) -> Vec<(String, String)> {
    let line = kind.fields.iter().find(|spec| matches!(spec.input, Input::Line | Input::Text)).unwrap();
    vec![(line.name.to_owned(), "x".repeat(100_000))]
}

/// Our words in a text: the mark and what follows it. The mark alone is what was asked for.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices(CANARY).filter_map(|(at, _)| {
        let rest = &text[at..];
        let word = &rest[..rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len())];
        (word != CANARY).then_some(word)
    })
}

/// A file for this patient, as the page sends it.
fn upload(patient: &str) -> String {
    let file = json!({"resourceType": "Bundle", "type": "collection", "entry": [
        {"resource": {"resourceType": "Patient", "id": "eve", "name": [{"family": "Reyes", "given": ["Eve"]}], "birthDate": "1980-02-03"}},
    ]});
    format!(
        "--part\r\nContent-Disposition: form-data; name=\"patient\"\r\n\r\n{patient}\r\n\
         --part\r\nContent-Disposition: form-data; name=\"file\"; filename=\"eve.json\"\r\nContent-Type: application/json\r\n\r\n{file}\r\n--part--\r\n"
    )
}

async fn part(part: usize) {
    let world = World::new().await;
    let people = everybody(&world).await;
    let expected = Expected::read();
    let (counts, versions) = (world.counts(), world.versions());
    let calls = calls(&expected, &people, part);
    let (mut wrong, most) = (Vec::new(), most_wrong());
    for call in &calls {
        if wrong.len() >= most {
            break;
        }
        let (path, answer) = call.ask(&world).await;
        let name = call.who.name;
        let told = call.judge(&world, &answer).into_iter();
        wrong.extend(told.map(|what| format!("{name}: {} {} ({path}) {what}", call.route.0, call.route.1)));
    }
    assert!(wrong.is_empty(), "of {} answers are wrong:\n{}", calls.len(), wrong.join("\n"));
    assert_eq!((world.counts(), world.versions()), (counts, versions), "somebody wrote who was refused");
}

#[actix_web::test]
async fn everybody_asks_everything_part_one() {
    part(0).await;
}

#[actix_web::test]
async fn everybody_asks_everything_part_two() {
    part(1).await;
}

#[actix_web::test]
async fn everybody_asks_everything_part_three() {
    part(2).await;
}

#[actix_web::test]
async fn everybody_asks_everything_part_four() {
    part(3).await;
}

#[actix_web::test]
async fn the_matrix_is_large_enough() {
    let world = World::new().await;
    let people = everybody(&world).await;
    let expected = Expected::read();
    let all: usize = (0..PARTS).map(|part| calls(&expected, &people, part).len()).sum();
    println!("{all} combinations of {} routes, {} people, {} kinds", ROUTES.len(), people.len(), records::kinds().len());
    assert!(all >= LEAST, "{all}");
}

/// The test is not blind: who may see it all is shown it all.
#[actix_web::test]
async fn the_owner_is_shown_every_word() {
    let world = World::new().await;
    for kind in records::kinds() {
        let list = world.owner.get(&format!("/patients/{}/{}/csv", world.ada, kind.name)).await.is(200);
        for slot in [Slot::Open, Slot::Plain, Slot::Secret] {
            let told = |tells: Tells| words(&list.body).any(|word| world.tells(word) == [tells]);
            assert!(told(Tells::Record(kind.name, slot)) && told(Tells::House(kind.name, slot)), "{} {slot:?}", kind.name);
        }
    }
    let one = world.owner.get(&format!("/patients/{}/kept/original?key={KEY}", world.ada)).await;
    assert!(words(&one.body).any(|word| world.tells(word) == [Tells::Whole]));
}
