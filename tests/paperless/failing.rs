//! A server that fails in the middle: what is told then, and that nothing is lost or sent twice without a look.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
    time::Duration,
};

use kinchart::paperless::{Address, Checksums, Client, Decision, DocumentId, Fault, Network, TaskState, Token, Unreachable, Upload};

use super::{
    pdf,
    server::{Paperless, Trouble, Version, hasty},
    stored,
};

fn upload(client: &Client, bytes: &[u8]) -> Result<kinchart::paperless::TaskId, Fault> {
    client.upload(&Upload { file_name: "a.pdf", size: bytes.len() as u64, ..Upload::default() }, &mut &*bytes)
}

fn hasty_client(paperless: &Paperless) -> Client {
    Client::new(&Network::new(hasty()).unwrap(), paperless.address(), paperless.token()).unwrap()
}

#[test]
fn an_upload_that_was_saved_although_the_server_failed_is_found_by_its_checksum() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let client = paperless.client();
        let bytes = pdf("saved");
        paperless.fault(Trouble::FailsButSaves);
        let fault = upload(&client, &bytes).unwrap_err();
        assert_eq!((fault.decision(), fault.is_uncertain()), (Decision::Again, true));
        assert_eq!(client.find_by_checksum(&Checksums::of(&bytes)), Ok(vec![]), "not yet");
        paperless.well();
        paperless.finish();
        assert_eq!(client.find_by_checksum(&Checksums::of(&bytes)), Ok(vec![DocumentId(1)]));
    }
}

#[test]
fn an_upload_that_was_not_saved_is_sent_again() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let client = paperless.client();
        let bytes = pdf("not saved");
        for trouble in [Trouble::Fails, Trouble::QueueDown, Trouble::BadGateway, Trouble::Unavailable(5)] {
            paperless.fault(trouble.clone());
            assert!(upload(&client, &bytes).unwrap_err().is_temporary(), "{trouble:?}");
        }
        paperless.well();
        paperless.finish();
        assert_eq!(client.find_by_checksum(&Checksums::of(&bytes)), Ok(vec![]));
        stored(&paperless, &client, "now", &bytes);
        assert_eq!(paperless.documents().len(), 1);
    }
}

#[test]
fn a_task_of_a_lost_queue_stays_pending() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let client = paperless.client();
        let task = upload(&client, &pdf("lost")).unwrap();
        paperless.lose_queue();
        paperless.finish();
        assert_eq!(client.task(&task), Ok(TaskState::Waiting));
        assert_eq!(client.find_by_checksum(&Checksums::of(&pdf("lost"))), Ok(vec![]));
    }
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let id = stored(&paperless, &paperless.client(), "x", &pdf("x"));
        let client = hasty_client(&paperless);
        paperless.fault(Trouble::Slow);
        let too_long = Fault::Unreachable(Unreachable::Timeout);
        assert_eq!(client.probe().unwrap_err(), too_long);
        assert_eq!(client.task(&kinchart::paperless::TaskId("x".to_owned())), Err(too_long.clone()));
        assert_eq!(client.download_original(id, &mut Vec::new()), Err(too_long.clone()));
        let fault = upload(&client, &pdf("y")).unwrap_err();
        assert_eq!((&fault, fault.is_uncertain()), (&too_long, true));
    }
}

#[test]
fn an_answer_that_stops_in_its_midst_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n";
        stream.write_all(format!("{head}{{\"count\":").as_bytes()).unwrap();
        // Until the client has had enough; it is not to wait for this.
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let _ = stream.read(&mut [0; 1]);
    });
    let token = Token::parse("0123456789").unwrap();
    let client = Client::new(&Network::new(hasty()).unwrap(), Address::parse(&url).unwrap(), token).unwrap();
    assert_eq!(client.document(DocumentId(1)).unwrap_err(), Fault::Unreachable(Unreachable::Timeout));
    server.join().unwrap();
}

/// A gigabyte that nobody keeps; counts what was taken.
struct Endless(u64);

impl Read for Endless {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        to.fill(b'x');
        self.0 += to.len() as u64;
        Ok(to.len())
    }
}

