//! A photograph of twelve megapixels: from its upload to its square in the browser.

use std::{
    io::Cursor,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

use crate::{
    load::{Client, get},
    server::Server,
};

/// As a telephone takes it: smooth places and fine grain, some megabytes.
fn picture() -> Result<Vec<u8>> {
    let shade = |x: u32, y: u32| {
        let grain = x.wrapping_mul(2_654_435_761).wrapping_add(y.wrapping_mul(40_503)) >> 27;
        Rgb([x * 200 / 4000, y * 200 / 3000, 60].map(|part: u32| u8::try_from(part + grain).unwrap_or(u8::MAX)))
    };
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(RgbImage::from_fn(4000, 3000, shade)).write_to(&mut bytes, ImageFormat::Jpeg)?;
    Ok(bytes.into_inner())
}

/// How long each of these uploads took, the picture fetched.
pub fn times(server: &Server, cookie: &str, patient: &str, rounds: usize) -> Result<Vec<Duration>> {
    let mut body = b"--part\r\nContent-Disposition: form-data; name=\"file\"; filename=\"photo.jpg\"\r\n\r\n".to_vec();
    body.extend(picture()?);
    body.extend(b"\r\n--part--\r\n");
    let mut request = format!(
        "POST /patients/{patient}/photo HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\nSec-Fetch-Site: same-origin\r\n\
         Content-Type: multipart/form-data; boundary=part\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend(body);
    let mut client = Client::connect(server.address)?;
    let mut times = Vec::new();
    for _ in 0..rounds {
        let begun = Instant::now();
        let sent = client.send(&request)?;
        let shown = client.send(&get(&format!("/patients/{patient}/photo"), Some(cookie), false))?;
        times.push(begun.elapsed());
        if sent.status != 303 || shown.status != 200 {
            bail!("the photograph: {} {}", sent.status, shown.status);
        }
        image::load_from_memory(&shown.body).context("the served square")?;
    }
    Ok(times)
}
