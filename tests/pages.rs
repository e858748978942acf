//! Pages as a whole: every word from the catalogue, headers on every answer, nothing inline.

use std::sync::LazyLock;

use kinchart::{db::types::PatientId, records};

use crate::common::{Answer, Person, TestApp, html::Node, sample::Sample};

/// Around what a person wrote: letters in here are data, whatever language the page is in.
const OPEN: char = '\u{e000}';
const CLOSE: char = '\u{e001}';

fn data(text: &str) -> String {
    format!("{OPEN}{text}{CLOSE}")
}

/// A patient with one record of every kind, every text marked as data, and the pages that show them.
fn marked(t: &TestApp, owner: &Person) -> (PatientId, Vec<String>) {
    let ada = owner.patient_with(&[("first_name", &data("Ada")), ("last_name", &data("Lovelace")), ("birth_date", "1960")]);
    let mut pages: Vec<String> =
        ["/", "/patients", "/patients/new", "/patients/trash", "/search", "/search?q=gr%C3%B6%C3%9Fe", "/tags", "/import", "/nowhere"]
            .map(str::to_owned)
            .into();
    pages.extend(
        ["practitioners", "practices", "pharmacies"]
            .iter()
            .flat_map(|list| [format!("/directory/{list}"), format!("/directory/{list}/new")]),
    );
    pages.extend(["", "/edit", "/history", "/timeline", "/trash"].iter().map(|page| format!("/patients/{ada}{page}")));
    for kind in records::kinds() {
        let url = format!("/patients/{ada}/{}", kind.name);
        pages.push(format!("{url}?q=nothing-like-this"));
        let mut sample = Sample::full(owner, &ada, kind, 1).tagged(&[&data("Tag")]);
        let mark = |pairs: &mut Vec<(String, String)>| {
            for (_, text) in pairs.iter_mut().filter(|(_, text)| text.starts_with("Größe") || text.contains('@') || text.starts_with("+1"))
            {
                *text = text.lines().map(data).collect::<Vec<_>>().join("\n");
            }
        };
        mark(&mut sample.fields);
        sample.children.iter_mut().for_each(mark);
        let sample = if kind.name == "insurance" {
            sample
                .with("coverage_details", &format!("{{\"bin\":\"{}\"}}", data("x")))
                .with("contact_info", &format!("{{\"phone\":\"{}\"}}", data("x")))
        } else {
            sample
        };
        let id = owner.record(&ada, kind, &sample);
        pages.extend([url.clone(), format!("{url}/new"), format!("{url}?change={id}"), format!("{url}?undo={id}")]);
        pages.extend(["", "/edit", "/history", "/links"].iter().map(|page| format!("{url}/{id}{page}")));
    }
    let _ = t;
    (ada, pages)
}

/// Words a page shows that are neither data nor from the catalogue.
fn strange(answer: &Answer, known: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut hidden: Vec<String> = Vec::new();
    for node in answer.nodes() {
        match &node {
            Node::Open(tag, _) if matches!(tag.as_str(), "script" | "style" | "datalist") => hidden.push(tag.clone()),
            Node::Close(tag) if hidden.last() == Some(tag) => drop(hidden.pop()),
            Node::Text(text) if hidden.is_empty() => found.extend(untold(text, known)),
            _ => {}
        }
        for name in ["placeholder", "aria-label", "title", "alt"] {
            found.extend(node.attr(name).into_iter().filter_map(|text| untold(text, known)));
        }
    }
    found.sort();
    found.dedup();
    found
}

static DATES: LazyLock<regex::Regex> = LazyLock::new(|| {
    regex::Regex::new(r"\b(\d{1,2} )?(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)( \d{1,2},)? \d{4}\b|\bUTC\b").unwrap()
});
// The samples' own words, which search may cut apart to mark them.
static SAMPLES: LazyLock<regex::Regex> = LazyLock::new(|| regex::Regex::new(r"(Dr|Pharmacy)? ?Größe|\bDr\b|\S*É\S*").unwrap());

