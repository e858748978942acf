//! Pictures: opened within limits, turned upright, made smaller, written anew. What a camera wrote beside the pixels stays behind.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageReader, Limits, RgbImage, codecs::jpeg::JpegEncoder};

use super::{
    FACE, Frame, Note, PAGE, PHOTO, Refusal, SMALL,
    child::{Failed, Tell},
    tiff,
};

/// More than the cameras of telephones make of one shot; three bytes each.
const MOST_PIXELS: u64 = 100_000_000;
/// What a decoder may ask for, in bytes.
const MOST_MEMORY: u64 = 450_000_000;
/// As long as a page of 30 cm is at 300 points to the inch.
pub const SCAN: u32 = 3500;
const QUALITY: u8 = 82;

/// The picture of a paper, and the small one; of a TIFF every page that can be opened. All pages are to be read, and those are told first: what
/// a page further on does to us takes nothing of that away.
pub fn pages(mut bytes: Vec<u8>, most: usize, tell: Tell<'_>) -> Result<(), Failed> {
    let places = tiff::pages(&bytes);
    let count = places.len().max(1);
    let first = open(&bytes)?;
    tell(&Note::Pages { count }, b"")?;
    draw(&first, 1, tell)?;
    drop(first);
    for page in 1..=count {
        tell(&Note::Text { page, text: String::new(), scan: true }, b"")?;
    }
    for (page, place) in (1..).zip(&places).take(most).skip(1) {
        tiff::begin_with(&mut bytes, *place);
        if let Ok(picture) = open(&bytes) {
            draw(&picture, page, tell)?;
        }
    }
    Ok(())
}

/// Draws one page, and for the first a small one beside it.
pub fn draw(picture: &DynamicImage, page: usize, tell: Tell<'_>) -> Result<(), Failed> {
    let large = flat(&within(picture, PAGE));
    if page == 1 {
        told(0, &flat(&within(picture, SMALL)), tell)?;
    }
    told(page, &large, tell)
}

/// Large, for a reader of letters.
pub fn scan(mut bytes: Vec<u8>, page: usize, tell: Tell<'_>) -> Result<(), Failed> {
    if page > 1 {
        let places = tiff::pages(&bytes);
        let place = places.get(page - 1).ok_or(Refusal::Damaged)?;
        tiff::begin_with(&mut bytes, *place);
    }
    told(page, &flat(&within(&open(&bytes)?, SCAN)), tell)
}

/// A square of it and the small one of that.
pub fn photo(bytes: &[u8], frame: Frame, tell: Tell<'_>) -> Result<(), Failed> {
    let picture = open(bytes)?;
    let (width, height) = (picture.width(), picture.height());
    let side = (part(width.min(height), frame.size)).max(1);
    let (left, top) = (part(width - side, frame.x), part(height - side, frame.y));
    let square = picture.crop_imm(left, top, side, side);
    drop(picture);
    let large = within(&square, PHOTO);
    told(1, &flat(&large), tell)?;
    told(0, &flat(&within(&large, FACE)), tell)
}

fn part(whole: u32, hundredths: u32) -> u32 {
    u32::try_from(u64::from(whole) * u64::from(hundredths.min(100)) / 100).unwrap_or(whole)
}

pub fn told(page: usize, picture: &RgbImage, tell: Tell<'_>) -> Result<(), Failed> {
    let mut jpeg = Vec::new();
    let (width, height) = picture.dimensions();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(picture).map_err(|_| Refusal::Damaged)?;
    Ok(tell(&Note::Drawn { page, width, height }, &jpeg)?)
}

/// Its size is known before memory is spent on it: the header tells it, and what tells too much is not opened. Of a film, the first picture.
fn open(bytes: &[u8]) -> Result<DynamicImage, Refusal> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|_| Refusal::Damaged)?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refusal)?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(Refusal::Damaged);
    }
    if u64::from(width) * u64::from(height) > MOST_PIXELS || decoder.total_bytes() > MOST_MEMORY {
        return Err(Refusal::TooLarge);
    }
    // One whose orientation cannot be read lies as it lies.
    let orientation = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(refusal)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

fn refusal(error: image::ImageError) -> Refusal {
    if matches!(error, image::ImageError::Limits(_)) { Refusal::TooLarge } else { Refusal::Damaged }
}

/// Made smaller if it is larger; never larger than it is.
fn within(picture: &DynamicImage, longest: u32) -> DynamicImage {
    if picture.width().max(picture.height()) <= longest { picture.clone() } else { picture.thumbnail(longest, longest) }
}

/// Without what shines through, on white paper.
fn flat(picture: &DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.to_rgb8();
    }
    let blend =
        |ink: u8, alpha: u8| u8::try_from((u32::from(ink) * u32::from(alpha) + 255 * (255 - u32::from(alpha))) / 255).unwrap_or(255);
    let seen = picture.to_rgba8();
    let mut flat = RgbImage::new(seen.width(), seen.height());
    for (to, from) in flat.pixels_mut().zip(seen.pixels()) {
        let [red, green, blue, alpha] = from.0;
        to.0 = [blend(red, alpha), blend(green, alpha), blend(blue, alpha)];
    }
    flat
}
