//! Signing in and the test of a connection: what is wrong is named exactly.

use std::{
    io::{Read, Write},
    net::{IpAddr, TcpListener},
    sync::Arc,
    thread,
    time::Duration,
};

use kinchart::{
    config::{Config, PrivateNetworks},
    paperless::{Address, Client, Fault, Instead, Names, Network, Options, Right, Token, Unreachable},
};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use super::server::{Paperless, Trouble, Version, network, options};

const SOME_TOKEN: &str = "0123456789012345678901234567890123456789";

fn client_at(network: &Network, url: &str) -> Result<Client, Fault> {
    Client::new(network, Address::parse(url).unwrap(), Token::parse(SOME_TOKEN).unwrap())
}

fn sign_in(paperless: &Paperless, password: &str, code: Option<&str>) -> Result<Token, Fault> {
    Client::sign_in(&network(), &paperless.address(), "admin", password, code)
}

#[test]
fn a_good_connection_tells_version_account_and_rights() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let server = paperless.client().probe().unwrap();
        assert_eq!(server.version.unwrap().as_str(), version.text());
        assert_eq!(server.api, Some(version.interface().1));
        assert_eq!(server.user.as_deref(), Some("admin"));
        assert_eq!((server.rights, server.missing), (Right::NEEDED.to_vec(), vec![]));
        let asked_in_9 = paperless.seen().iter().all(|seen| seen.accept == "application/json; version=9");
        assert!(asked_in_9, "{:?}", paperless.seen());
    }
}

#[test]
fn it_works_below_a_path_of_a_reverse_proxy() {
    let paperless = Paperless::start_below(Version::V3, "/docs");
    assert!(paperless.client().probe().is_ok());
    let above = paperless.url().replace("/docs/", "/");
    let elsewhere = client_at(&network(), &above).unwrap().probe();
    assert_eq!(elsewhere, Err(Fault::NotPaperless(Instead::NoSuchPath)));
}

#[test]
fn missing_rights_are_named_one_by_one() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let token = paperless.user("uploader", &["view_document", "add_document", "view_uisettings"]);
        let server = paperless.client_of(token).probe().unwrap();
        assert_eq!(server.user.as_deref(), Some("uploader"));
        assert_eq!(server.rights, [Right::ViewDocument, Right::AddDocument]);
        assert_eq!(server.missing.len(), Right::NEEDED.len() - 2);
        assert!(server.missing.contains(&Right::ViewTask));
    }
}

#[test]
fn where_the_settings_are_not_told_every_right_is_tried() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let none = paperless.client_of(paperless.user("noperm", &[])).probe().unwrap();
        assert_eq!((none.rights, none.missing), (vec![], Right::NEEDED.to_vec()));
        assert_eq!(none.version.unwrap().as_str(), version.text(), "told with the refusal");
        for missing in Right::NEEDED {
            let held: Vec<&str> = Right::NEEDED.iter().filter(|right| **right != missing).map(|right| right.name()).collect();
            let token = paperless.user(missing.name(), &held);
            let server = paperless.client_of(token).probe().unwrap();
            assert_eq!(server.missing, [missing], "{version:?}");
        }
        let names: usize = ["tags", "correspondents", "document_types"].iter().map(|kind| paperless.names(kind).len()).sum();
        assert_eq!((names, paperless.documents().len()), (0, 0), "trying makes nothing");
    }
}

#[test]
fn a_refused_token_is_told() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        let client = paperless.client();
        let new = paperless.revoke_token();
        assert_eq!(client.probe(), Err(Fault::Token));
        assert!(paperless.client_of(new).probe().is_ok());
    }
}

#[test]
fn what_is_no_paperless_is_told() {
    let paperless = Paperless::start(Version::V3);
    for (trouble, fault) in [
        (Trouble::Page, Fault::NotPaperless(Instead::Page)),
        (Trouble::Redirects, Fault::NotPaperless(Instead::Redirect)),
        (Trouble::BadGateway, Fault::Server { status: 502, after: None }),
        (Trouble::Unavailable(30), Fault::Server { status: 503, after: Some(Duration::from_secs(30)) }),
        (Trouble::Throttled(57), Fault::Throttled(Some(Duration::from_secs(57)))),
        (Trouble::HalfAnswers, Fault::NotUnderstood),
    ] {
        paperless.fault(trouble.clone());
        assert_eq!(paperless.client().probe(), Err(fault), "{trouble:?}");
    }
    paperless.well();
    let below = client_at(&network(), &format!("{}somewhere", paperless.url())).unwrap();
    assert_eq!(below.probe(), Err(Fault::NotPaperless(Instead::Redirect)), "an unknown path leads to a login");
}