/// What remains of a text without catalogue words (in ⟦⟧, which nest), data, dates, numbers and our own name.
fn untold(text: &str, known: &[String]) -> Option<String> {
    let mut rest = text.to_owned();
    for data in known {
        rest = rest.replace(data.as_str(), " ");
    }
    let (mut depth, mut data, mut out) = (0i32, 0i32, String::new());
    for c in rest.chars() {
        match c {
            '⟦' => depth += 1,
            '⟧' => depth -= 1,
            OPEN => data += 1,
            CLOSE => data -= 1,
            c if depth <= 0 && data <= 0 => out.push(c),
            _ => {}
        }
    }
    let out = SAMPLES.replace_all(&DATES.replace_all(&out, " "), " ").replace("Kinchart", " ");
    let word = out.split_whitespace().collect::<Vec<_>>().join(" ");
    word.chars().any(char::is_alphabetic).then_some(word)
}

#[actix_web::test]
async fn every_word_of_every_page_comes_from_the_catalogue() {
    let t = TestApp::new().await;
    let owner = t.user(&data("owner"));
    owner.prefers("language", "en-x-pseudo");
    let (ada, pages) = marked(&t, &owner);
    // Titles that the program makes of measured values, and people's names in the directory, are data too.
    let mut known: Vec<String> = Vec::new();
    for kind in records::kinds().iter().filter(|k| matches!(k.name, "vitals" | "observations")) {
        let query = records::query::ListQuery::parse(kind, &[], records::field::Mode::Strict).unwrap();
        let rows = t.app.db.read(|conn| {
            Ok(kinchart::access::grant::<kinchart::access::View>(conn, &owner.actor(), &ada, t.now())?.chart(kind)?.list(conn, &query)?.0)
        });
        known.extend(rows.unwrap().into_iter().map(|row| row.head.title));
    }
    known.sort_by_key(|text| std::cmp::Reverse(text.len()));
    let mut all: Vec<Answer> = Vec::new();
    for page in &pages {
        let answer = owner.get(page).await;
        assert!(answer.status < 500, "{page}: {}", answer.status);
        all.push(answer);
    }
    // Failed forms and refusals.
    for kind in records::kinds() {
        let url = format!("/patients/{ada}/{}", kind.name);
        all.push(owner.post(&url, &[("notes", "\u{7}"), ("status", &data("no"))]).await);
        all.push(owner.post(&format!("{url}/nothing/delete"), &[]).await);
    }
    let mut wrong = std::collections::BTreeMap::<String, Vec<String>>::new();
    for answer in &all {
        for word in strange(answer, &known) {
            wrong.entry(word).or_default().push(answer.path.replace(ada.as_str(), "…"));
        }
    }
    let lines: Vec<String> = wrong.iter().map(|(word, pages)| format!("{word:?} on {} pages, such as {}", pages.len(), pages[0])).collect();
    assert!(lines.is_empty(), "{} words that are not from the catalogue:\n{}", lines.len(), lines.join("\n"));
}

