//! `scripts/bench`: the program under load, as ratios measured in one run. It reports and fails nothing: what a busy machine measures is
//! no verdict. The databases are made by `seed.rs` and kept under `target/bench`.
#![allow(
    clippy::indexing_slicing,
    clippy::case_sensitive_file_extension_comparisons,
    clippy::match_same_arms,
    clippy::semicolon_if_nothing_returned,
    reason = "a report about our own pages, run by hand"
)]

mod bundle;
mod documents;
mod load;
mod photo;
mod seed;
mod server;
mod statements;
mod vocabulary;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use kinchart::db::types::PatientId;
use load::{Client, Speed, get};
use server::Server;

const MEBI: f64 = 1024.0 * 1024.0;
/// Each page is measured so often on each database, by turns; the median of the rounds counts.
const ROUNDS: usize = 5;

/// One line of the report.
struct Line {
    what: String,
    measured: String,
    limit: String,
    ok: bool,
}

#[derive(Default)]
struct Report(Vec<Line>);

impl Report {
    /// `value` must not be above `limit`.
    fn at_most(&mut self, what: impl Into<String>, value: f64, limit: f64, unit: &str) {
        self.0.push(Line {
            what: what.into(),
            measured: number(value, unit),
            limit: format!("≤ {}", number(limit, unit)),
            ok: value <= limit,
        });
    }
    fn print(&self) {
        let width = self.0.iter().map(|line| line.what.chars().count()).max().unwrap_or_default();
        for Line { what, measured, limit, ok } in &self.0 {
            println!("{what:<width$}  {measured:>12}  {limit:>12}  {}", if *ok { "ok" } else { "OVER" });
        }
    }
}

fn number(value: f64, unit: &str) -> String {
    let digits = if unit.is_empty() || unit == "s" { 2 } else { 1 };
    format!("{value:.digits$} {unit}").trim_end().to_owned()
}

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    let mut report = Report::default();
    if std::env::args().any(|arg| arg == "queries") {
        counting(&mut report)?;
        report.print();
        return Ok(());
    }
    if std::env::args().any(|arg| arg == "documents") {
        documents::measure(&mut report, &root)?;
        report.print();
        return Ok(());
    }
    let (small, large) = seed::databases(&root)?;
    println!(
        "{} records of {} patients beside {} of {}; load average {}",
        large.records,
        large.patients,
        small.records,
        small.patients,
        load_average()
    );
    let patient = seed::measured(&large.folder)?;
    if seed::measured(&small.folder)? != patient {
        bail!("the two databases know different patients");
    }
    let only = |what: &str| std::env::args().any(|arg| arg == what);
    starting(&mut report, &large.folder)?;
    pages(&mut report, &small.folder, &large.folder, &patient)?;
    if only("pages") {
        report.print();
        return Ok(());
    }
    importing(&mut report, &root, &large.folder)?;
    let binary = fs::metadata(server::binary()?)?.len();
    #[expect(clippy::cast_precision_loss, reason = "a size")]
    report.at_most("the stripped binary", binary as f64 / MEBI, 40.0, "MiB");
    counting(&mut report)?;
    documents::measure(&mut report, &root)?;
    for folder in [&small.folder, &large.folder] {
        seed::tidy(folder)?;
    }
    println!("load average {}\n", load_average());
    report.print();
    Ok(())
}

fn load_average() -> String {
    fs::read_to_string("/proc/loadavg").unwrap_or_default().split(' ').take(2).collect::<Vec<_>>().join(" ")
}

fn starting(report: &mut Report, folder: &Path) -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..7 {
        times.push(Server::start(folder)?.ready);
    }
    report.at_most("ready to answer, 1,000,000 records", median(&mut times).as_secs_f64(), 0.2, "s");
    Ok(())
}

fn median<T: PartialOrd + Copy + Default>(values: &mut [T]) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// A page, how many requests of it one round sends, and how much slower it may become from 10,000 to 1,000,000 rows.
struct Measured {
    name: &'static str,
    path: String,
    count: usize,
    growth: f64,
}

