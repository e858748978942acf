//! A small load generator: eight connections that are kept, a thread each, and the time of every request.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

const CONNECTIONS: usize = 8;
/// Long enough that a slower moment of the machine evens out.
const LONGEST: Duration = Duration::from_secs(5);

/// One kept connection.
pub struct Client {
    stream: BufReader<TcpStream>,
}

/// An answer: its status, its head as text, its body as sent, and all of its bytes counted.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
    pub bytes: usize,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().filter_map(|line| line.split_once(':')).find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

impl Client {
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self { stream: BufReader::with_capacity(64 * 1024, stream) })
    }

    pub fn send(&mut self, request: &[u8]) -> Result<Answer> {
        self.stream.get_mut().write_all(request)?;
        let mut head = String::new();
        loop {
            let from = head.len();
            if self.stream.read_line(&mut head)? == 0 {
                bail!("the server hung up");
            }
            if head.len() - from <= 2 {
                break;
            }
        }
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).context("no status")?;
        let mut answer = Answer { status, bytes: head.len(), head, body: Vec::new() };
        if answer.header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
            while self.chunk(&mut answer)? {}
        } else if let Some(length) = answer.header("content-length").and_then(|v| v.parse().ok()) {
            answer.body.resize(length, 0);
            self.stream.read_exact(&mut answer.body)?;
            answer.bytes += length;
        }
        Ok(answer)
    }

    fn chunk(&mut self, answer: &mut Answer) -> Result<bool> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let size = usize::from_str_radix(line.trim(), 16).context("a chunk's size")?;
        let from = answer.body.len();
        answer.body.resize(from + size + 2, 0);
        self.stream.read_exact(answer.body.get_mut(from..).unwrap_or_default())?;
        answer.body.truncate(from + size);
        answer.bytes += line.len() + size + 2;
        Ok(size > 0)
    }
}

/// A GET as a browser sends it.
pub fn get(path: &str, cookie: Option<&str>, gzip: bool) -> Vec<u8> {
    let cookie = cookie.map_or_else(String::new, |cookie| format!("Cookie: {cookie}\r\n"));
    let accept = if gzip { "Accept-Encoding: gzip\r\n" } else { "" };
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{accept}{cookie}\r\n").into_bytes()
}

/// What a run of requests showed.
#[derive(Clone, Copy, Debug)]
pub struct Speed {
    pub per_second: f64,
    pub median: Duration,
    pub p99: Duration,
    /// Processor time of the server for one request: what a busy machine changes least.
    pub processor: Duration,
}

/// Sends so many of one request over all connections, or as many as five seconds allow.
pub fn run(address: SocketAddr, processor: impl Fn() -> Result<Duration>, request: &[u8], count: usize) -> Result<Speed> {
    let (sent, late) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (begun, used) = (Instant::now(), processor()?);
    let one = || -> Result<Vec<Duration>> {
        let mut client = Client::connect(address)?;
        let mut times = Vec::new();
        while sent.fetch_add(1, Ordering::Relaxed) < count && !late.load(Ordering::Relaxed) {
            let from = Instant::now();
            let answer = client.send(request)?;
            times.push(from.elapsed());
            if answer.status != 200 {
                bail!("status {} for {}", answer.status, String::from_utf8_lossy(request).lines().next().unwrap_or_default());
            }
            if begun.elapsed() > LONGEST {
                late.store(true, Ordering::Relaxed);
            }
        }
        Ok(times)
    };
    let all: Vec<Result<Vec<Duration>>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| bail!("a thread of the load ended"))).collect()
    });
    let (took, used) = (begun.elapsed(), processor()?.saturating_sub(used));
    let mut times: Vec<Duration> = all.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    let per_second = times.len() as f64 / took.as_secs_f64();
    let processor = used / u32::try_from(times.len().max(1))?;
    Ok(Speed { per_second, median: at(50), p99: at(99), processor })
}
