//! How many statements a page takes for charts of 1, 10 and 100 records of each kind: it must be the same number.

use actix_web::{http::header, test};
use anyhow::{Context as _, Result};
use kinchart::{app::App, db::types::PatientId, serve};

use crate::{
    seed::{self, Seeder},
    vocabulary::Dice,
};

const SIZES: [usize; 3] = [1, 10, 100];

/// Pages and the queries of each, without the BEGIN and the end of a transaction.
pub struct Page {
    pub name: String,
    pub queries: [u64; 3],
}

pub fn count() -> Result<Vec<Page>> {
    let folder = tempfile::tempdir()?;
    let app = seed::open(folder.path())?;
    // A household for each size, because search looks through all patients one may see.
    let mut charts = Vec::new();
    for (index, size) in SIZES.into_iter().enumerate() {
        let actor = seed::account(&app, index)?;
        let mut made = None;
        app.db.write(|tx| {
            let mut seeder =
                Seeder { tx, actor: &actor, now: app.clock.now(), dice: Dice::new(9), encounters: Vec::new(), all: Vec::new() };
            made = Some(seeder.patient(true, |_| size).map(|id| (id, seeder.all.clone())));
            Ok(())
        })?;
        let (patient, records) = made.context("no patient")??;
        charts.push((format!("family{index}"), patient, records));
    }
    actix_web::rt::System::new().block_on(async {
        let service = test::init_service(serve::web_app(app.clone())).await;
        let mut pages: Vec<Page> = Vec::new();
        for (place, (user, patient, _)) in charts.iter().enumerate() {
            let form = [("username", user.as_str()), ("password", seed::PASSWORD)];
            let answer = test::call_service(
                &service,
                test::TestRequest::post().uri("/login").peer_addr("127.0.0.1:9".parse()?).set_form(form).to_request(),
            )
            .await;
            let cookie = answer
                .headers()
                .get(header::SET_COOKIE)
                .and_then(|v| v.to_str().ok())
                .and_then(|v| v.split(';').next())
                .context("no session")?
                .to_owned();
            for (name, path, transactions) in paths(&app, user, patient)? {
                // What a request does once (a remembered view, what is known of the schema) is not counted.
                for counted in [false, true] {
                    let before = app.db.statements();
                    let request = test::TestRequest::get()
                        .uri(&path)
                        .insert_header((header::COOKIE, cookie.clone()))
                        .peer_addr("127.0.0.1:9".parse()?);
                    let answer = test::call_service(&service, request.to_request()).await;
                    anyhow::ensure!(answer.status() == 200, "{path}: {}", answer.status());
                    let _ = test::read_body(answer).await;
                    if counted {
                        let queries = app.db.statements() - before - 2 * transactions;
                        match pages.iter_mut().find(|page| page.name == name) {
                            Some(page) => page.queries[place] = queries,
                            None => pages.push(Page { name: name.clone(), queries: [queries; 3] }),
                        }
                    }
                }
            }
        }
        Ok(pages)
    })
}

/// Name, path, and how many transactions a request of it begins: the session's own and the page's.
fn paths(app: &App, user: &str, patient: &PatientId) -> Result<Vec<(String, String, u64)>> {
    use kinchart::{access, auth::accounts, records};
    let account = app.db.read(|conn| accounts::find(conn, user))?.context("no account")?;
    let mut all = vec![
        ("everyone".to_owned(), "/patients".to_owned(), 2),
        ("patient's home".to_owned(), format!("/patients/{patient}"), 2),
        ("timeline".to_owned(), format!("/patients/{patient}/timeline"), 2),
        ("search".to_owned(), "/search?q=mg%20tab".to_owned(), 2),
    ];
    let newest = app.db.read(|conn| {
        let access = access::grant::<access::View>(conn, &account.at_the_command_line(), patient, app.clock.now())?;
        let mut found = Vec::new();
        for kind in records::kinds() {
            let query = records::query::ListQuery { page: 1, per_page: 1, ..Default::default() };
            let rows = access.chart(kind)?.list(conn, &query)?.0;
            found.extend(rows.into_iter().map(|row| (kind.name, row.head.id)));
        }
        Ok(found)
    })?;
    for (kind, id) in newest {
        all.push((format!("list of {kind}"), format!("/patients/{patient}/{kind}?per_page=100"), 3));
        all.push((format!("one of {kind}"), format!("/patients/{patient}/{kind}/{id}"), 2));
        all.push((format!("form of {kind}"), format!("/patients/{patient}/{kind}/{id}/edit"), 2));
    }
    Ok(all)
}
