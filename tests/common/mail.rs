//! A mail server on loopback that takes every letter, or refuses what a test wants refused.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use kinchart::config::{Config, Password, SmtpSecurity};

/// What it does not take.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Refuses {
    Nothing,
    /// The account, whatever its password is.
    Account,
    /// Every receiver.
    Receiver,
}

/// It goes with the test's process.
#[derive(Clone)]
pub struct MailServer {
    port: u16,
    letters: Arc<Mutex<Vec<String>>>,
}

impl MailServer {
    pub fn new() -> Self {
        Self::that_refuses(Refuses::Nothing)
    }

    pub fn that_refuses(what: Refuses) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { port: listener.local_addr().unwrap().port(), letters: Arc::default() };
        let letters = Arc::clone(&server.letters);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let letters = Arc::clone(&letters);
                std::thread::spawn(move || drop(talk(stream, what, &letters)));
            }
        });
        server
    }

    pub fn set(&self, config: &mut Config) {
        config.smtp.host = Some("127.0.0.1".into());
        config.smtp.port = Some(self.port);
        config.smtp.security = SmtpSecurity::None;
    }

    pub fn set_with_account(&self, config: &mut Config) {
        self.set(config);
        config.smtp.username = Some("kinchart".into());
        config.smtp.password = Some(Password("secret".into()));
    }

    /// What came, heads and all.
    pub fn letters(&self) -> Vec<String> {
        self.letters.lock().unwrap().clone()
    }

    /// The newest letter to this address.
    #[track_caller]
    pub fn to(&self, address: &str) -> String {
        let all = self.letters();
        all.iter().rev().find(|letter| letter.contains(&format!("To: {address}"))).unwrap_or_else(|| panic!("nothing to {address}")).clone()
    }

    pub fn count_to(&self, address: &str) -> usize {
        self.letters().iter().filter(|letter| letter.contains(&format!("To: {address}"))).count()
    }
}

/// The path of the first link in a letter that begins so.
#[track_caller]
pub fn link(letter: &str, begin: &str) -> String {
    let from = letter.find(&format!("http://localhost:8080{begin}")).unwrap_or_else(|| panic!("no link to {begin}: {letter}"));
    let rest = &letter[from + "http://localhost:8080".len()..];
    rest.chars().take_while(|c| !c.is_whitespace()).collect()
}

fn talk(stream: TcpStream, refuses: Refuses, letters: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut out = stream;
    out.write_all(b"220 here\r\n")?;
    let mut line = String::new();
    while {
        line.clear();
        reader.read_line(&mut line)? > 0
    } {
        let answer: &[u8] = match line.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
            "EHLO" => b"250-here\r\n250 AUTH PLAIN\r\n",
            "AUTH" if refuses == Refuses::Account => b"535 no\r\n",
            "AUTH" => b"235 welcome\r\n",
            "RCPT" if refuses == Refuses::Receiver => b"550 nobody here\r\n",
            "QUIT" => return out.write_all(b"221 bye\r\n"),
            "DATA" => {
                out.write_all(b"354 go on\r\n")?;
                let mut letter = String::new();
                while {
                    line.clear();
                    reader.read_line(&mut line)? > 0 && line != ".\r\n"
                } {
                    letter.push_str(&line);
                }
                letters.lock().unwrap().push(letter.replace("=\r\n", ""));
                b"250 taken\r\n"
            }
            _ => b"250 yes\r\n",
        };
        out.write_all(answer)?;
    }
    Ok(())
}
