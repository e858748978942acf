//! The list of a kind: the page, what narrows and orders it, and the word that there are none.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;

use super::{
    MARKS, Place, kind_of, may_edit, patient_of,
    status::{day_to_ask, statuses},
    value,
};
use crate::{
    access::{self, Edit, PatientAccess, Rank, View},
    app::App,
    audit::Action,
    auth::session::{Me, Signed},
    body,
    db::{Conn, types::RecordId},
    error::{Error, Result},
    list_views,
    page::{self, Ui, note_read, see_other},
    patients,
    records::{
        Kind,
        field::{Errors, FieldError, Mode},
        overview,
        query::ListQuery,
        view::{self, Choice, ColumnHead, Filter, ListRow, Names},
    },
};

#[derive(Template)]
#[template(path = "records/list.html")]
#[expect(clippy::struct_excessive_bools, reason = "what the template asks")]
struct ListPage {
    ui: Ui,
    kind: &'static Kind,
    base: String,
    heads: Vec<ColumnHead>,
    rows: Vec<ListRow>,
    total: i64,
    first: i64,
    last: i64,
    previous: Option<String>,
    next: Option<String>,
    filters: Vec<Filter>,
    query: ListQuery,
    from: String,
    to: String,
    narrowed: bool,
    /// What is wrong with the filters, a sentence each.
    wrong: Vec<String>,
    export: String,
    may_edit: bool,
    none_known: bool,
    undo: Option<String>,
    /// The row whose status is being changed, and the words it can change to.
    changing: Option<String>,
    statuses: Vec<Choice>,
    /// The day that the change may ask for: its label and what is recorded, or today.
    day: Option<(String, String)>,
    print: bool,
}

/// `GET /patients/{patient}/{kind}`.
pub async fn list(app: web::Data<App>, signed: Signed, place: web::Path<Place>, request: HttpRequest) -> Result<HttpResponse> {
    let kind = kind_of(&place.kind)?;
    let patient = patient_of(&place.patient)?;
    let pairs = body::query(&request);
    let here = request.path().to_owned();
    let (user, of) = (signed.me.id.clone(), patient.clone());
    let (page, news) = app
        .read(move |conn, app| {
            let access = access::grant::<View>(conn, &signed.actor, &patient, app.clock.now())?;
            let view = list_views::recall(conn, &signed.me.id, access.id(), kind, &pairs)?;
            let page = list_page(conn, app, &access, kind, &signed.me, &here, &view.asked)?;
            note_read(app, &access, if page.print { Action::Printed } else { Action::Listed }, Some(kind.name), None);
            let status = if page.wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
            // What cannot be asked is not remembered either.
            Ok(((status, page::text(&page)?), view.news.filter(|_| status.is_success())))
        })
        .await?;
    if let Some(query) = news {
        app.write(move |tx, _| list_views::remember(tx, &user, &of, kind, &query)).await?;
    }
    let (status, text) = page;
    Ok(page::html(status, text))
}

/// The filter's name as the page calls it: a range has its column's.
fn filter_label(ui: &Ui, kind: &Kind, name: &str) -> String {
    let (column, end) = match (name.strip_suffix("_from"), name.strip_suffix("_to")) {
        (Some(column), _) => (column, Some("list.from")),
        (_, Some(column)) => (column, Some("list.to")),
        _ => (name, None),
    };
    let label = ui.label(kind.word(), column);
    end.map_or_else(|| label.clone(), |key| format!("{label} ({})", ui.t(key).to_lowercase()))
}

fn list_page(
    conn: &mut Conn,
    app: &App,
    access: &PatientAccess<View>,
    kind: &'static Kind,
    me: &Me,
    here: &str,
    pairs: &[(String, String)],
) -> Result<ListPage> {
    let chart = access.chart(kind)?;
    let mark = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    let asked: Vec<(String, String)> = pairs.iter().filter(|(n, _)| !MARKS.contains(&n.as_str())).cloned().collect();
    let print = mark("print").is_some();
    let (mut query, errors) = ListQuery::read(kind, &asked, Mode::Typed(me.dates.typing(app.clock.today())));
    if print {
        (query.page, query.per_page) = (1, 5000);
    }
    // Of the whole list, the menu already knows how many there are.
    let counts = overview::counts(conn, access)?;
    let count = counts.iter().find(|(name, _)| name == kind.name).map_or(0, |(_, n)| *n);
    // A filter that means nothing shows nothing, and not everything.
    let (rows, total) = if errors.is_empty() { chart.rows(conn, &query, count)? } else { (Vec::new(), 0) };
    let names = Names::for_list(conn, kind, &rows)?;
    let tags = overview::tags_to_choose(conn, access)?;
    let ui = Ui::new(Some(me.clone()), here).with_counts(access, &counts);
    let changing = mark("change").and_then(|id| RecordId::parse(&id)).filter(|_| access.may(Rank::Edit));
    let day = changing.as_ref().map(|id| day_to_ask(conn, &chart, &ui, id, app.clock.today())).transpose()?.flatten();
    let none_known = kind.none_known && total == 0 && patients::none_known::kinds(conn, access.id())?.iter().any(|k| k == kind.name);
    let date = kind.occurred.first().copied().unwrap_or("occurred_on");
    let raw = |name: &str| asked.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default();
    let Paging { first, last, previous, next } = Paging::new(&query, rows.len(), total, here, &asked);
    Ok(ListPage {
        heads: heads(&ui, kind, &query, here, &asked),
        rows: view::join_by_code(view::list_rows(&ui, access.id().as_str(), kind, &rows, &names)),
        filters: view::filters(&ui, kind, &query, &tags),
        previous,
        next,
        first,
        last,
        from: raw(&format!("{date}_from")),
        to: raw(&format!("{date}_to")),
        narrowed: query.is_narrowed() || !errors.is_empty(),
        wrong: sentences(&ui, kind, &errors),
        export: link(&format!("{here}/csv"), &asked, "page", ""),
        may_edit: access.may(Rank::Edit),
        none_known,
        undo: mark("undo"),
        changing: changing.map(|id| id.to_string()),
        statuses: statuses(&ui, kind),
        day,
        base: here.to_owned(),
        ui,
        kind,
        total,
        query,
        print,
    })
}

