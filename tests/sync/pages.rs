//! The pages: connecting and what is wrong with it, the document's own part, taking from there, the end.

use chrono::Duration;
use kinchart::{
    access::Permission,
    config::PrivateNetworks,
    paperless::{Network, Options, sync::copies::State},
};

use super::house::{House, LETTER};
use crate::{
    common::{Share, TestApp},
    paperless::server::{Paperless, Trouble, Version, network, options},
};

const HERE: &str = "/settings/paperless";

#[actix_web::test]
async fn a_person_connects_with_a_token_or_with_name_and_password() {
    for version in Version::BOTH {
        let t = TestApp::new().await;
        t.app.paperless.set(network());
        let owner = t.user("owner");
        let paperless = Paperless::start(version);
        owner.get(HERE).await.is(200).says("Connect a Paperless-ngx");
        let token = paperless.token();
        assert_eq!(
            owner.post(HERE, &[("address", &paperless.url()), ("token", token.reveal())]).await.location(),
            "/settings/paperless?done=connected"
        );
        let page = owner.get(HERE).await.is(200).says(version.text()).says("signed in as admin");
        page.lacks(token.reveal());
        owner.post("/settings/paperless/disconnect", &[]).await.location();
        owner.get(HERE).await.is(200).lacks(&paperless.url());
        let form = [("address", paperless.url()), ("username", "admin".to_owned()), ("password", "admin-Pw-1".to_owned())];
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        paperless.second_factor("123456");
        let again = owner.post(HERE, &form).await.is(422).says("second factor").has("value=\"admin\"");
        again.lacks("admin-Pw-1");
        let with_code: Vec<(&str, &str)> = form.iter().copied().chain([("code", "123456")]).collect();
        owner.post(HERE, &with_code).await.location();
        owner.post("/settings/paperless/test", &[]).await.is(200).says("All is well");
        owner.get("/settings/paperless?done=connected").await.is(200).says("Connected");
    }
}

#[actix_web::test]
async fn what_is_wrong_with_a_connection_is_named() {
    let t = TestApp::new().await;
    t.app.paperless.set(network());
    let owner = t.user("owner");
    let paperless = Paperless::start_below(Version::V3, "/docs");
    let url = paperless.url();
    let root = url.trim_end_matches("docs/").to_owned();
    let secret = url.replace("http://", "http://ann:secret@");
    let token = paperless.token();
    for (address, said) in [
        ("file:///etc/passwd", "must begin with http"),
        (secret.as_str(), "no name and no password"),
        ("", "no address"),
        ("http://169.254.169.254/", "never asks those"),
        ("http://[fd00:ec2::254]/", "never asks those"),
        ("http://127.0.0.1:1/", "Nobody answers"),
        ("http://paperless.invalid/", "not known"),
        (root.as_str(), "Paperless-ngx"),
        (&url.replace("http:", "https:"), "speaks no TLS"),
    ] {
        owner.post(HERE, &[("address", address), ("token", token.reveal())]).await.is(422).says(said);
    }
    owner.post(HERE, &[("address", &url), ("token", "0123")]).await.is(422).says("token is refused");
    owner.post(HERE, &[("address", &url)]).await.is(422).says("Name or password");
    for (trouble, said) in [
        (Trouble::Page, "page for people"),
        (Trouble::Redirects, "sends elsewhere"),
        (Trouble::TooOld, "too old"),
        (Trouble::TooNew, "newer"),
        (Trouble::BadGateway, "failed (502)"),
        (Trouble::Throttled(30), "more slowly"),
    ] {
        paperless.fault(trouble);
        let page = owner.post(HERE, &[("address", &url), ("token", token.reveal())]).await.is(422).says(said);
        // Nobody tries a form again but who sent it.
        page.lacks("by itself");
    }
    assert_eq!(paperless.sent_elsewhere(), (Vec::new(), 0));
    paperless.well();
    // A private network, where the setting forbids it.
    let strict = Options { private_networks: PrivateNetworks::Refuse, ..options() };
    t.app.paperless.set(Network::new(strict).unwrap());
    owner.post(HERE, &[("address", &url), ("token", token.reveal())]).await.is(422).says("KINCHART_PRIVATE_NETWORKS");
    t.app.paperless.set(network());
    // Rights, each by its name.
    let some = paperless.user("ann", &["view_document", "add_document", "view_uisettings"]);
    let page = owner.post(HERE, &[("address", &url), ("token", some.reveal())]).await.is(200);
    page.says("view tasks").says("add tags").says("change documents").says("view custom fields");
}

