//! Letters of a page as lines of text: a PDF says where each one stands and not where a word or a line ends.

use hayro::{
    hayro_interpret::{
        BlendMode, ClipPath, Device, DrawMode, DrawProps, Image, ImageDrawProps, SoftMask,
        font::{Glyph, GlyphRun},
        hayro_cmap::BfString,
    },
    kurbo::{Affine, BezPath, Point},
};

/// More letters than a page of the telephone book has.
const MOST: usize = 200_000;
/// A page with so many strokes shows something, if only text whose letters are drawings.
const STROKES: usize = 50;

/// A device that draws nothing and remembers the letters.
#[derive(Default)]
pub struct Letters {
    found: Vec<Letter>,
    pictures: usize,
    strokes: usize,
}

struct Letter {
    text: BfString,
    /// Where it begins and where the next one would, from the left of the page.
    from: f64,
    to: f64,
    /// Down from its top.
    y: f64,
    /// Of the font, as it stands on the page.
    size: f64,
}

impl Letters {
    pub fn shows(&self) -> bool {
        self.pictures > 0 || self.strokes > STROKES
    }

    /// Lines from the top, words with one space between, in one order whatever the order of drawing was.
    pub fn text(&self) -> String {
        let mut letters: Vec<&Letter> = self.found.iter().collect();
        letters.sort_by(|a, b| a.y.total_cmp(&b.y));
        let mut lines: Vec<Vec<&Letter>> = Vec::new();
        for letter in letters {
            // Smaller letters that stand a little higher or lower belong to the line.
            match lines.last_mut().filter(|line| line.first().is_some_and(|first| letter.y - first.y <= 0.4 * first.size.min(letter.size)))
            {
                Some(line) => line.push(letter),
                None => lines.push(vec![letter]),
            }
        }
        let lines: Vec<String> = lines.into_iter().map(line).filter(|line| !line.is_empty()).collect();
        lines.join("\n")
    }
}

fn line(mut letters: Vec<&Letter>) -> String {
    letters.sort_by(|a, b| a.from.total_cmp(&b.from));
    let mut text = String::new();
    let mut end = f64::INFINITY;
    for letter in letters {
        // A letter set twice, a hair apart, is how some programs print bold.
        let gap = letter.from - end;
        if gap > 0.15 * letter.size {
            text.push(' ');
        }
        match &letter.text {
            BfString::Char(c) => text.push(*c),
            BfString::String(s) => text.push_str(s),
        }
        end = letter.to;
    }
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl<'a> Device<'a> for Letters {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, 'a>, props: DrawProps<'a>, _: &DrawMode) {
        for glyph in run.glyphs() {
            let Some(text) = glyph.as_unicode() else { continue };
            if self.found.len() >= MOST {
                return;
            }
            let place: Affine = props.transform * glyph.transform();
            let advance = match &**glyph {
                Glyph::Outline(outline) => outline.advance_width(),
                Glyph::Type3(drawing) => drawing.advance_width(),
            };
            let advance = f64::from(advance.unwrap_or(500.0));
            let at = |x: f64, y: f64| place * Point::new(x, y);
            let (start, next, above) = (at(0.0, 0.0), at(advance, 0.0), at(0.0, 1000.0));
            let letter = Letter { text, from: start.x, to: next.x, y: start.y, size: (above - start).hypot() };
            if letter.from.is_finite() && letter.to.is_finite() && letter.y.is_finite() && letter.size.is_finite() {
                self.found.push(letter);
            }
        }
    }
    fn draw_image(&mut self, _: Image<'a, '_>, _: ImageDrawProps<'a>) {
        self.pictures += 1;
    }
    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'a>, _: &DrawMode) {
        self.strokes += 1;
    }
    fn push_clip_path(&mut self, _: &ClipPath) {}
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'a>>, _: BlendMode) {}
    fn pop_clip(&mut self) {}
    fn pop_transparency_group(&mut self) {}
}