/// What is wrong with the filters, a sentence each.
fn sentences(ui: &Ui, kind: &Kind, errors: &Errors) -> Vec<String> {
    errors.iter().map(|(name, error)| format!("{}: {}", filter_label(ui, kind, name), ui.error(error))).collect()
}

/// Which rows of the whole list the page shows, counted from 1, and the addresses of the pages before and after it.
struct Paging {
    first: i64,
    last: i64,
    previous: Option<String>,
    next: Option<String>,
}

impl Paging {
    fn new(query: &ListQuery, shown: usize, total: i64, here: &str, asked: &[(String, String)]) -> Self {
        let shown = i64::try_from(shown).unwrap_or_default();
        let before = (query.page - 1) * query.per_page;
        let page = |number: i64| link(here, asked, "page", &number.to_string());
        Self {
            first: if shown == 0 { 0 } else { before + 1 },
            last: before + shown,
            previous: (query.page > 1).then(|| page(query.page - 1)),
            next: (before + shown < total).then(|| page(query.page + 1)),
        }
    }
}

/// The same list with one thing changed; another order or filter begins at page one.
fn link(here: &str, asked: &[(String, String)], name: &str, value: &str) -> String {
    let mut pairs: Vec<(&str, &str)> =
        asked.iter().map(|(n, v)| (n.as_str(), v.as_str())).filter(|(n, v)| *n != name && *n != "page" && !v.is_empty()).collect();
    if !value.is_empty() {
        pairs.push((name, value));
    }
    match serde_urlencoded::to_string(&pairs) {
        Ok(text) if !text.is_empty() => format!("{here}?{text}"),
        _ => here.to_owned(),
    }
}

fn heads(ui: &Ui, kind: &'static Kind, query: &ListQuery, here: &str, asked: &[(String, String)]) -> Vec<ColumnHead> {
    let default = (kind.occurred.first().copied().unwrap_or("occurred_on"), true);
    let children = view::children_column(ui, kind).map(|label| ColumnHead { label, href: String::new(), sorted: "" });
    view::list_columns(kind)
        .into_iter()
        .map(|(_, spec)| {
            let now = query.sort.unwrap_or(default);
            let mine = now.0 == spec.name;
            let sorted = match (mine, now.1) {
                (true, true) => "descending",
                (true, false) => "ascending",
                _ => "",
            };
            // What is dated or measured is wanted newest or highest first, names from A.
            let first_descending = spec.is_date() || spec.is_measured();
            let descending = if mine { !now.1 } else { first_descending };
            let value = if descending { format!("-{}", spec.name) } else { spec.name.to_owned() };
            ColumnHead { label: ui.label(kind.word(), spec.shown_name()), href: link(here, asked, "sort", &value), sorted }
        })
        .chain(children)
        .collect()
}

/// `POST /patients/{patient}/none-known/{kind}`: says, or takes back, that there are none.
pub async fn none_known(
    app: web::Data<App>,
    signed: Signed,
    place: web::Path<Place>,
    payload: web::Payload,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let kind = kind_of(&place.kind)?;
    let patient = patient_of(&place.patient)?;
    may_edit(&app, &signed, &patient, kind).await?;
    let pairs = body::form(&request, payload).await?;
    let back = format!("/patients/{patient}/{}", kind.name);
    app.write(move |tx, app| {
        let access = access::grant::<Edit>(tx, &signed.actor, &patient, app.clock.now())?;
        let chart = access.chart(kind)?;
        if !kind.none_known {
            return Err(Error::NotFound);
        }
        let none = value(&pairs, "none") == Some("true");
        // Two windows: in one a record was added, in the other somebody says that there is none.
        if none && !chart.list(tx, &ListQuery { page: 1, per_page: 1, ..ListQuery::default() })?.0.is_empty() {
            return Err(Error::Invalid(vec![("none".to_owned(), FieldError::Rule("error.there_are_some"))]));
        }
        patients::none_known::set(tx, &access.actor, access.id(), kind.name, none, access.now)
    })
    .await?;
    Ok(see_other(&back))
}
