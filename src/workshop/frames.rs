//! How order and notes travel: a length, JSON, and for a note another length and a JPEG. Read without trust: who answers may have been
//! taken over by what it read.

use std::io::{self, Read, Write};

use super::{Note, Order, Piece};

const LONGEST_NOTE: u32 = 8_000_000;
const LONGEST_PICTURE: u32 = 32_000_000;
/// Of all notes together.
const MOST: usize = 128_000_000;

pub fn write_order(out: &mut impl Write, order: &Order) -> io::Result<()> {
    let text = serde_json::to_vec(order)?;
    out.write_all(&length(&text)?)?;
    out.write_all(&text)
}

pub fn read_order(from: &mut impl Read) -> io::Result<Order> {
    Ok(serde_json::from_slice(&part(from, LONGEST_NOTE)?)?)
}

pub fn write_note(out: &mut impl Write, note: &Note, picture: &[u8]) -> io::Result<()> {
    let text = serde_json::to_vec(note)?;
    for part in [&text[..], picture] {
        out.write_all(&length(part)?)?;
        out.write_all(part)?;
    }
    out.flush()
}

/// Everything that is whole, up to the end or to what makes no sense.
pub fn read_all(from: &mut impl Read) -> Vec<Piece> {
    let (mut pieces, mut total) = (Vec::new(), 0);
    while let Ok(piece) = read_note(from) {
        total += piece.1.len();
        if let Note::Text { text, .. } = &piece.0 {
            total += text.len();
        }
        if total > MOST || pieces.len() > 20_000 {
            break;
        }
        pieces.push(piece);
    }
    pieces
}

fn read_note(from: &mut impl Read) -> io::Result<Piece> {
    let note = serde_json::from_slice(&part(from, LONGEST_NOTE)?)?;
    Ok((note, part(from, LONGEST_PICTURE)?))
}

fn length(part: &[u8]) -> io::Result<[u8; 4]> {
    u32::try_from(part.len()).map(u32::to_le_bytes).map_err(io::Error::other)
}

fn part(from: &mut impl Read, longest: u32) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > longest {
        return Err(io::Error::other("too long"));
    }
    let mut bytes = Vec::new();
    let read = from.take(u64::from(length)).read_to_end(&mut bytes)?;
    if read == length as usize { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_whole_counts_and_nothing_else() {
        let mut sent = Vec::new();
        write_note(&mut sent, &Note::Pages { count: 3 }, b"").unwrap();
        write_note(&mut sent, &Note::Drawn { page: 1, width: 2, height: 3 }, b"jpeg").unwrap();
        let whole = sent.len();
        write_note(&mut sent, &Note::Done, b"").unwrap();
        assert_eq!(read_all(&mut &sent[..]).len(), 3);
        for cut in whole..sent.len() - 1 {
            let told = read_all(&mut &sent[..cut]);
            assert_eq!(told.last(), Some(&(Note::Drawn { page: 1, width: 2, height: 3 }, b"jpeg".to_vec())));
        }
        assert!(read_all(&mut &b"\xff\xff\xff\xffmuch"[..]).is_empty());
        assert!(read_all(&mut &b"\x02\0\0\0{}\0\0\0\0"[..]).is_empty());
    }
}
