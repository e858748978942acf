//! Papers as people have them, and as nobody should: PDFs and pictures made for a test, and the form that brings them.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

/// A page of a PDF: what is drawn on it, and how large it is, in points.
pub struct Page {
    pub content: Vec<u8>,
    pub size: (f64, f64),
    /// A JPEG of that many pixels, drawn by `/Im Do`.
    pub picture: Option<(Vec<u8>, u32, u32)>,
}

impl Page {
    /// A4 with these lines of text from the top.
    pub fn of(lines: &[&str]) -> Self {
        let shown: Vec<String> = lines.iter().map(|line| format!("({}) Tj T*", line.chars().map(letter).collect::<String>())).collect();
        Self::drawn(format!("BT /F1 12 Tf 14 TL 60 780 Td {} ET", shown.join(" ")))
    }

    pub fn drawn(content: impl Into<Vec<u8>>) -> Self {
        Self { content: content.into(), size: (595.0, 842.0), picture: None }
    }

    /// A picture over the whole page, as a scanner makes it.
    pub fn scanned() -> Self {
        let (width, height) = (300, 420);
        let picture = Some((jpeg(&grey(width, height)), width, height));
        Self { picture, ..Self::drawn("q 595 0 0 842 0 0 cm /Im Do Q") }
    }
}

/// As it stands in a string of a PDF, Latin letters by their number.
fn letter(c: char) -> String {
    match c {
        '(' | ')' | '\\' => format!("\\{c}"),
        c if c.is_ascii() => c.to_string(),
        c => format!("\\{:03o}", u32::from(c)),
    }
}

/// A PDF of these pages, with a table of what lies where.
pub fn pdf(pages: &[Page]) -> Vec<u8> {
    pdf_with(pages, "")
}

