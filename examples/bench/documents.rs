//! One large document up and down again: how fast beside `cp` and `sha256sum` on the same disk, and how much memory it takes.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    MEBI, Report, number,
    server::{Server, command},
};

/// Bytes of the document.
const SIZE: u64 = 1_000_000_000;
const PASSWORD: &str = "a long and odd password 417";
const BOUNDARY: &str = "a-part-of-the-form";

pub fn measure(report: &mut Report, root: &Path) -> Result<()> {
    let folder = root.join("documents");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let document = folder.join("scan.pdf");
    write_document(&document)?;
    let plain = plain_copy(&document, &folder)?;
    let token = account(&folder)?;
    let server = Server::start_with(&folder, &[("KINCHART_MAX_UPLOAD", "1100")])?;
    let patient = make_patient(&server, &token)?;
    // One small document first, so that what is made once is not counted as the large one's.
    let small = folder.join("small.pdf");
    fs::write(&small, b"%PDF-1.4\n%%EOF\n")?;
    upload(&server, &token, &patient, &small)?;
    server.forget_peak()?;
    let idle = server.resident()?;
    let (up, id) = upload(&server, &token, &patient, &document)?;
    let peak_up = server.peak()?;
    server.forget_peak()?;
    let down = download(&server, &token, &patient, &id)?;
    let peak_down = server.peak()?;
    println!(
        "1 GB: cp and sha256sum {}, up {}, down {}",
        number(plain.as_secs_f64(), "s"),
        number(up.as_secs_f64(), "s"),
        number(down.as_secs_f64(), "s")
    );
    report.at_most("upload of 1 GB, times cp and sha256sum", up.as_secs_f64() / plain.as_secs_f64(), 3.0, "");
    report.at_most("download of 1 GB, times cp and sha256sum", down.as_secs_f64() / plain.as_secs_f64(), 3.0, "");
    report.at_most("  memory above idle, up", above(peak_up, idle), 40.0, "MB");
    report.at_most("  memory above idle, down", above(peak_down, idle), 40.0, "MB");
    drop(server);
    fs::remove_dir_all(&folder)?;
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a size")]
fn above(peak: u64, idle: u64) -> f64 {
    peak.saturating_sub(idle) as f64 / 1_000_000.0
}

/// A PDF by its first bytes; behind them nothing that could be packed.
fn write_document(path: &Path) -> Result<()> {
    let mut file = std::io::BufWriter::new(File::create(path)?);
    file.write_all(b"%PDF-1.4\n")?;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..(SIZE - 9) / 8 {
        // xorshift64 (Marsaglia 2003).
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes())?;
    }
    file.write_all(&[b'\n'; 7])?;
    file.into_inner()?.sync_all()?;
    Ok(())
}

/// What the limit is told in: `cp`, then `sha256sum`, and the copy on the disk as an upload's is.
fn plain_copy(document: &Path, folder: &Path) -> Result<Duration> {
    let copy = folder.join("copy.pdf");
    let begun = Instant::now();
    let done = Command::new("cp").arg(document).arg(&copy).status()?.success();
    File::open(&copy)?.sync_all()?;
    let summed = Command::new("sha256sum").arg(document).output()?.status.success();
    let took = begun.elapsed();
    fs::remove_file(copy)?;
    if done && summed { Ok(took) } else { bail!("cp or sha256sum failed") }
}

fn account(folder: &Path) -> Result<String> {
    let mut child = command(folder)?
        .args(["user", "add", "ann", "--email", "ann@example.org", "--password-stdin"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()?;
    writeln!(child.stdin.take().context("standard input")?, "{PASSWORD}")?;
    if !child.wait()?.success() {
        bail!("no account");
    }
    let made = command(folder)?.args(["token", "add", "--user", "ann", "--write"]).output()?;
    Ok(String::from_utf8(made.stdout)?.trim().to_owned())
}

/// Status and body of a short answer.
fn read(stream: TcpStream) -> Result<(u16, String)> {
    let mut reader = BufReader::new(stream);
    let (status, length) = read_head(&mut reader)?;
    let mut body = vec![0; usize::try_from(length)?];
    reader.read_exact(&mut body)?;
    Ok((status, String::from_utf8(body)?))
}

fn read_head(reader: &mut impl BufRead) -> Result<(u16, u64)> {
    let (mut status, mut length) = (0, 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            return Ok((status, length));
        }
        if status == 0 {
            status = line.split(' ').nth(1).and_then(|word| word.parse().ok()).context("no status")?;
        } else if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse()?;
        }
    }
}

fn id_in(body: &str) -> Result<String> {
    let told: serde_json::Value = serde_json::from_str(body)?;
    Ok(told["id"].as_str().context("no id")?.to_owned())
}

fn make_patient(server: &Server, token: &str) -> Result<String> {
    let body = r#"{"first_name":"Ada","last_name":"Lovelace"}"#;
    let mut stream = TcpStream::connect(server.address)?;
    write!(
        stream,
        "POST /api/v1/patients HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    id_in(&read(stream)?.1)
}

fn upload(server: &Server, token: &str, patient: &str, document: &PathBuf) -> Result<(Duration, String)> {
    let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"scan.pdf\"\r\n\r\n");
    let tail = format!("\r\n--{BOUNDARY}--\r\n");
    let length = head.len() as u64 + fs::metadata(document)?.len() + tail.len() as u64;
    let begun = Instant::now();
    let mut stream = TcpStream::connect(server.address)?;
    write!(
        stream,
        "POST /api/v1/patients/{patient}/files HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {length}\r\n\r\n{head}"
    )?;
    let mut file = File::open(document)?;
    let mut piece = vec![0; 256 * 1024];
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            break;
        }
        stream.write_all(&piece[..read])?;
    }
    stream.write_all(tail.as_bytes())?;
    let (status, body) = read(stream)?;
    if status != 201 {
        bail!("the upload answers {status}: {body}");
    }
    Ok((begun.elapsed(), id_in(&body)?))
}

fn download(server: &Server, token: &str, patient: &str, id: &str) -> Result<Duration> {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(server.address)?;
    write!(
        stream,
        "GET /api/v1/patients/{patient}/files/{id}/content HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
    )?;
    let mut reader = BufReader::with_capacity(256 * 1024, stream);
    let (status, length) = read_head(&mut reader)?;
    let read = std::io::copy(&mut reader.take(length), &mut std::io::sink())?;
    #[expect(clippy::cast_precision_loss, reason = "a size")]
    if status != 200 || read != SIZE {
        bail!("the download answers {status} and {:.1} MiB", read as f64 / MEBI);
    }
    Ok(begun.elapsed())
}