#[test]
fn versions_that_speak_no_9_are_told_with_their_version() {
    let paperless = Paperless::start(Version::V2);
    for (trouble, version) in [(Trouble::TooOld, "2.12.1"), (Trouble::TooNew, "4.0.0")] {
        paperless.fault(trouble);
        let Err(Fault::Version(Some(told))) = paperless.client().probe() else { panic!("{version}") };
        assert_eq!(told.as_str(), version);
    }
}

#[test]
fn without_the_headers_the_version_comes_from_the_settings() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        paperless.fault(Trouble::NoHeaders);
        let server = paperless.client().probe().unwrap();
        assert_eq!((server.version.unwrap().as_str(), server.api), (version.text(), None));
    }
}

#[test]
fn a_redirect_is_never_followed_with_the_token() {
    let paperless = Paperless::start(Version::V2);
    paperless.fault(Trouble::Redirects);
    let client = paperless.client();
    let moved = Fault::NotPaperless(Instead::Redirect);
    assert_eq!(client.probe(), Err(moved.clone()));
    assert_eq!(sign_in(&paperless, "admin-Pw-1", None), Err(moved.clone()));
    assert_eq!(client.ensure_tag("x"), Err(moved.clone()));
    assert_eq!(client.download_original(kinchart::paperless::DocumentId(1), &mut Vec::new()), Err(moved));
    assert_eq!(paperless.sent_elsewhere(), (vec![], 0), "the other host was never asked");
}

#[test]
fn a_password_is_exchanged_for_a_token() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        assert_eq!(sign_in(&paperless, "admin-Pw-1", None), Ok(paperless.token()));
        assert_eq!(sign_in(&paperless, "nope", None), Err(Fault::SignIn));
        let seen = paperless.seen();
        assert!(seen.iter().all(|seen| !seen.has_token && seen.query.is_empty()), "the password is in the body only: {seen:?}");
    }
}

#[test]
fn a_second_factor_is_asked_for() {
    for version in Version::BOTH {
        let paperless = Paperless::start(version);
        paperless.second_factor("123456");
        assert_eq!(sign_in(&paperless, "admin-Pw-1", None), Err(Fault::CodeWanted));
        assert_eq!(sign_in(&paperless, "admin-Pw-1", Some("000000")), Err(Fault::CodeRefused));
        assert_eq!(sign_in(&paperless, "admin-Pw-1", Some("123456")), Ok(paperless.token()));
    }
}

#[test]
fn version_3_takes_five_attempts_a_minute() {
    let paperless = Paperless::start(Version::V3);
    let attempts: Vec<_> = (0..6).map(|_| sign_in(&paperless, "nope", None).unwrap_err()).collect();
    assert_eq!(attempts[4], Fault::SignIn);
    assert_eq!(attempts[5].retry_after(), Some(Duration::from_secs(57)));
    paperless.forget_throttle();
    assert!(sign_in(&paperless, "admin-Pw-1", None).is_ok());
    let paperless = Paperless::start(Version::V2);
    assert!((0..9).all(|_| sign_in(&paperless, "nope", None) == Err(Fault::SignIn)), "2.20 counts nothing");
}

#[test]
fn private_networks_are_refused_by_setting() {
    let paperless = Paperless::start(Version::V3);
    let refusing = Network::new(Options { private_networks: PrivateNetworks::Refuse, ..options() }).unwrap();
    assert_eq!(client_at(&refusing, &paperless.url()).unwrap_err(), Fault::RefusedNetwork, "given as an address");
    let by_name = paperless.url().replace("127.0.0.1", "localhost");
    assert_eq!(client_at(&refusing, &by_name).unwrap().probe(), Err(Fault::RefusedNetwork), "behind a name");
    let sign_in = Client::sign_in(&refusing, &Address::parse(&by_name).unwrap(), "admin", "admin-Pw-1", None);
    assert_eq!(sign_in, Err(Fault::RefusedNetwork));
    assert_eq!(paperless.seen(), [], "it was never asked");
    assert_eq!(client_at(&network(), "http://169.254.169.254/").unwrap_err(), Fault::NeverNetwork);
}