#[actix_web::test]
async fn the_documents_page_says_how_it_stands_and_what_helps() {
    let house = House::new(Version::V3).await;
    let file = house.upload("letter.pdf", LETTER).await;
    let page = house.page(&file);
    house.owner.get(&page).await.is(200).says("waits").says("Forget it there");
    house.settle();
    let owner = house.owner.clone().signed_in();
    owner.get(&page).await.is(200).says("here and in Paperless-ngx").says("Keep it only there");
    owner.get(&format!("/patients/{}/files", house.ada)).await.is(200).says("in Paperless-ngx");
    let act = format!("{page}/paperless");
    owner.post(&act, &[("act", "release")]).await.location();
    house.settle();
    assert_eq!(house.backend(&file), "paperless");
    let owner = house.owner.clone().signed_in();
    owner.get(&page).await.is(200).says("in Paperless-ngx only").says("Keep it here again");
    owner.post(&act, &[("act", "forget")]).await.is(409);
    // Somebody with a share sees the document by its rules, and neither the address nor the buttons of others.
    let viewer = house.t.stranger("viewer");
    house.owner.share(&house.ada, &viewer, &Share::to(Permission::View));
    let shown = viewer.get(&page).await.is(200).says("in Paperless-ngx only");
    shown.lacks("Keep it here again").lacks(&house.paperless.url());
    assert_eq!(viewer.get(&format!("{page}/content")).await.is(200).body, LETTER);
    viewer.post(&act, &[("act", "return")]).await.is(403);
    house.paperless.revoke_token();
    viewer.get(&format!("{page}/content")).await.is(503).says("does not let this program read it").lacks(&house.paperless.url());
    house.end_shares();
    viewer.get(&format!("{page}/content")).await.is(404);
    house.connect(&house.owner, &house.paperless, house.paperless.token());
    owner.post(&act, &[("act", "return")]).await.location();
    house.settle();
    assert_eq!(house.backend(&file), "local");
    let owner = house.owner.clone().signed_in();
    owner.post(&act, &[("act", "forget")]).await.location();
    owner.get(&page).await.is(200).says("Send to Paperless-ngx");
    owner.post(&act, &[("act", "send")]).await.location();
    house.settle();
    assert_eq!((house.state(&file), house.there()), ((State::Synced, None), 1), "found, and not sent again");
}

#[actix_web::test]
async fn what_is_missing_there_is_sent_again_or_given_up() {
    let house = House::new(Version::V3).await;
    let file = house.upload("letter.pdf", LETTER).await;
    house.settle();
    house.paperless.erase(1);
    house.later(Duration::minutes(16));
    let owner = house.owner.clone().signed_in();
    owner.get(HERE).await.is(200).says("1 needs you").says("letter.pdf").says("deleted in Paperless-ngx");
    owner.get(&house.page(&file)).await.is(200).says("Send again").says("Look for it again");
    owner.post(&format!("{}/paperless", house.page(&file)), &[("act", "again")]).await.location();
    house.settle();
    assert_eq!((house.state(&file), house.there()), ((State::Synced, None), 1));
    // Nowhere else, and gone: it is given up into the trash.
    let owner = house.owner.clone().signed_in();
    owner.post(&format!("{}/paperless", house.page(&file)), &[("act", "release")]).await.location();
    house.settle();
    house.paperless.erase(2);
    house.later(Duration::minutes(16));
    let owner = house.owner.clone().signed_in();
    let page = owner.get(&house.page(&file)).await.is(200).says("Give it up: the entry here goes to the trash").lacks("Send again");
    let page = page.says("Its only copy was in Paperless-ngx").lacks("it is opened from there").lacks("/content");
    let text = page.text();
    assert!(text.find("deleted in Paperless-ngx").unwrap() < text.find("Its only copy").unwrap(), "{text}");
    owner.post(&format!("{}/paperless", house.page(&file)), &[("act", "give_up")]).await.location();
    owner.get(&house.page(&file)).await.is(200).says("in the trash");
}

#[actix_web::test]
async fn existing_documents_are_counted_and_sent() {
    let house = House::new(Version::V3).await;
    let owner = house.owner.clone();
    owner.post("/settings/paperless/options", &[("default_store", "local"), ("keep_local", "true")]).await.location();
    let mut files = Vec::new();
    for number in 0..12 {
        files.push(house.upload("letter.pdf", &LETTER.replace("fine", &format!("{number}"))).await);
    }
    house.settle();
    assert!(house.find(&files[0]).is_none());
    owner.get(HERE).await.is(200).says("12 documents are not there");
    owner.post("/settings/paperless/send", &[("patient", house.ada.as_str())]).await.location();
    house.run();
    let on_the_way = files.iter().filter(|file| house.copy(file).sends == 1).count();
    assert_eq!(on_the_way, 8, "a few at a time");
    house.settle();
    house.settle();
    assert_eq!(house.there(), 12);
    house.owner.clone().signed_in().get(HERE).await.is(200).says("12 documents are there").lacks("not there");
    // Another person's patient is nobody's to send.
    let stranger = house.t.stranger("stranger");
    house.connect(&stranger, &house.paperless, house.paperless.token());
    stranger.post("/settings/paperless/send", &[("patient", house.ada.as_str())]).await.is(404);
}

