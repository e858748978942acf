//! Letters read from pictures by `tesseract`, where it is installed. It gets what our own workshop drew and never a stranger's file, through a
//! pipe and not through a file of its own, which would lie unsealed on the disk.

use std::{
    io::{Read, Write},
    process::{Child, Command, Stdio},
    sync::{Mutex, OnceLock, PoisonError, mpsc},
    time::Duration,
};

/// The languages that are used where they are installed and none are named: each takes its time for every page.
const USUAL: &[&str] = &["eng", "deu", "fra", "spa", "ita", "nld", "por", "pol"];
/// For one page.
const PATIENCE: Duration = Duration::from_mins(2);
/// For its list of languages.
const GREETING: Duration = Duration::from_secs(10);
const MOST_TEXT: u64 = 4_000_000;

/// The program and its languages, asked for once.
#[derive(Debug)]
pub struct Tesseract {
    program: String,
    wanted: Option<String>,
    languages: OnceLock<Option<String>>,
}

impl Tesseract {
    /// So many pages of one document are read from their pictures.
    pub const MOST_PAGES: usize = 300;

    pub fn new(program: &str, languages: Option<&str>) -> Self {
        Self { program: program.to_owned(), wanted: languages.map(str::to_owned), languages: OnceLock::new() }
    }

    pub fn is_there(&self) -> bool {
        self.languages().is_some()
    }

    /// As it is told them: `eng+deu`. None: it is not installed, or has none that is wanted.
    pub fn languages(&self) -> Option<&str> {
        self.languages.get_or_init(|| self.ask()).as_deref()
    }

    fn ask(&self) -> Option<String> {
        let told = self.run(&["--list-langs"], b"", GREETING)?;
        // A heading, then a language a line.
        let installed: Vec<&str> = told.lines().map(str::trim).filter(|line| !line.is_empty() && !line.contains(' ')).collect();
        let wanted: Vec<&str> = self.wanted.as_deref().map_or_else(|| USUAL.to_vec(), |wanted| wanted.split('+').collect());
        let both: Vec<&str> = wanted.into_iter().filter(|language| installed.contains(language)).collect();
        (!both.is_empty()).then(|| both.join("+"))
    }

    /// The letters of a picture; none if it fails or takes too long.
    pub fn read(&self, jpeg: &[u8]) -> Option<String> {
        self.run(&["stdin", "stdout", "-l", self.languages()?], jpeg, PATIENCE)
    }

    fn run(&self, arguments: &[&str], input: &[u8], patience: Duration) -> Option<String> {
        let started = Command::new(&self.program)
            .args(arguments)
            .env_clear()
            // Where it and its languages are, and one processor for it.
            .envs(std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "TESSDATA_PREFIX"))
            .env("OMP_THREAD_LIMIT", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = started.ok()?;
        let (mut stdin, stdout) = (child.stdin.take()?, child.stdout.take()?);
        let child = Mutex::new(child);
        let (done, watched) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            // One that does not read to the end has its reasons; what it says counts.
            scope.spawn(move || drop(stdin.write_all(input)));
            let watched_child = &child;
            scope.spawn(move || {
                if watched.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout) {
                    drop(lock(watched_child).kill());
                }
            });
            let mut told = Vec::new();
            let read = stdout.take(MOST_TEXT).read_to_end(&mut told);
            drop(done);
            if told.len() as u64 == MOST_TEXT {
                drop(lock(&child).kill());
            }
            let ended = lock(&child).wait();
            let well = read.is_ok() && ended.is_ok_and(|status| status.success());
            well.then(|| String::from_utf8_lossy(&told).into_owned())
        })
    }
}

fn lock(child: &Mutex<Child>) -> std::sync::MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}
