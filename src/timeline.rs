//! The timeline: everything that has a date, of every kind, newest first.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;

use crate::{
    access::{self, View},
    app::App,
    audit::Action,
    auth::session::Signed,
    body,
    dates::{PartialDate, Typing},
    db::types::PatientId,
    error::{Error, Result},
    page::{Ui, note_read, render_with},
    records::{
        self,
        field::{Errors, FieldError},
        overview,
        overview::TimelineQuery,
        view::Choice,
    },
};

#[derive(Template)]
#[template(path = "patients/timeline.html")]
struct TimelinePage {
    ui: Ui,
    base: String,
    years: Vec<Year>,
    kinds: Vec<Choice>,
    from: String,
    to: String,
    total: i64,
    previous: Option<String>,
    next: Option<String>,
    narrowed: bool,
    /// What is wrong with a filter: its id and the sentence.
    wrong: Vec<(String, String)>,
}

impl TimelinePage {
    fn error(&self, id: &str) -> Option<&str> {
        self.wrong.iter().find(|(field, _)| field == id).map(|(_, sentence)| sentence.as_str())
    }
}

struct Year {
    year: String,
    lines: Vec<TimeLine>,
}

struct TimeLine {
    on: String,
    until: String,
    title: String,
    kind: String,
    href: String,
    status: String,
}

const PER_PAGE: i64 = 100;

/// `GET /patients/{patient}/timeline`.
pub async fn show(app: web::Data<App>, signed: Signed, patient: web::Path<String>, request: HttpRequest) -> Result<HttpResponse> {
    let patient = PatientId::parse(&patient).ok_or(Error::NotFound)?;
    let pairs = body::query(&request);
    let here = request.path().to_owned();
    let (status, page) = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &signed.actor, &patient, app.clock.now())?;
            let ui = Ui::new(Some(signed.me.clone()), &here).with_nav(conn, &access)?;
            let (query, errors) = query_of(&pairs, signed.me.dates.typing(app.clock.today()));
            // A filter that means nothing shows nothing, and not everything.
            let (heads, total) = if errors.is_empty() { overview::timeline(conn, &access, &query)? } else { (Vec::new(), 0) };
            let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
            note_read(app, &access, Action::Listed, Some("timeline"), None);
            let given = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default();
            let turn = |page: i64| {
                let mut kept: Vec<(String, String)> = pairs.iter().filter(|(n, v)| n != "page" && !v.is_empty()).cloned().collect();
                kept.push(("page".into(), page.to_string()));
                format!("{here}?{}", serde_urlencoded::to_string(kept).unwrap_or_default())
            };
            let kinds = records::kinds()
                .iter()
                .filter(|k| access.scope().allows_kind(k.name))
                .map(|k| Choice { value: k.name.to_owned(), label: ui.kind(k), selected: query.kinds.iter().any(|q| q == k.name) })
                .collect();
            let page = TimelinePage {
                years: years(&ui, access.id().as_str(), heads),
                previous: (query.page > 1).then(|| turn(query.page - 1)),
                next: (query.page * PER_PAGE < total).then(|| turn(query.page + 1)),
                narrowed: !query.kinds.is_empty() || query.from.is_some() || query.to.is_some() || !errors.is_empty(),
                wrong: errors.iter().map(|(name, error)| (format!("f-{name}"), ui.error(error))).collect(),
                from: given("from"),
                to: given("to"),
                base: here.clone(),
                kinds,
                total,
                ui,
            };
            Ok((status, page))
        })
        .await?;
    render_with(status, &page)
}

fn query_of(pairs: &[(String, String)], typing: Typing) -> (TimelineQuery, Errors) {
    let mut errors = Errors::new();
    let given = |name: &str| pairs.iter().find(|(n, v)| n == name && !v.trim().is_empty()).map(|(_, v)| v.trim());
    let mut date = |name: &str| {
        let date = PartialDate::parse_typed(given(name)?, typing);
        date.map_err(|error| errors.push((name.to_owned(), error.into()))).ok()
    };
    let (from, to) = (date("from"), date("to"));
    let kinds: Vec<String> = pairs.iter().filter(|(n, v)| n == "kind" && !v.is_empty()).map(|(_, v)| v.clone()).collect();
    if kinds.iter().any(|name| records::kind(name).is_none()) {
        errors.push(("kind".to_owned(), FieldError::UnknownChoice));
    }
    let query = TimelineQuery {
        kinds,
        from: from.map(|d| d.range_start_text().to_owned()),
        to: to.map(|d| d.range_end_text()),
        page: given("page").and_then(|p| p.parse().ok()).filter(|p| (1..=1_000_000).contains(p)).unwrap_or(1),
        per_page: PER_PAGE,
    };
    (query, errors)
}

fn years(ui: &Ui, patient: &str, heads: Vec<records::Head>) -> Vec<Year> {
    let mut all: Vec<Year> = Vec::new();
    for head in heads {
        let Some(on) = &head.occurred_on else { continue };
        let year: String = on.chars().take(4).collect();
        if all.last().is_none_or(|y| y.year != year) {
            all.push(Year { year, lines: Vec::new() });
        }
        let kind = records::kind(&head.kind);
        let line = TimeLine {
            on: ui.day(on),
            until: head.ended_on.as_deref().map(|d| ui.day(d)).unwrap_or_default(),
            kind: kind.map(|k| ui.kind_one(k)).unwrap_or_default(),
            href: format!("/patients/{patient}/{}/{}", head.kind, head.id),
            status: head.status.as_deref().and_then(|s| kind.map(|k| ui.status(k, s))).unwrap_or_default(),
            title: if head.title.is_empty() { ui.t("record.untitled") } else { head.title.clone() },
        };
        if let Some(year) = all.last_mut() {
            year.lines.push(line);
        }
    }
    all
}
