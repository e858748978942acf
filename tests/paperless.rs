//! The client of Paperless-ngx against a server that behaves as two real ones did, 2.20.15 and 3.0.5.
#![expect(clippy::result_large_err, reason = "an answer that ends a request early, in tests")]

mod answers;
mod changing;
mod connection;
mod failing;
mod lists;
mod reading;
pub mod server;
pub mod state;
mod uploading;
mod uploads;

use kinchart::paperless::{Client, DocumentId, TaskState, Upload};

use server::Paperless;

/// A PDF with these words in it, as the test server reads it.
pub fn pdf(words: &str) -> Vec<u8> {
    format!("%PDF-1.4\n{words}\n%%EOF\n").into_bytes()
}

/// What a PNG begins with, and something of its own.
pub fn png(mark: &str) -> Vec<u8> {
    [b"\x89PNG\r\n\x1a\n".as_slice(), mark.as_bytes(), b"\0\xff"].concat()
}

/// A document that was sent, worked on and stored.
fn stored(paperless: &Paperless, client: &Client, title: &str, bytes: &[u8]) -> DocumentId {
    let upload = Upload { file_name: "scan.pdf", size: bytes.len() as u64, title, ..Upload::default() };
    let task = client.upload(&upload, &mut &*bytes).unwrap();
    paperless.finish();
    match client.task(&task).unwrap() {
        TaskState::Done(id) => id,
        other => panic!("{other:?}"),
    }
}

/// A server to try the pages with by hand. It prints where it is and a token, works on what it is sent, and stays until it is stopped.
#[test]
#[ignore = "stays until it is stopped"]
fn a_server_by_hand() {
    let paperless = Paperless::start(server::Version::V3);
    let client = paperless.client();
    for (title, words) in
        [("Blood count March", "hemoglobin 13.9 ferritin"), ("Letter of Dr. Hopper", "hemoglobin knee letter"), ("Invoice", "hemoglobin")]
    {
        stored(&paperless, &client, title, &pdf(words));
    }
    println!("{} {}", paperless.url(), paperless.token().reveal());
    loop {
        std::thread::sleep(std::time::Duration::from_secs(1));
        paperless.finish();
    }
}
