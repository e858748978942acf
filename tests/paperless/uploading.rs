//! Sending documents, and what became of them.

use std::{
    io::{self, Read, Write},
    net::TcpListener,
    thread,
};

use chrono::NaiveDate;
use kinchart::paperless::{Address, Checksums, Client, DocumentId, Fault, Field, Right, TaskFailure, TaskId, TaskState, Token, Upload};
use serde_json::{Value, json};

use super::{
    pdf, png,
    server::{Paperless, Trouble, Version, network},
    stored,
};

fn send(paperless: &Paperless, name: &str, bytes: &[u8]) -> Result<TaskId, Fault> {
    let upload = Upload { file_name: name, size: bytes.len() as u64, ..Upload::default() };
    paperless.client().upload(&upload, &mut &*bytes)
}

fn state(paperless: &Paperless, task: &TaskId) -> TaskState {
    paperless.client().task(task).unwrap()
}

#[test]
fn a_document_goes_there_with_all_that_is_known_of_it() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let client = paperless.client();
        let (tag, other) = (client.ensure_tag("Kinchart").unwrap(), client.ensure_tag("Ada").unwrap());
        let from = client.ensure_correspondent("City Lab").unwrap();
        let kind = client.ensure_document_type("Lab result").unwrap();
        let link = client.ensure_custom_field("Kinchart").unwrap();
        let bytes = pdf("Hemoglobin 13.9");
        let fields = [(link, json!("https://records.example.org/r/1"))];
        let upload = Upload {
            file_name: "Größe \"Befund\".pdf",
            size: bytes.len() as u64,
            title: "Laboratory – Größe",
            created: NaiveDate::from_ymd_opt(2024, 3, 5),
            correspondent: Some(from),
            document_type: Some(kind),
            tags: &[tag, other],
            custom_fields: &fields,
        };
        let task = client.upload(&upload, &mut bytes.as_slice()).unwrap();
        assert_eq!(state(&paperless, &task), TaskState::Waiting);
        paperless.advance();
        assert_eq!(state(&paperless, &task), TaskState::Running);
        paperless.advance();
        assert_eq!(state(&paperless, &task), TaskState::Done(DocumentId(1)));
        let held = paperless.document(1);
        assert_eq!(held.bytes, bytes);
        assert_eq!((held.title.as_str(), held.created.as_str()), ("Laboratory – Größe", "2024-03-05"));
        assert_eq!((held.correspondent, held.document_type, &held.tags), (Some(from), Some(kind), &vec![tag, other]));
        assert_eq!(held.custom_fields, fields);
        assert_eq!(held.file_name, "Größe %22Befund%22.pdf");
    }
}

#[test]
fn a_long_title_is_cut_by_us() {
    let paperless = Paperless::start(Version::V2);
    let id = stored(&paperless, &paperless.client(), &"ä".repeat(200), &pdf("x"));
    let title = paperless.document(id.0).title;
    assert_eq!((title.chars().count(), title.chars().last()), (128, Some('…')));
}

#[test]
fn a_client_that_sends_no_version_stays_pending_for_ever() {
    // As a known client does it: no version, and the status compared with SUCCESS.
    let naive = |paperless: &Paperless, task: &TaskId| {
        let request = format!(
            "GET /api/tasks/?task_id={} HTTP/1.1\r\nHost: x\r\nAccept: */*\r\nAuthorization: Token {}\r\nConnection: close\r\n\r\n",
            task.0,
            paperless.token().reveal()
        );
        let address = paperless.url().replace("http://", "");
        let mut stream = std::net::TcpStream::connect(address.trim_end_matches('/')).unwrap();
        io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        let task = body.get(0).or_else(|| body["results"].get(0)).cloned().unwrap();
        task["status"] == "SUCCESS"
    };
    for (version, naive_sees_it) in [(Version::V2, true), (Version::V3, false)] {
        let paperless = Paperless::start(version);
        let task = send(&paperless, "a.pdf", &pdf("a")).unwrap();
        paperless.finish();
        assert_eq!(naive(&paperless, &task), naive_sees_it, "{version:?}");
        assert_eq!(state(&paperless, &task), TaskState::Done(DocumentId(1)), "ours sees it on both");
    }
}

