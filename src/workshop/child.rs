//! The child's side: what it may use, what it reads, what it answers.

use std::io::{self, Read, Write};

use super::{LARGEST, Note, Order, Refusal, frames, pdf, picture};

/// What the command line calls it; not for people.
pub const NAME: &str = "workshop";
/// All the memory it may ask for, the program itself among it.
pub const MEMORY: u64 = 1 << 30;
/// Seconds of the processor; the parent's patience ends before.
#[cfg(unix)]
const PROCESSOR: u64 = 90;

/// Reads an order and its bytes, does it, and says when it is done.
pub fn work(mut from: impl Read, mut to: impl Write) -> io::Result<()> {
    confine()?;
    let order = frames::read_order(&mut from)?;
    let mut bytes = Vec::new();
    from.take(LARGEST + 1).read_to_end(&mut bytes)?;
    let mut tell = |note: &Note, picture: &[u8]| frames::write_note(&mut to, note, picture);
    let done = if bytes.len() as u64 > LARGEST { Ok(Err(Refusal::TooLarge)) } else { carry_out(&order, bytes, &mut tell).transpose() };
    match done? {
        Ok(()) => tell(&Note::Done, b""),
        Err(why) => tell(&Note::Refused { why }, b""),
    }
}

/// How a finding is told as soon as it is there.
pub type Tell<'a> = &'a mut dyn FnMut(&Note, &[u8]) -> io::Result<()>;

/// Why an order came to nothing: the paper, or the pipe.
pub enum Failed {
    Refused(Refusal),
    Io(io::Error),
}

impl From<Refusal> for Failed {
    fn from(why: Refusal) -> Self {
        Self::Refused(why)
    }
}
impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

trait Transpose {
    fn transpose(self) -> io::Result<Result<(), Refusal>>;
}
impl Transpose for Result<(), Failed> {
    fn transpose(self) -> io::Result<Result<(), Refusal>> {
        match self {
            Ok(()) => Ok(Ok(())),
            Err(Failed::Refused(why)) => Ok(Err(why)),
            Err(Failed::Io(error)) => Err(error),
        }
    }
}

fn carry_out(order: &Order, bytes: Vec<u8>, tell: Tell<'_>) -> Result<(), Failed> {
    match order {
        Order::Pdf { draw } => pdf::pages(bytes, *draw, tell),
        Order::PdfScan { page } => pdf::scan(bytes, *page, tell),
        Order::Picture { draw } => picture::pages(bytes, *draw, tell),
        Order::PictureScan { page } => picture::scan(bytes, *page, tell),
        Order::Photo { frame } => picture::photo(&bytes, *frame, tell),
    }
}

/// Little memory, little time, no files, and nothing left behind on the disk when it falls over.
#[cfg(unix)]
fn confine() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    for (resource, most) in [(Resource::As, MEMORY), (Resource::Cpu, PROCESSOR), (Resource::Fsize, 0), (Resource::Core, 0)] {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn confine() -> io::Result<()> {
    Ok(())
}