fn pages(report: &mut Report, small: &Path, large: &Path, patient: &PatientId) -> Result<()> {
    let (few, many) = (Server::start(small)?, Server::start(large)?);
    let (few_cookie, many_cookie) = (few.sign_in()?, many.sign_in()?);
    let page = |name, path: String, count, growth| Measured { name, path, count, growth };
    let measured = [
        page("list of 100 medications", format!("/patients/{patient}/medications?per_page=100"), 400, 1.3),
        page("list of 100 lab results", format!("/patients/{patient}/lab-results?per_page=100"), 400, 2.0),
        page("patient's home", format!("/patients/{patient}"), 400, 2.0),
        page("search, one beginning", "/search?q=amox".to_owned(), 400, 2.0),
        page("search, two beginnings", "/search?q=oral%20tab".to_owned(), 400, 2.0),
    ];
    let mut photos = photo::times(&few, &few_cookie, patient.as_str(), ROUNDS)?;
    report.at_most("a photograph of 12 megapixels, sent and shown", median(&mut photos).as_secs_f64(), 0.6, "s");
    let sheet = style_sheet(&many, &many_cookie, &measured[0].path)?;
    first_load(report, &many, &many_cookie, &measured[0].path)?;
    let sheet_speed = rounds(|| many.load(&get(&sheet, None, false), 10_000))?;
    let packed_speed = rounds(|| many.load(&get(&sheet, Some(&many_cookie), true), 3_000))?;
    println!("\n{:<38}{:>10}{:>13}{:>13}{:>13}", "", "a second", "median", "p99", "processor");
    let show = |name: &str, speed: &Speed| {
        println!(
            "{name:<38}{:>10.0}{:>10.2} ms{:>10.2} ms{:>10.3} ms",
            speed.per_second,
            millis(speed.median),
            millis(speed.p99),
            millis(speed.processor)
        )
    };
    show("style sheet", &sheet_speed);
    show("style sheet, signed in, gzip", &packed_speed);
    for page in &measured {
        let mut speeds = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            speeds.0.push(few.load(&get(&page.path, Some(&few_cookie), false), page.count)?);
            speeds.1.push(many.load(&get(&page.path, Some(&many_cookie), false), page.count)?);
        }
        let (on_few, on_many) = (middle(&speeds.0), middle(&speeds.1));
        show(&format!("{}, 10,000", page.name), &on_few);
        show(&format!("{}, 1,000,000", page.name), &on_many);
        if page.growth < 2.0 {
            report.at_most(format!("style sheets in the time of a {}", page.name), sheet_speed.per_second / on_many.per_second, 30.0, "");
            let packed = rounds(|| many.load(&get(&page.path, Some(&many_cookie), true), page.count))?;
            show(&format!("{}, gzip", page.name), &packed);
            report.at_most("  the same, signed in and gzip on both sides", packed_speed.per_second / packed.per_second, 30.0, "");
        }
        report.at_most(
            format!("{}: median at 1,000,000 over 10,000", page.name),
            millis(on_many.median) / millis(on_few.median),
            page.growth,
            "",
        );
    }
    #[expect(clippy::cast_precision_loss, reason = "a size")]
    report.at_most("resident after the load, 1,000,000 records", many.resident()? as f64 / MEBI, 60.0, "MiB");
    Ok(())
}

fn rounds(mut one: impl FnMut() -> Result<Speed>) -> Result<Speed> {
    let speeds = (0..ROUNDS).map(|_| one()).collect::<Result<Vec<_>>>()?;
    Ok(middle(&speeds))
}

