//! Where papers of strangers are opened: a child process of our own program, which has nothing but the bytes and may use little memory and
//! little time. Whatever a PDF or a picture does to its reader, it does there.
//!
//! The child gets an [`Order`] and the bytes, and answers with [`Note`]s, one frame each; a note about something drawn has a JPEG with it.
//! What it told before it broke down counts.

pub mod child;
mod frames;
mod pdf;
mod picture;
mod script;
mod tiff;

use std::{
    io::{self, Read, Write},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex, PoisonError, mpsc},
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// How many children work at once; who comes then waits. Each may use [`child::MEMORY`].
const BENCHES: usize = 2;
/// The largest file that is opened, in bytes: the child holds it in memory.
pub const LARGEST: u64 = 200_000_000;
/// The longest side of a page's picture and of the small one in lists, in pixels.
pub const PAGE: u32 = 1400;
pub const SMALL: u32 = 240;
/// The side of a photograph, and of its small one.
pub const PHOTO: u32 = 1000;
pub const FACE: u32 = 160;

/// What is to be done with the bytes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum Order {
    /// The text of every page of a PDF, and a picture of the first ones.
    Pdf { draw: usize },
    /// One page of it, from 1, as large as a reader of letters wants it.
    PdfScan { page: usize },
    /// A picture as a page; of a TIFF, which may be a fax of several, the first ones.
    Picture { draw: usize },
    /// One page of it, from 1, as large as a reader of letters wants it.
    PictureScan { page: usize },
    /// A square of it, turned upright, with nothing of what the camera wrote into it.
    Photo { frame: Frame },
}

impl Order {
    /// How long it may take.
    fn limit(&self) -> Duration {
        Duration::from_secs(match self {
            Self::Pdf { .. } | Self::Picture { .. } => 60,
            Self::PdfScan { .. } | Self::PictureScan { .. } => 30,
            Self::Photo { .. } => 15,
        })
    }
}

/// Which square of a picture, in parts of a hundred: its side of the shorter side, and where it lies in the room that is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    pub x: u32,
    pub y: u32,
    pub size: u32,
}

impl Frame {
    /// The largest square, in the middle.
    pub const MIDDLE: Self = Self { x: 50, y: 50, size: 100 };
}

/// What the child tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "snake_case")]
pub enum Note {
    Pages {
        count: usize,
    },
    /// The letters of a page, line by line. `scan`: it has next to none and shows something all the same.
    Text {
        page: usize,
        text: String,
        scan: bool,
    },
    /// A picture of a page, from 1; 0 is the small one of the first.
    Drawn {
        page: usize,
        width: u32,
        height: u32,
    },
    Refused {
        why: Refusal,
    },
    /// It came to its end.
    Done,
}

/// Why nothing can be made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// It asks for a password.
    Protected,
    Damaged,
    /// More pixels or bytes than a small machine has memory for.
    TooLarge,
}

/// A note, and the JPEG that belongs to it.
pub type Piece = (Note, Vec<u8>);

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Done,
    Refused(Refusal),
    /// It took too long, wanted too much memory, or fell over.
    Broken,
}

/// What came of an order.
#[derive(Debug)]
pub struct Work {
    pub pieces: Vec<Piece>,
    pub end: End,
}

/// Starts the children.
#[derive(Clone)]
pub struct Workshop {
    program: PathBuf,
    /// Shorter than an order's own.
    patience: Duration,
    benches: Arc<(Mutex<usize>, Condvar)>,
}

impl Workshop {
    /// With this program, which is Kinchart.
    pub fn of(program: PathBuf) -> Self {
        Self { program, patience: Duration::MAX, benches: Arc::new((Mutex::new(BENCHES), Condvar::new())) }
    }

    /// With the running program itself, even if another has been put in its place since.
    pub fn own() -> io::Result<Self> {
        let program = if cfg!(target_os = "linux") { PathBuf::from("/proc/self/exe") } else { std::env::current_exe()? };
        Ok(Self::of(program))
    }

    /// One that waits no longer than this for anything.
    pub fn hurried(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Has it done, and waits. An error is of our own making: no child could be started.
    pub fn run(&self, order: &Order, bytes: impl Read + Send) -> io::Result<Work> {
        let _bench = self.bench();
        let mut child = self.start()?;
        let (Some(stdin), Some(mut stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("a child without pipes"));
        };
        let (done, watched) = mpsc::channel::<()>();
        let child = Mutex::new(child);
        let limit = order.limit().min(self.patience);
        let pieces = std::thread::scope(|scope| {
            scope.spawn(|| give(stdin, order, bytes));
            let child = &child;
            scope.spawn(move || {
                // Answered by the end of `done`, or by nothing in time.
                if watched.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
                    stop(child);
                }
            });
            let pieces = frames::read_all(&mut stdout);
            // Whatever it still does, its answer is over; this also ends the thread that feeds it.
            drop((done, stdout));
            stop(child);
            pieces
        });
        Ok(Work { end: end_of(&pieces), pieces })
    }

    fn start(&self) -> io::Result<Child> {
        // Nothing of ours goes along: no settings, no folder, no log that a name or a word could get into.
        Command::new(&self.program)
            .arg(child::NAME)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
    }

    fn bench(&self) -> Bench<'_> {
        let (free, freed) = &*self.benches;
        let waiting = free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = freed.wait_while(waiting, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Bench(self)
    }
}

/// A place to work at, free again when dropped.
struct Bench<'a>(&'a Workshop);

impl Drop for Bench<'_> {
    fn drop(&mut self) {
        let (free, freed) = &*self.0.benches;
        *free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        freed.notify_one();
    }
}

/// A child that broke down reads no further, and that is told by what it did not answer.
fn give(mut stdin: impl Write, order: &Order, mut bytes: impl Read) {
    let told = frames::write_order(&mut stdin, order).and_then(|()| io::copy(&mut bytes, &mut stdin).map(drop));
    drop(told.and_then(|()| stdin.flush()));
}

fn stop(child: &Mutex<Child>) {
    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
    // One that has ended already cannot be killed.
    drop(child.kill());
    drop(child.wait());
}

fn end_of(pieces: &[Piece]) -> End {
    match pieces.last() {
        Some((Note::Done, _)) => End::Done,
        Some((Note::Refused { why }, _)) => End::Refused(*why),
        _ => End::Broken,
    }
}
