//! `/sharing`: everything one shares and is shown, over all patients.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::{
    pages::{ShareRow, share_row},
    shares,
};
use crate::{
    access::{self, Rank},
    app::App,
    auth::session::Signed,
    error::Result,
    page::{Ui, render},
};

#[derive(Template)]
#[template(path = "sharing/overview.html")]
struct OverviewPage {
    ui: Ui,
    /// Patients that this person may share: id and name.
    own: Vec<(String, String)>,
    /// By patient.
    given: Vec<(String, Vec<ShareRow>)>,
    received: Vec<ShareRow>,
    waiting: usize,
}

/// `GET /sharing`.
pub async fn show(app: web::Data<App>, signed: Signed, request: HttpRequest) -> Result<HttpResponse> {
    let here = request.path().to_owned();
    let page = app
        .read(move |conn, app| {
            let now = app.clock.now();
            let ui = Ui::new(Some(signed.me.clone()), &here);
            let accesses = access::all(conn, &signed.actor, now)?;
            let own = accesses
                .list
                .iter()
                .filter(|access| access.may(Rank::Full))
                .map(|access| (access.id().to_string(), access.patient.name()))
                .collect();
            // A tag's name belongs to the household that keeps it: here is said that there are tags, on the patient's page which.
            let given = shares::given_by(conn, &signed.me.id, now)?;
            let received = shares::received(conn, &signed.me.id, now)?;
            let waiting = crate::invitations::received(conn, &signed.me.id)?.iter().filter(|(one, _)| one.is_open(now)).count();
            Ok(OverviewPage {
                given: by_patient(given.iter().map(|(share, name)| share_row(&ui, share, name, &[], true, now))),
                received: received.iter().map(|(share, name)| share_row(&ui, share, name, &[], false, now)).collect(),
                own,
                waiting,
                ui,
            })
        })
        .await?;
    render(&page)
}

/// The rows come in the order of the patients.
fn by_patient(rows: impl Iterator<Item = ShareRow>) -> Vec<(String, Vec<ShareRow>)> {
    let mut groups: Vec<(String, Vec<ShareRow>)> = Vec::new();
    for row in rows {
        match groups.last_mut() {
            Some((_, group)) if group.first().is_some_and(|first| first.patient == row.patient) => group.push(row),
            _ => groups.push((row.patient_name.clone(), vec![row])),
        }
    }
    groups
}
