//! The built binary as a process of its own, in a folder of its own.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use super::TestDatabase;

/// An installation: a database, a data folder, and the settings that name them.
pub struct Installation {
    pub database: TestDatabase,
}

impl Installation {
    pub fn new(database: TestDatabase) -> Self {
        Self { database }
    }

    pub fn data(&self) -> PathBuf {
        self.database.folder().join("data")
    }

    /// The program with these arguments, none of the machine's settings, and its output kept.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kinchart"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("KINCHART_") {
                command.env_remove(name);
            }
        }
        command.env("KINCHART_DATA", self.data()).env("KINCHART_UPLOADS", self.database.folder().join("uploads"));
        if super::on_postgres() {
            command.env("KINCHART_DATABASE_URL", self.database.url());
        }
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What it printed; it must have done its work.
    #[track_caller]
    pub fn done(&self, arguments: &[&str]) -> String {
        told(self.run(arguments))
    }

    /// The same with a line of input.
    #[track_caller]
    pub fn done_with(&self, arguments: &[&str], line: &str) -> String {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "{line}").unwrap();
        told(child.wait_with_output().unwrap())
    }

    /// A server that answers.
    pub fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    /// The same with these settings.
    pub fn serve_with(&self, settings: &[(&str, &str)]) -> Server {
        let mut command = self.command(&["serve"]);
        command.envs(settings.iter().copied());
        answering(command)
    }

    /// The same as the last argument of another program, which becomes it.
    pub fn serve_by(&self, program: &str, arguments: &[&str]) -> Server {
        let own = self.command(&["serve"]);
        let mut command = Command::new(program);
        command.args(arguments).arg(own.get_program()).args(own.get_args()).stdin(Stdio::null());
        for (name, value) in own.get_envs() {
            if let Some(value) = value {
                command.env(name, value)
            } else {
                command.env_remove(name)
            };
        }
        answering(command)
    }
}

fn answering(mut command: Command) -> Server {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    command.env("KINCHART_LISTEN", address.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
    let server = Server { child: command.spawn().unwrap(), address };
    let started = Instant::now();
    while server.ask("GET", "/healthz", &[], "").is_none_or(|(status, _)| status != 200) {
        assert!(started.elapsed() < Duration::from_mins(1), "the server does not answer");
        std::thread::sleep(Duration::from_millis(20));
    }
    server
}

#[track_caller]
pub fn told(output: Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{:?}: {error}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Ended when dropped, without a word of warning.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    pub fn kill(&mut self) {
        // One that is gone already is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The exit code of a server that ended by itself.
    pub fn ended_within(&mut self, limit: Duration) -> Option<i32> {
        let began = Instant::now();
        while began.elapsed() < limit {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        None
    }

    /// One request on a connection of its own; nothing if the answer did not come whole.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Option<(u16, String)> {
        ask(self.address, method, path, headers, body)
    }
}

pub fn ask(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Option<(u16, String)> {
    let (head, body) = whole(address, method, path, headers, body)?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body))
}

/// The lines before the body.
pub fn head(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Option<String> {
    whole(address, method, path, headers, body).map(|(head, _)| head)
}

fn whole(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Option<(String, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let headers = headers.concat();
    let length = body.len();
    write!(stream, "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}")
        .ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.to_owned(), body.to_owned()))
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
