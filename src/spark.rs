//! A small line of past values beside a number: drawn on the server, told in words to who cannot see it.

use crate::{page::Ui, records::glance::Trend};

/// The drawing's coordinates, in a box of 96 by 26.
#[derive(Clone, Debug)]
pub struct Spark {
    pub line: String,
    pub x: String,
    pub y: String,
    /// Top and height of the reference band.
    pub band: Option<(String, String)>,
    pub words: String,
}

const WIDTH: f64 = 96.0;
const TOP: f64 = 2.0;
const HEIGHT: f64 = 22.0;

/// Nothing for fewer than two points: a dot is no trend.
pub fn draw(ui: &Ui, trend: &Trend) -> Option<Spark> {
    let (first, last) = (trend.points.first()?, trend.points.last()?);
    if trend.points.len() < 2 {
        return None;
    }
    let numbers = || trend.points.iter().map(|p| p.number);
    let low = numbers().chain(trend.low).fold(f64::INFINITY, f64::min);
    let high = numbers().chain(trend.high).fold(f64::NEG_INFINITY, f64::max);
    let span = if high > low { high - low } else { 1.0 };
    let y = |number: f64| TOP + HEIGHT * (1.0 - (number - low) / span);
    #[expect(clippy::cast_precision_loss, reason = "a dozen points")]
    let step = WIDTH / (trend.points.len() - 1) as f64;
    let mut x = 0.0;
    let mut line = Vec::new();
    for point in &trend.points {
        line.push(format!("{x:.1},{:.1}", y(point.number)));
        x += step;
    }
    let band = (trend.low.is_some() || trend.high.is_some()).then(|| {
        let (top, bottom) = (y(trend.high.unwrap_or(high)), y(trend.low.unwrap_or(low)));
        (format!("{top:.1}"), format!("{:.1}", (bottom - top).max(0.0)))
    });
    let words = ui
        .words
        .with("spark.from_to", &[("from", &short(first.number)), ("to", &short(last.number)), ("n", &trend.points.len().to_string())]);
    Some(Spark { line: line.join(" "), x: format!("{WIDTH:.1}"), y: format!("{:.1}", y(last.number)), band, words })
}

fn short(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
