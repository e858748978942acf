//! The page of one person's family: the pedigree, what runs in the family, and everybody in a list.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::{
    taken,
    view::{self, FamilyView},
};
use crate::{
    access::{self, Edit, PatientAccess, Rank, View, family::KIND},
    app::App,
    audit::Action,
    auth::session::Signed,
    body,
    db::{Conn, types::PatientId},
    error::{Error, Result},
    page::{Ui, note_read, render},
    records::origins,
};

#[derive(Template)]
#[template(path = "family/show.html")]
struct FamilyPage {
    ui: Ui,
    base: String,
    list: String,
    view: FamilyView,
    chosen: String,
    may_edit: bool,
    is_empty: bool,
    /// Newer values at sources of members who were taken over.
    offers: i64,
}

/// `GET /patients/{patient}/family?condition=`.
pub async fn show(app: web::Data<App>, signed: Signed, patient: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    let chosen = body::query(&request).into_iter().find(|(n, _)| n == "condition").map(|(_, v)| v).filter(|v| !v.is_empty());
    let here = request.path().to_owned();
    let (of, actor) = (patient.clone(), signed.actor.clone());
    // Whoever may change the history is offered what changed at the sources of members who were taken over.
    let has_taken = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &actor, &of, app.clock.now())?;
            may_be_offered(conn, &access)
        })
        .await?;
    if has_taken {
        let (of, actor) = (patient.clone(), signed.actor.clone());
        app.write(move |tx, app| {
            let access = access::grant::<Edit>(tx, &actor, &of, app.clock.now())?;
            taken::offer_changes(tx, &access)
        })
        .await?;
    }
    let page = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &signed.actor, &patient, app.clock.now())?;
            let family = super::load(conn, &access)?;
            let offers = if has_taken { origins::waiting_count(conn, &access)? } else { 0 };
            note_read(app, &access, Action::Listed, Some(KIND), None);
            let ui = Ui::new(Some(signed.me), &here).with_nav(conn, &access)?;
            Ok(FamilyPage {
                view: view::make(&ui, access.id().as_str(), &family, chosen.as_deref()),
                base: here.clone(),
                list: format!("/patients/{}/{KIND}", access.id()),
                chosen: chosen.unwrap_or_default(),
                may_edit: access.may(Rank::Edit),
                is_empty: family.relatives.is_empty(),
                offers,
                ui,
            })
        })
        .await?;
    render(&page)
}

fn may_be_offered(conn: &mut Conn, access: &PatientAccess<View>) -> Result<bool> {
    Ok(access.may(Rank::Edit) && access.scope().allows_kind(KIND) && taken::has_any(conn, access)?)
}