#[test]
fn what_serves_this_machine_alone_is_never_asked() {
    for address in [
        "169.254.169.254",
        "169.254.0.1",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "100.100.100.200",
        "168.63.129.16",
        "0",
    ] {
        assert_eq!(client_at(&network(), &format!("http://{address}/")).unwrap_err(), Fault::NeverNetwork, "{address}");
    }
}

#[test]
fn a_name_is_tried_at_its_allowed_addresses_only() {
    let paperless = Paperless::start(Version::V3);
    let named = paperless.url().replace("127.0.0.1", "paperless.example");
    let network = |addresses: &[&str]| {
        let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Network::new(Options { names: Names::Always(addresses), ..options() }).unwrap()
    };
    let with_token = |network: &Network| Client::new(network, Address::parse(&named).unwrap(), paperless.token()).unwrap().probe();
    assert!(with_token(&network(&["169.254.169.254", "::ffff:169.254.0.1", "127.0.0.1"])).is_ok());
    for refused in [&["169.254.169.254"][..], &["::ffff:169.254.169.254", "0.0.0.0"], &["fe80::1"], &["224.0.0.1"], &["fd00:ec2::254"]] {
        assert_eq!(with_token(&network(refused)), Err(Fault::NeverNetwork), "{refused:?}");
    }
}

#[test]
fn what_cannot_be_reached_says_why() {
    let paperless = Paperless::start(Version::V3);
    paperless.down();
    assert_eq!(paperless.client().probe(), Err(Fault::Unreachable(Unreachable::Refused)));
    paperless.up();
    assert!(paperless.client().probe().is_ok());
    let unknown = client_at(&network(), "http://no-such-host.invalid/").unwrap();
    assert_eq!(unknown.probe(), Err(Fault::Unreachable(Unreachable::Name)));
    let no_tls = client_at(&network(), &paperless.url().replace("http://", "https://")).unwrap();
    assert_eq!(no_tls.probe(), Err(Fault::Unreachable(Unreachable::NoTls)));
}

/// A server with a certificate of the tests' own authority, for `localhost`, that answers every request with 401.
fn secure_server() -> u16 {
    let file = |name: &str| std::fs::read(format!("{}/tests/data/tls/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let chain = vec![CertificateDer::from_pem_slice(&file("server.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(&file("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            // A client that does not believe the certificate ends here.
            if stream.read(&mut [0; 4096]).is_ok() {
                let body = r#"{"detail":"Invalid token."}"#;
                let head = format!("HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\ncontent-length: {}\r\n", body.len());
                let _ = write!(stream, "{head}connection: close\r\n\r\n{body}");
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    port
}

#[test]
fn certificates_are_verified_and_an_own_authority_is_believed_by_setting() {
    let port = secure_server();
    let by_name = format!("https://localhost:{port}/");
    let not_secure = Err(Fault::Unreachable(Unreachable::Tls));
    assert_eq!(client_at(&network(), &by_name).unwrap().probe(), not_secure, "an authority that nobody knows");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tls/authority.pem");
    let config = Config::from_vars([("KINCHART_CA_FILE".to_owned(), file.to_owned())]).unwrap();
    let believing = Network::new(Options { names: Names::Always(vec![[127, 0, 0, 1].into()]), ..Options::new(&config) }).unwrap();
    assert_eq!(client_at(&believing, &by_name).unwrap().probe(), Err(Fault::Token), "the connection stands");
    let other_name = by_name.replace("localhost", "paperless.example");
    assert_eq!(client_at(&believing, &other_name).unwrap().probe(), not_secure, "a certificate for another name");
}

#[actix_web::test]
async fn it_may_be_called_where_a_runtime_runs() {
    let paperless = Paperless::start(Version::V3);
    assert!(paperless.client().probe().is_ok());
}