/// The same with more in its trailer, and objects for that from number 900 on left to the caller's text.
pub fn pdf_with(pages: &[Page], trailer: &str) -> Vec<u8> {
    let mut objects: Vec<(usize, Vec<u8>)> = Vec::new();
    let kids: Vec<String> = (0..pages.len()).map(|n| format!("{} 0 R", 10 + n * 3)).collect();
    objects.push((1, b"<</Type/Catalog/Pages 2 0 R>>".to_vec()));
    objects.push((2, format!("<</Type/Pages/Kids[{}]/Count {}>>", kids.join(" "), pages.len()).into_bytes()));
    objects.push((3, b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>".to_vec()));
    for (n, page) in pages.iter().enumerate() {
        let (at, (width, height)) = (10 + n * 3, page.size);
        let resources = format!("<</Font<</F1 3 0 R>>/XObject<</Im {} 0 R>>>>", at + 2);
        let dict = format!("<</Type/Page/Parent 2 0 R/MediaBox[0 0 {width} {height}]/Resources{resources}/Contents {} 0 R>>", at + 1);
        objects.push((at, dict.into_bytes()));
        objects.push((at + 1, stream("", &page.content)));
        if let Some((bytes, width, height)) = &page.picture {
            let about = format!(
                "/Type/XObject/Subtype/Image/Width {width}/Height {height}/ColorSpace/DeviceRGB/BitsPerComponent 8/Filter/DCTDecode"
            );
            objects.push((at + 2, stream(&about, bytes)));
        }
    }
    write_pdf(&objects, trailer)
}

pub fn stream(about: &str, bytes: &[u8]) -> Vec<u8> {
    let mut object = format!("<<{about}/Length {}>>\nstream\n", bytes.len()).into_bytes();
    object.extend(bytes);
    object.extend(b"\nendstream");
    object
}

pub fn write_pdf(objects: &[(usize, Vec<u8>)], trailer: &str) -> Vec<u8> {
    let mut out = b"%PDF-1.7\n".to_vec();
    let mut places = Vec::new();
    for (number, object) in objects {
        places.push((*number, out.len()));
        out.extend(format!("{number} 0 obj\n").into_bytes());
        out.extend(object);
        out.extend(b"\nendobj\n");
    }
    let table = out.len();
    out.extend(b"xref\n0 1\n0000000000 65535 f \n");
    for (number, place) in &places {
        out.extend(format!("{number} 1\n{place:010} 00000 n \n").into_bytes());
    }
    let size = places.iter().map(|(number, _)| number + 1).max().unwrap_or(1);
    out.extend(format!("trailer\n<</Size {size}/Root 1 0 R{trailer}>>\nstartxref\n{table}\n%%EOF\n").into_bytes());
    out
}

/// Asks for a password before it shows anything.
pub fn protected_pdf() -> Vec<u8> {
    let key = "6b".repeat(32);
    pdf_with(&[Page::of(&["secretword"])], &format!("/Encrypt<</Filter/Standard/V 1/R 2/O<{key}>/U<{key}>/P -4>>/ID[<00112233><00112233>]"))
}

pub fn grey(width: u32, height: u32) -> RgbImage {
    RgbImage::from_pixel(width, height, Rgb([90, 90, 90]))
}

pub fn jpeg(picture: &RgbImage) -> Vec<u8> {
    written(&DynamicImage::ImageRgb8(picture.clone()), ImageFormat::Jpeg)
}

pub fn written(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A picture of four colours: red, green, blue and white from the upper left, line by line.
pub fn quarters(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| match (x < width / 2, y < height / 2) {
        (true, true) => Rgb([220, 20, 20]),
        (false, true) => Rgb([20, 200, 20]),
        (true, false) => Rgb([20, 20, 220]),
        (false, false) => Rgb([250, 250, 250]),
    })
}

/// A JPEG with what a telephone writes beside the pixels: EXIF with an orientation and a place, and XMP that tells the place again.
pub fn telephone_jpeg(picture: &RgbImage, orientation: u8) -> Vec<u8> {
    let plain = jpeg(picture);
    let entry = |tag: u16, kind: u16, count: u32, value: [u8; 4]| {
        [&tag.to_be_bytes()[..], &kind.to_be_bytes(), &count.to_be_bytes(), &value].concat()
    };
    let (main, gps): (u32, u32) = (8, 8 + 2 + 2 * 12 + 4);
    let exif = [
        &b"Exif\0\0MM\0\x2a"[..],
        &main.to_be_bytes(),
        &2_u16.to_be_bytes(),
        &entry(0x0112, 3, 1, [0, orientation, 0, 0]),
        &entry(0x8825, 4, 1, gps.to_be_bytes()),
        &0_u32.to_be_bytes(),
        // GPSLatitudeRef, and a map datum where a word can be looked for.
        &2_u16.to_be_bytes(),
        &entry(1, 2, 2, *b"N\0\0\0"),
        &entry(0x12, 2, 4, *b"WGS\0"),
        &0_u32.to_be_bytes(),
    ]
    .concat();
    let xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta><exif:GPSLatitude>48,8.2N</exif:GPSLatitude></x:xmpmeta>";
    let segment = |bytes: &[u8]| [&[0xff, 0xe1][..], &u16::try_from(bytes.len() + 2).unwrap().to_be_bytes(), bytes].concat();
    [&plain[..2], &segment(&exif), &segment(xmp), &plain[2..]].concat()
}

/// A PNG of a few hundred bytes whose header tells of these many pixels.
pub fn png_bomb(width: u32, height: u32) -> Vec<u8> {
    let small = written(&DynamicImage::ImageRgb8(grey(8, 8)), ImageFormat::Png);
    let mut header = [&b"IHDR"[..], &width.to_be_bytes(), &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    let check = crc(&header);
    header.extend(check.to_be_bytes());
    [&small[..12], &header, &small[33..]].concat()
}

/// PNG, annex D.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

/// A form as a browser sends it: fields, then one file of any bytes.
pub fn form(fields: &[(&str, &str)], name: &str, bytes: &[u8]) -> Vec<u8> {
    let text = crate::files::form(fields, &[(name, "CONTENT")]);
    let (before, after) = text.split_once("CONTENT").unwrap();
    [before.as_bytes(), bytes, after.as_bytes()].concat()
}