#[test]
fn duplicates_are_told_as_each_version_has_them() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        paperless.deletes_duplicates();
        let bytes = pdf("twice");
        let first = stored(&paperless, &paperless.client(), "The original (#7)", &bytes);
        let again = || {
            let task = send(&paperless, "other name.pdf", &bytes).unwrap();
            paperless.finish();
            state(&paperless, &task)
        };
        assert_eq!(again(), TaskState::Duplicate { of: Some(first), in_trash: false }, "{version:?}");
        paperless.trash(first.0);
        assert_eq!(again(), TaskState::Duplicate { of: Some(first), in_trash: true }, "{version:?}");
        paperless.erase(first.0);
        assert_eq!(again(), TaskState::Done(DocumentId(2)), "{version:?}");
    }
}

#[test]
fn version_3_stores_the_same_bytes_twice_unless_it_is_looked_for_them() {
    let paperless = Paperless::start(Version::V3);
    let client = paperless.client();
    let bytes = pdf("twice");
    let first = stored(&paperless, &client, "first", &bytes);
    let second = stored(&paperless, &client, "second", &bytes);
    assert_ne!(first, second);
    assert_eq!(client.find_by_checksum(&Checksums::of(&bytes)).unwrap(), [first, second], "oldest first");
}

#[test]
fn a_duplicate_may_be_somebody_elses() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        paperless.deletes_duplicates();
        let bytes = pdf("secret");
        let theirs = stored(&paperless, &paperless.client(), "theirs", &bytes);
        let rights: Vec<&str> = Right::NEEDED.iter().map(|right| right.name()).collect();
        let mine = paperless.client_of(paperless.user("integration", &rights));
        let upload = Upload { file_name: "a.pdf", size: bytes.len() as u64, ..Upload::default() };
        let task = mine.upload(&upload, &mut bytes.as_slice()).unwrap();
        paperless.finish();
        assert_eq!(mine.task(&task), Ok(TaskState::Duplicate { of: Some(theirs), in_trash: false }));
        assert_eq!(mine.document(theirs).unwrap_err(), Fault::NotFound);
        assert_eq!(mine.download_original(theirs, &mut Vec::new()), Err(Fault::Right(Right::ViewDocument)));
        assert_eq!(mine.find_by_checksum(&Checksums::of(&bytes)), Ok(vec![]));
    }
}

#[test]
fn what_is_not_taken_is_told_at_once_or_by_the_task() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        assert_eq!(send(&paperless, "a.zip", b"PK\x03\x04zip"), Err(Fault::Type));
        assert_eq!(send(&paperless, "zip.pdf", b"PK\x03\x04zip"), Err(Fault::Type), "the bytes count");
        assert_eq!(send(&paperless, "a.bin", b"\0\xff\xfe"), Err(Fault::Type));
        paperless.forget_seen();
        assert_eq!(send(&paperless, "a.pdf", b""), Err(Fault::Empty));
        assert_eq!(paperless.seen(), [], "nothing was sent");
        for (name, bytes) in [("corrupt.pdf", b"%PDF-1.4 damaged".as_slice()), ("noise.pdf", b"\0\xff\xfe")] {
            let task = send(&paperless, name, bytes).unwrap();
            paperless.finish();
            assert_eq!(state(&paperless, &task), TaskState::Failed(TaskFailure::Unreadable), "{name}");
        }
        let task = send(&paperless, "later.pdf", &pdf("x")).unwrap();
        paperless.revoke_tasks();
        assert_eq!(state(&paperless, &task), TaskState::Failed(TaskFailure::Revoked));
        assert_eq!(paperless.documents().len(), 0);
    }
}

#[test]
fn an_encrypted_pdf_is_stored_without_its_words() {
    let paperless = Paperless::start(Version::V3);
    let id = stored(&paperless, &paperless.client(), "locked", &pdf("/Encrypt hemoglobin"));
    assert_eq!(paperless.document(id.0).content, "");
}