fn middle(speeds: &[Speed]) -> Speed {
    let of = |get: fn(&Speed) -> f64| median(&mut speeds.iter().map(get).collect::<Vec<_>>());
    Speed {
        per_second: of(|s| s.per_second),
        median: Duration::from_secs_f64(of(|s| s.median.as_secs_f64())),
        p99: Duration::from_secs_f64(of(|s| s.p99.as_secs_f64())),
        processor: Duration::from_secs_f64(of(|s| s.processor.as_secs_f64())),
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The addresses a page names: `href` and `src` under `/static/`.
fn assets(html: &str) -> Vec<String> {
    let mut found: Vec<String> = html.split('"').filter(|part| part.starts_with("/static/")).map(str::to_owned).collect();
    found.dedup();
    found
}

fn style_sheet(server: &Server, cookie: &str, page: &str) -> Result<String> {
    let answer = Client::connect(server.address)?.send(&get(page, Some(cookie), false))?;
    assets(&String::from_utf8_lossy(&answer.body)).into_iter().find(|path| path.ends_with(".css")).context("the page names no style sheet")
}

fn first_load(report: &mut Report, server: &Server, cookie: &str, page: &str) -> Result<()> {
    let mut client = Client::connect(server.address)?;
    let html = client.send(&get(page, Some(cookie), false))?;
    let (mut all, mut script) = (client.send(&get(page, Some(cookie), true))?.bytes, 0);
    for path in assets(&String::from_utf8_lossy(&html.body)) {
        let bytes = client.send(&get(&path, Some(cookie), true))?.bytes;
        all += bytes;
        if path.ends_with(".js") {
            script += bytes;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a size")]
    let kilobytes = |bytes: usize| bytes as f64 / 1000.0;
    report.at_most("first load of 100 medications, all assets", kilobytes(all), 60.0, "kB");
    report.at_most("  of it script", kilobytes(script), 20.0, "kB");
    Ok(())
}

/// Through the command line, process start included, each file for the first time and once again.
fn importing(report: &mut Report, root: &Path, folder: &Path) -> Result<()> {
    let made = root.join("bundle.json");
    fs::write(&made, bundle::text())?;
    let mut files = vec![made];
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|up| up.join("shared/samples/fhir")).find(|path| path.is_dir());
    if let Some(samples) = samples {
        let mut found: Vec<_> = fs::read_dir(samples)?.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
        found.sort();
        // The one nearest to a megabyte.
        found.sort_by_key(|path| fs::metadata(path).map_or(u64::MAX, |m| m.len().abs_diff(1024 * 1024)));
        files.extend(found.into_iter().next());
    }
    for (n, file) in files.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "a size")]
        let size = fs::metadata(file)?.len() as f64 / MEBI;
        let name = if n == 0 { "made" } else { "sample" };
        let first = import(folder, file)?;
        report.at_most(format!("import of a {name} bundle of {size:.2} MiB"), first.as_secs_f64(), 1.0, "s");
        let again = import(folder, file)?;
        report.at_most("  the same again", again.as_secs_f64(), 1.0, "s");
    }
    seed::forget_imports(folder)
}

fn import(folder: &Path, file: &Path) -> Result<Duration> {
    let begun = Instant::now();
    let output = server::command(folder)?.arg("import").arg(file).args(["--as", seed::USER]).output()?;
    if output.status.success() {
        return Ok(begun.elapsed());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    if !told.contains("not connected") {
        bail!("import: {told}");
    }
    seed::import(folder, file)
}

fn counting(report: &mut Report) -> Result<()> {
    let pages = statements::count()?;
    let worst = pages.iter().map(|page| page.queries.into_iter().max().unwrap_or_default()).max().unwrap_or_default();
    for page in &pages {
        let [one, ten, hundred] = page.queries;
        let heavy = one.max(ten).max(hundred);
        if one != hundred
            || ten != hundred
            || heavy == worst
            || heavy > 12
            || matches!(page.name.as_str(), "patient's home" | "search" | "list of medications")
        {
            println!("{:<38}{one:>6}{ten:>6}{hundred:>6} queries with 1, 10, 100 records of each kind", page.name);
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a small count")]
    report.at_most("queries of the heaviest page", worst as f64, 12.0, "");
    Ok(())
}