#[actix_web::test]
async fn a_document_is_taken_from_there_by_its_words() {
    for version in Version::BOTH {
        let house = House::new(version).await;
        let client = house.paperless.client();
        let upload = kinchart::paperless::Upload {
            file_name: "theirs.pdf",
            size: LETTER.len() as u64,
            title: "Blood <count>",
            ..Default::default()
        };
        client.upload(&upload, &mut LETTER.as_bytes()).unwrap();
        house.paperless.finish();
        let base = format!("/patients/{}/paperless", house.ada);
        let found = house.owner.get(&format!("{base}?q=hemoglobin")).await.is(200).says("Blood <count>").says("1 document");
        assert!(found.body.contains("<mark>") && found.body.contains(&format!("{base}/1/thumbnail")), "{version:?}");
        let picture = house.owner.get(&format!("{base}/1/thumbnail")).await.is(200);
        assert!(picture.header("content-type").unwrap().starts_with("image/"));
        house.owner.get(&format!("{base}/77/thumbnail")).await.is(404);
        let next = house.owner.post(&base, &[("document", "1"), ("record", "")]).await.location();
        let page = house.owner.get(&next).await.is(200).says("theirs.pdf").says("there");
        page.lacks("waits");
        house.settle();
        let there = house.paperless.document(1);
        assert_eq!((there.title.as_str(), there.custom_fields.len(), house.there()), ("Blood <count>", 1, 1), "{version:?}");
        assert_eq!(house.owner.clone().signed_in().get(&format!("{next}/content")).await.is(200).body, LETTER);
        house.owner.clone().signed_in().post(&base, &[("document", "99"), ("record", "")]).await.is(422).says("deleted in Paperless-ngx");
        assert_eq!(house.here(), 1, "what came to nothing does not lie about");
    }
}

#[actix_web::test]
async fn a_connection_is_left_by_bringing_everything_back() {
    let house = House::new(Version::V3).await;
    house.owner.post("/settings/paperless/options", &[("default_store", "paperless")]).await.location();
    let file = house.upload("letter.pdf", LETTER).await;
    house.settle();
    let owner = house.owner.clone().signed_in();
    owner.get(HERE).await.is(200).says("1 document lies only there");
    owner.post("/settings/paperless/disconnect", &[]).await.is(409).says("Bring them back first");
    owner.post("/settings/paperless/disconnect", &[("how", "bring_back")]).await.location();
    owner.get(HERE).await.is(200).says("is being brought back");
    house.settle();
    assert!(!house.has_connection());
    assert_eq!((house.backend(&file).as_str(), house.here()), ("local", 1));
}

#[actix_web::test]
async fn nobody_guesses_at_the_secrets_of_another_server_here() {
    let t = TestApp::new().await;
    t.app.paperless.set(network());
    let (owner, other) = (t.user("owner"), t.user("other"));
    let paperless = Paperless::start(Version::V2);
    let url = paperless.url();
    let guess =
        |password: &'static str| vec![("address", url.clone()), ("username", "admin".to_owned()), ("password", password.to_owned())];
    let wrong = format!("{:040x}", 7);
    for n in 0..10 {
        // Addresses that nobody answers at count nothing.
        owner.post(HERE, &[("address", "http://127.0.0.1:1/"), ("token", &wrong)]).await.is(422);
        if n % 2 == 0 {
            owner.post(HERE, &[("address", &url), ("token", &wrong)]).await.is(422).says("token is refused");
        } else {
            owner.post(HERE, &pairs(&guess("wrong"))).await.is(422).says("Name or password");
        }
    }
    paperless.forget_seen();
    let held = owner.post(HERE, &pairs(&guess("admin-Pw-1"))).await.is(429).says("Too many tries").has("value=\"admin\"");
    assert!(held.header("retry-after").is_some());
    held.lacks("admin-Pw-1");
    owner.post(HERE, &[("address", &url), ("token", paperless.token().reveal())]).await.is(429);
    assert!(paperless.seen().is_empty(), "it is not asked at all");
    other.post(HERE, &pairs(&guess("admin-Pw-1"))).await.location();
    t.later(Duration::minutes(16));
    owner.clone().signed_in().post(HERE, &pairs(&guess("admin-Pw-1"))).await.location();
}

fn pairs<'a>(form: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    form.iter().map(|(name, value)| (*name, value.as_str())).collect()
}