#[test]
fn a_value_that_is_gone_is_named() {
    let paperless = Paperless::start(Version::V3);
    let client = paperless.client();
    let bytes = pdf("x");
    let base = Upload { file_name: "a.pdf", size: bytes.len() as u64, ..Upload::default() };
    let gone = [(999, json!("x"))];
    for (upload, field) in [
        (Upload { tags: &[999], ..base.clone() }, Field::Tags),
        (Upload { correspondent: Some(999), ..base.clone() }, Field::Correspondent),
        (Upload { document_type: Some(999), ..base.clone() }, Field::DocumentType),
        (Upload { custom_fields: &gone, ..base.clone() }, Field::CustomFields),
    ] {
        assert_eq!(client.upload(&upload, &mut bytes.as_slice()), Err(Fault::Field(field)));
    }
}

#[test]
fn an_uploader_without_the_right_to_see_tasks_is_told_which() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let client = paperless.client_of(paperless.user("uploader", &["add_document", "view_document"]));
        let bytes = png("x");
        let upload = Upload { file_name: "a.png", size: bytes.len() as u64, ..Upload::default() };
        let task = client.upload(&upload, &mut bytes.as_slice()).unwrap();
        assert_eq!(client.task(&task), Err(Fault::Right(Right::ViewTask)));
        let looker: Token = paperless.user("looker", &["view_document"]);
        let refused = paperless.client_of(looker).upload(&upload, &mut bytes.as_slice());
        assert_eq!(refused, Err(Fault::Right(Right::AddDocument)), "refused by a page of bare text");
    }
}

#[test]
fn a_file_too_large_for_a_proxy_is_told_before_it_is_sent_whole() {
    let paperless = Paperless::start(Version::V3);
    paperless.fault(Trouble::TooLarge);
    assert_eq!(send(&paperless, "a.pdf", &pdf("small")), Err(Fault::TooLarge));
    let mut file = Endless(0);
    let upload = Upload { file_name: "a.txt", size: 1 << 30, ..Upload::default() };
    assert_eq!(paperless.client().upload(&upload, &mut file), Err(Fault::TooLarge));
    assert!(file.0 < 64 * 1024 * 1024, "{} bytes were read", file.0);
}

/// As many bytes as anybody wants; counts what was taken.
struct Endless(u64);

impl Read for Endless {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        to.fill(b'x');
        self.0 += to.len() as u64;
        Ok(to.len())
    }
}

#[test]
fn an_answer_that_comes_early_is_heard_while_nobody_takes_the_file() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let proxy = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 512]).unwrap();
        stream.write_all(b"HTTP/1.1 413 Payload Too Large\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>").unwrap();
        stream
    });
    let token = Token::parse("0123456789").unwrap();
    let client = Client::new(&network(), Address::parse(&url).unwrap(), token).unwrap();
    let upload = Upload { file_name: "a.txt", size: 1 << 30, ..Upload::default() };
    let mut file = Endless(0);
    assert_eq!(client.upload(&upload, &mut file), Err(Fault::TooLarge));
    assert!(file.0 < 64 * 1024 * 1024, "{} bytes were read", file.0);
    drop(proxy.join().unwrap());
}

#[test]
fn a_large_file_streams() {
    let paperless = Paperless::start(Version::V2);
    let size = 24 * 1024 * 1024;
    let mut file = Endless(0);
    let upload = Upload { file_name: "a.txt", size, ..Upload::default() };
    let task = paperless.client().upload(&upload, &mut file).unwrap();
    paperless.finish();
    assert_eq!(state(&paperless, &task), TaskState::Done(DocumentId(1)));
    assert_eq!((paperless.document(1).bytes.len() as u64, file.0), (size, size));
}

#[test]
fn a_file_that_cannot_be_read_to_its_end_is_ours_to_mend() {
    let paperless = Paperless::start(Version::V3);
    let upload = Upload { file_name: "a.pdf", size: 1000, ..Upload::default() };
    let short = paperless.client().upload(&upload, &mut b"%PDF".as_slice());
    assert_eq!(short, Err(Fault::Here(io::ErrorKind::UnexpectedEof)));
    paperless.finish();
    assert_eq!(paperless.documents().len(), 0, "half a file is never stored");
}