#[test]
fn a_file_is_read_only_as_fast_as_it_is_taken() {
    let paperless = Paperless::start(Version::V3);
    paperless.fault(Trouble::Slow);
    let mut file = Endless(0);
    let upload = Upload { file_name: "a.txt", size: 1 << 30, ..Upload::default() };
    let fault = hasty_client(&paperless).upload(&upload, &mut file).unwrap_err();
    assert_eq!(fault, Fault::Unreachable(Unreachable::Timeout));
    assert!(file.0 < 64 * 1024 * 1024, "{} bytes were read for a server that takes none", file.0);
}

#[test]
fn a_server_that_is_down_and_up_again_goes_on() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let client = paperless.client();
        let id = stored(&paperless, &client, "x", &pdf("x"));
        paperless.down();
        let refused = Fault::Unreachable(Unreachable::Refused);
        assert_eq!(client.document(id).unwrap_err(), refused);
        let fault = upload(&client, &pdf("y")).unwrap_err();
        assert!(fault.is_temporary(), "{fault}");
        paperless.up();
        assert_eq!(client.document(id).unwrap().title, "x");
    }
}

#[test]
fn a_token_revoked_in_the_middle_stops_everything_until_there_is_a_new_one() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let client = paperless.client();
        let task = upload(&client, &pdf("x")).unwrap();
        let new = paperless.revoke_token();
        paperless.finish();
        assert_eq!(client.task(&task), Err(Fault::Token));
        assert_eq!(upload(&client, &pdf("y")), Err(Fault::Token));
        assert_eq!(Fault::Token.decision(), Decision::Connection);
        assert_eq!(paperless.client_of(new).task(&task), Ok(TaskState::Done(DocumentId(1))));
    }
}

#[test]
fn pages_and_half_answers_are_never_taken_for_answers() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let client = paperless.client();
        let id = stored(&paperless, &client, "x", &pdf("x"));
        for trouble in [Trouble::Page, Trouble::HalfAnswers, Trouble::BadGateway, Trouble::Throttled(3)] {
            paperless.fault(trouble.clone());
            assert!(client.document(id).is_err(), "{trouble:?}");
            assert!(client.documents(&[id]).is_err(), "{trouble:?}");
            assert!(client.is_in_trash(id).is_err(), "{trouble:?}");
            assert!(client.find_by_checksum(&Checksums::of(b"x")).is_err(), "{trouble:?}");
            assert!(client.search("x", 1).is_err(), "{trouble:?}");
            assert!(client.ensure_tag("x").is_err(), "{trouble:?}");
            assert!(client.set_title(id, "y").is_err(), "{trouble:?}");
        }
        paperless.well();
        assert_eq!(client.document(id).unwrap().title, "x");
    }
}

#[test]
fn no_fault_tells_a_token_a_title_or_a_trace() {
    const CANARY: &str = "zqxcanary";
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        paperless.deletes_duplicates();
        let client = paperless.client();
        let bytes = pdf(CANARY);
        let id = stored(&paperless, &client, CANARY, &bytes);
        let mut told: Vec<String> = Vec::new();
        let mut note = |fault: Fault| told.push(format!("{fault} {fault:?}"));
        let with_tag = Upload { file_name: CANARY, size: 3, title: CANARY, tags: &[999], ..Upload::default() };
        note(client.upload(&with_tag, &mut b"abc".as_slice()).unwrap_err());
        for trouble in [Trouble::Fails, Trouble::Page, Trouble::Redirects] {
            paperless.fault(trouble);
            note(client.set_title(id, &format!("{CANARY} again")).unwrap_err());
        }
        paperless.well();
        note(client.search(CANARY, 1).map(|hits| hits.total).map_or_else(|fault| fault, |_| Fault::NotFound));
        paperless.trash(id.0);
        note(client.document(id).unwrap_err());
        paperless.revoke_token();
        note(client.document(id).unwrap_err());
        told.push(format!("{client:?}"));
        let token = format!("{:040x}", 1);
        assert!(!told.iter().any(|text| text.contains(CANARY) || text.contains(&token) || text.contains("/usr/src")), "{told:?}");
    }
}
