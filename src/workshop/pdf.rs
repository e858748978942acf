//! PDFs: the letters of every page, and a picture of the first ones.

use std::panic::{AssertUnwindSafe, catch_unwind};

use hayro::{
    PixmapSettings, RenderCache, RenderSettings,
    hayro_interpret::{Context, InterpreterSettings, interpret_page, util::TransformExt},
    hayro_syntax::{LoadPdfError, Pdf, page::Page},
    kurbo::Rect,
    vello_cpu::color::palette::css::WHITE,
};
use image::{DynamicImage, RgbaImage};

use super::{
    Note, PAGE, Refusal,
    child::{Failed, Tell},
    picture,
    script::Letters,
};

/// More pages than any hospital's file of one person.
const MOST_PAGES: usize = 5000;
/// A page of a scan has at most this many words, a page number or a stamp of the machine.
const FEW_WORDS: usize = 3;

fn open(bytes: Vec<u8>) -> Result<Pdf, Refusal> {
    let pdf = catch_unwind(AssertUnwindSafe(|| Pdf::new(bytes))).unwrap_or(Err(LoadPdfError::Invalid));
    match pdf {
        Ok(pdf) if pdf.pages().is_empty() => Err(Refusal::Damaged),
        Ok(pdf) => Ok(pdf),
        Err(LoadPdfError::Decryption(_)) => Err(Refusal::Protected),
        Err(LoadPdfError::Invalid) => Err(Refusal::Damaged),
    }
}

/// The first page's picture comes first and then all letters: what a page further on does to us takes nothing of that away.
pub fn pages(bytes: Vec<u8>, draw: usize, tell: Tell<'_>) -> Result<(), Failed> {
    let pdf = open(bytes)?;
    let cache = RenderCache::new();
    let pages = pdf.pages();
    tell(&Note::Pages { count: pages.len() }, b"")?;
    for (number, page) in (1..).zip(pages.iter()).take(draw.min(1)) {
        show(number, page, &cache, tell)?;
    }
    for (number, page) in (1..).zip(pages.iter()).take(MOST_PAGES) {
        let (text, shows) = letters(page);
        let scan = shows && text.split_whitespace().count() <= FEW_WORDS;
        tell(&Note::Text { page: number, text, scan }, b"")?;
    }
    for (number, page) in (1..).zip(pages.iter()).take(draw).skip(1) {
        show(number, page, &cache, tell)?;
    }
    Ok(())
}

fn show<'a>(number: usize, page: &'a Page<'a>, cache: &RenderCache<'a>, tell: Tell<'_>) -> Result<(), Failed> {
    drawn(page, cache, PAGE).map_or(Ok(()), |image| picture::draw(&image, number, tell))
}

pub fn scan(bytes: Vec<u8>, page: usize, tell: Tell<'_>) -> Result<(), Failed> {
    let pdf = open(bytes)?;
    let wanted = page.checked_sub(1).and_then(|index| pdf.pages().get(index)).ok_or(Refusal::Damaged)?;
    let image = drawn(wanted, &RenderCache::new(), picture::SCAN).ok_or(Refusal::Damaged)?;
    picture::told(page, &image.to_rgb8(), tell)
}

/// The page on white paper, its longer side that many pixels. None for a page without a size, and where the drawing falls over.
fn drawn<'a>(page: &'a Page<'a>, cache: &RenderCache<'a>, longest: u32) -> Option<DynamicImage> {
    let (width, height) = page.render_dimensions();
    let sane = |side: f32| side.is_finite() && side >= 1.0;
    if !sane(width) || !sane(height) {
        return None;
    }
    // A strip so thin that it would vanish is drawn one pixel wide.
    let scale = f32::from(u16::try_from(longest).ok()?) / width.max(height);
    let at_least = |side: f32| scale.max(1.0 / side);
    let settings = PixmapSettings { x_scale: at_least(width), y_scale: at_least(height), bg_color: WHITE };
    let pixels = catch_unwind(AssertUnwindSafe(|| {
        hayro::render(page, cache, &InterpreterSettings::default(), &RenderSettings::default(), &settings)
    }));
    let pixels = pixels.ok()?;
    let (width, height) = (u32::from(pixels.width()), u32::from(pixels.height()));
    let image = RgbaImage::from_raw(width, height, pixels.data_as_u8_slice().to_vec())?;
    // On white everything is opaque.
    Some(DynamicImage::ImageRgb8(DynamicImage::ImageRgba8(image).to_rgb8()))
}

/// Its text, and whether it shows anything besides.
fn letters<'a>(page: &'a Page<'a>) -> (String, bool) {
    let read = catch_unwind(AssertUnwindSafe(|| {
        let (width, height) = page.render_dimensions();
        let whole = Rect::new(0.0, 0.0, f64::from(width), f64::from(height));
        let (cache, settings) = (hayro::hayro_interpret::InterpreterCache::new(), InterpreterSettings::default());
        let mut context = Context::new(page.initial_transform(true).to_kurbo(), whole, &cache, page.xref(), settings);
        let mut letters = Letters::default();
        interpret_page(page, &mut context, &mut letters);
        (letters.text(), letters.shows())
    }));
    read.unwrap_or_default()
}