#[actix_web::test]
async fn every_page_is_plain_and_guarded() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let (_, pages) = marked(&t, &owner);
    let mut wrong = Vec::new();
    for page in &pages {
        let answer = owner.get(page).await;
        for header in ["content-security-policy", "x-content-type-options", "referrer-policy", "x-frame-options"] {
            assert!(answer.header(header).is_some(), "{page} has no {header}");
        }
        assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"), "{page}");
        if answer.status != 200 {
            continue;
        }
        let nodes = answer.nodes();
        let ids: Vec<&str> = nodes.iter().filter_map(|n| n.attr("id")).collect();
        let mut seen = std::collections::BTreeSet::new();
        wrong.extend(ids.iter().filter(|id| !seen.insert(**id)).map(|id| format!("{page}: the id {id} stands twice")));
        for (place, node) in nodes.iter().enumerate() {
            if let Node::Open(tag, attrs) = node {
                wrong
                    .extend(attrs.iter().filter(|(n, _)| n.starts_with("on") || n == "style").map(|(n, _)| format!("{page}: <{tag} {n}>")));
                if tag == "script" && node.attr("src").is_none() {
                    wrong.push(format!("{page}: an inline script"));
                }
                let typed =
                    matches!(tag.as_str(), "input" | "select" | "textarea") && !matches!(node.attr("type"), Some("hidden" | "submit"));
                if typed {
                    let label = node.attr("aria-label").is_some()
                        || node.attr("id").is_some_and(|id| nodes.iter().any(|n| n.is("label") && n.attr("for") == Some(id)));
                    if !label {
                        wrong.push(format!("{page}: {:?} has no label", node.attr("name")));
                    }
                }
                for (_, target) in attrs.iter().filter(|(n, _)| n == "aria-describedby" || n == "list") {
                    if !ids.contains(&target.as_str()) {
                        wrong.push(format!("{page}: nothing has the id {target}"));
                    }
                }
                if tag == "h1" && nodes[..place].iter().any(|n| n.is("h1")) {
                    wrong.push(format!("{page}: a second h1"));
                }
            }
        }
        if !nodes.iter().any(|n| n.is("h1")) {
            wrong.push(format!("{page}: no h1"));
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{} things:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
}

#[actix_web::test]
async fn every_link_on_every_page_leads_somewhere() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let (_, pages) = marked(&t, &owner);
    let mut targets = std::collections::BTreeMap::<String, String>::new();
    for page in &pages {
        let answer = owner.get(page).await;
        for node in answer.nodes() {
            let href = node.attr("href").or_else(|| node.attr("src")).unwrap_or_default();
            if href.starts_with('/') {
                targets.entry(href.split('#').next().unwrap().to_owned()).or_insert_with(|| page.clone());
            }
        }
    }
    let mut dead = Vec::new();
    for (target, page) in &targets {
        let status = owner.get(target).await.status;
        if !matches!(status, 200 | 303) {
            dead.push(format!("{target} ({status}) on {page}"));
        }
    }
    assert!(dead.is_empty(), "{} dead links:\n{}", dead.len(), dead.join("\n"));
}

/// Twenty-six sums of four types of plan: those of the chosen type stand open, without a script too.
#[actix_web::test]
async fn the_cover_of_an_insurance_is_asked_for_by_its_type() {
    let t = TestApp::new().await;
    let owner = t.user("owner");
    let ada = owner.patient("Ada");
    let open = |answer: &Answer| -> Vec<String> {
        let parts = answer.nodes().into_iter().filter(|n| n.attr("data-by") == Some("insurance_type") && n.attr("open").is_some());
        parts.map(|n| n.attr("data-word").unwrap().to_owned()).collect()
    };
    let url = format!("/patients/{ada}/insurance");
    assert_eq!(open(&owner.get(&format!("{url}/new")).await.is(200)), ["medical"]);
    let wrong = [("insurance_type", "dental"), ("coverage_details.exam_copay", "20")];
    assert_eq!(open(&owner.post(&url, &wrong).await.is(422)), ["dental", "vision"]);
    let right = [
        ("insurance_type", "vision"),
        ("company_name", "Example Eyes"),
        ("member_name", "Ada"),
        ("member_id", "1"),
        ("effective_date", "2025"),
        ("coverage_details.exam_copay", "20"),
        ("coverage_details.deductible", "500"),
    ];
    let id = owner.post(&url, &right).await.new_id();
    let form = owner.get(&format!("{url}/{id}/edit")).await.is(200);
    assert_eq!(open(&form), ["medical", "vision"]);
    assert!(form.nodes().iter().any(|n| n.attr("name") == Some("coverage_details.deductible") && n.attr("value") == Some("500")));
}
