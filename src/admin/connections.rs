//! `/admin/connections`: is what the program needs of others set up as it should be? A letter to oneself tells of mail.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use diesel::prelude::*;

use super::Admin;
use crate::{
    app::App,
    audit::{Action, Event},
    auth::oidc::{fault::Fault, probe as probe_of_provider},
    config::{Smtp, SmtpSecurity},
    db::schema::users,
    error::Result,
    mail::{Mail, probe},
    page::{Ui, render},
};

#[derive(Template)]
#[template(path = "admin/connections.html")]
struct ConnectionsPage {
    ui: Ui,
    host: String,
    port: String,
    security: &'static str,
    username: String,
    has_password: bool,
    from: String,
    /// Where the letter goes; empty if the administrator has no address.
    to: String,
    /// `sent`, or a word for what is wrong; empty before the test.
    outcome: &'static str,
    /// What the server answered, as a number.
    code: String,
    /// The `OpenID` provider of the settings; empty if there is none.
    provider: String,
    /// What its test told, a sentence each, and whether all is well.
    told: Vec<String>,
    is_well: bool,
}

fn security(smtp: &Smtp) -> &'static str {
    match smtp.security {
        SmtpSecurity::Starttls => "starttls",
        SmtpSecurity::Tls => "tls",
        SmtpSecurity::None => "none",
    }
}

async fn page(app: &App, admin: &Admin) -> Result<ConnectionsPage> {
    let me = admin.me().id.clone();
    let email: Option<String> = app.read(move |conn, _| Ok(users::table.find(&me).select(users::email).first(conn)?)).await?;
    let smtp = &app.config.smtp;
    Ok(ConnectionsPage {
        ui: admin.ui("/admin/connections"),
        host: smtp.host.clone().unwrap_or_default(),
        port: smtp.port.map(|port| port.to_string()).unwrap_or_default(),
        security: security(smtp),
        username: smtp.username.clone().unwrap_or_default(),
        has_password: smtp.password.is_some(),
        from: smtp.from.as_ref().map(ToString::to_string).unwrap_or_default(),
        to: email.unwrap_or_default(),
        outcome: "",
        code: String::new(),
        provider: app.config.oidc.issuer.as_ref().map(|issuer| issuer.as_str().to_owned()).unwrap_or_default(),
        told: Vec::new(),
        is_well: false,
    })
}

/// `GET /admin/connections`.
pub async fn show(app: web::Data<App>, admin: Admin, _: HttpRequest) -> Result<HttpResponse> {
    render(&page(&app, &admin).await?)
}

/// `POST /admin/connections/provider`: asks the provider anew and says what is wrong.
pub async fn test_provider(app: web::Data<App>, admin: Admin) -> Result<HttpResponse> {
    let page = page(&app, &admin).await?;
    if page.provider.is_empty() {
        return render(&page);
    }
    let tested = probe_of_provider::test(&app).await;
    let word = tested.as_ref().err().map(Fault::word);
    app.write(move |tx, app| {
        let event = Event::new(&admin.0.actor, Action::ProviderTested, app.clock.now());
        Ok(word.map_or(event.clone(), |word| event.failed(word)).write(tx)?)
    })
    .await?;
    let (told, is_well) = match tested {
        Ok(tested) => (tested.told(&page.ui.words), true),
        Err(fault) => (vec![fault.told(&page.ui.words)], false),
    };
    render(&ConnectionsPage { told, is_well, ..page })
}

/// `POST /admin/connections/mail`: a letter to the administrator who asks.
pub async fn test_mail(app: web::Data<App>, admin: Admin) -> Result<HttpResponse> {
    let page = page(&app, &admin).await?;
    if page.to.is_empty() {
        return render(&ConnectionsPage { outcome: "no_address", ..page });
    }
    let letter = Mail { to: page.to.clone(), subject: page.ui.t("mail.test.subject"), text: page.ui.t("mail.test.text") };
    let outcome = app.run(move |app| {
        let sent = probe::send(&app.config, &letter);
        let now = app.clock.now();
        let event = Event::new(&admin.0.actor, Action::MailTested, now);
        let event = match &sent {
            Ok(()) => event,
            Err((trouble, _)) => event.failed(trouble.word()),
        };
        app.db.write(|tx| Ok(event.clone().write(tx)?))?;
        Ok(sent)
    });
    let (outcome, code) = match outcome.await? {
        Ok(()) => ("sent", None),
        Err((trouble, code)) => (trouble.word(), code),
    };
    render(&ConnectionsPage { outcome, code: code.unwrap_or_default(), ..page })
}
