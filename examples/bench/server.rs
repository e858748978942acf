//! The release program as a child process on a port of its own.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    load::{self, Client, Speed, get},
    seed,
};

/// The binary beside this one's folder.
pub fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let path = own.parent().and_then(Path::parent).context("a folder")?.join("kinchart");
    if path.exists() { Ok(path) } else { bail!("{} is not built", path.display()) }
}

/// A command of the program on this data.
pub fn command(folder: &Path) -> Result<Command> {
    let mut command = Command::new(binary()?);
    command.env_clear().env("KINCHART_DATA", folder).env("KINCHART_UPLOADS", folder.join("uploads")).env("KINCHART_LOG", "warn");
    Ok(command)
}

pub struct Server {
    child: Child,
    pub address: SocketAddr,
    /// From the start of the process to the first good answer of `/healthz`.
    pub ready: Duration,
}

impl Server {
    pub fn start(folder: &Path) -> Result<Self> {
        Self::start_with(folder, &[])
    }

    pub fn start_with(folder: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let begun = Instant::now();
        let mut serve = command(folder)?;
        serve.arg("serve").env("KINCHART_LISTEN", address.to_string()).envs(settings.iter().copied()).stdout(Stdio::null());
        let child = serve.spawn()?;
        let mut server = Self { child, address, ready: Duration::ZERO };
        while !server.is_well() {
            if begun.elapsed() > Duration::from_secs(20) || server.child.try_wait()?.is_some() {
                bail!("the server does not answer");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        server.ready = begun.elapsed();
        Ok(server)
    }

    fn is_well(&self) -> bool {
        Client::connect(self.address)
            .and_then(|mut client| client.send(&get("/healthz", None, false)))
            .is_ok_and(|answer| answer.status == 200)
    }

    /// Signs in as the measured account; the cookie to send from now on.
    pub fn sign_in(&self) -> Result<String> {
        let body = serde_urlencoded::to_string([("username", seed::USER), ("password", seed::PASSWORD)])?;
        let request = format!(
            "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = Client::connect(self.address)?.send(request.as_bytes())?;
        let cookie = answer
            .header("set-cookie")
            .and_then(|value| value.split(';').next())
            .with_context(|| format!("no session: {}", answer.status))?;
        Ok(cookie.to_owned())
    }

    /// Sends so many of one request.
    pub fn load(&self, request: &[u8], count: usize) -> Result<Speed> {
        load::run(self.address, || self.processor(), request, count)
    }

    /// Processor time since the start, in the hundredths of a second that Linux counts.
    fn processor(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<i64> =
            stat.rsplit(')').next().unwrap_or_default().split_whitespace().filter_map(|word| word.parse().ok()).collect();
        // The state, a letter, is left out: user and system time are the eleventh and twelfth number.
        Ok(Duration::from_millis(fields.iter().skip(10).take(2).map(|ticks| ticks.unsigned_abs()).sum::<u64>() * 10))
    }

    /// Resident memory in bytes, now.
    pub fn resident(&self) -> Result<u64> {
        self.memory("VmRSS:")
    }

    /// The most of it since the start, or since it was forgotten.
    pub fn peak(&self) -> Result<u64> {
        self.memory("VmHWM:")
    }

    pub fn forget_peak(&self) -> Result<()> {
        // 5 sets the peak to what it is now (proc(5)).
        Ok(fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5")?)
    }

    fn memory(&self, what: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(what)).context("no such line in the status")?;
        Ok(line.split_whitespace().next().context("a number")?.parse::<u64>()? * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
