//! The pages of a TIFF: where each one begins, so that it can be opened as if it were the first. The pixels are read by who reads all pictures,
//! within the same limits.
//!
//! TIFF 6.0, section 2: a header that names the first directory, each of which ends with the place of the next; 0 ends them. `BigTIFF` is the
//! same with longer numbers.

/// More pages than anybody puts through a fax.
const MOST_PAGES: usize = 5000;
/// The field that says what a directory's picture is for, and the bits for one that is no page: a smaller one of another, and a mask.
const SUBFILE: u64 = 254;
const NO_PAGE: u64 = 0b101;

/// How numbers are written, and how long they are.
#[derive(Clone, Copy)]
struct Writing {
    little: bool,
    big: bool,
}

impl Writing {
    fn of(bytes: &[u8]) -> Option<Self> {
        match bytes.get(..4)? {
            b"II*\0" => Some(Self { little: true, big: false }),
            b"MM\0*" => Some(Self { little: false, big: false }),
            b"II+\0" => Some(Self { little: true, big: true }),
            b"MM\0+" => Some(Self { little: false, big: true }),
            _ => None,
        }
    }

    fn number(self, bytes: &[u8], at: u64, length: usize) -> Option<u64> {
        let from = usize::try_from(at).ok()?;
        let digits = bytes.get(from..from.checked_add(length)?)?;
        let add = |sum: u64, digit: &u8| sum << 8 | u64::from(*digit);
        Some(if self.little { digits.iter().rev().fold(0, add) } else { digits.iter().fold(0, add) })
    }

    /// Where the header names the first directory, and how long the number is.
    fn first(self) -> (usize, usize) {
        if self.big { (8, 8) } else { (4, 4) }
    }

    /// Is it a page, and where is the next directory?
    fn directory(self, bytes: &[u8], at: u64) -> Option<(bool, u64)> {
        let (count, entry, place) = if self.big { (8, 20, 8) } else { (2, 12, 4) };
        let entries = self.number(bytes, at, count)?.min(u64::from(u16::MAX));
        let first = at.checked_add(count as u64)?;
        let mut is_page = true;
        for index in 0..entries {
            let field = first.checked_add(index * entry)?;
            if self.number(bytes, field, 2)? == SUBFILE {
                let value = field.checked_add(if self.big { 12 } else { 8 })?;
                is_page = self.number(bytes, value, 4)? & NO_PAGE == 0;
            }
        }
        let next = self.number(bytes, first.checked_add(entries * entry)?, place).unwrap_or_default();
        Some((is_page, next))
    }
}

/// Where its pages begin, the first one first; none if it is no TIFF. What leads nowhere, or round in a circle, ends them.
pub fn pages(bytes: &[u8]) -> Vec<u64> {
    let Some(writing) = Writing::of(bytes) else { return Vec::new() };
    let (at, length) = writing.first();
    let (mut pages, mut seen) = (Vec::new(), std::collections::BTreeSet::new());
    let mut next = writing.number(bytes, at as u64, length).unwrap_or_default();
    while next != 0 && seen.insert(next) && seen.len() <= MOST_PAGES {
        let Some((is_page, after)) = writing.directory(bytes, next) else { break };
        // The first one is what every program shows.
        if is_page || pages.is_empty() {
            pages.push(next);
        }
        next = after;
    }
    pages
}

/// Makes the page that begins there the first one.
pub fn begin_with(bytes: &mut [u8], place: u64) {
    let Some(writing) = Writing::of(bytes) else { return };
    let (at, length) = writing.first();
    let digits = if writing.little { place.to_le_bytes() } else { place.to_be_bytes() };
    let digits = if writing.little { digits.get(..length) } else { digits.get(8 - length..) };
    if let (Some(to), Some(from)) = (bytes.get_mut(at..at + length), digits) {
        to.copy_from_slice(from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A TIFF of directories with one field each, `kinds` being their values, and nothing to see.
    fn film(little: bool, big: bool, kinds: &[u32]) -> Vec<u8> {
        let put = |out: &mut Vec<u8>, number: u64, length: usize| {
            let digits = number.to_be_bytes()[8 - length..].to_vec();
            out.extend(if little { digits.into_iter().rev().collect::<Vec<u8>>() } else { digits });
        };
        let (count, place) = if big { (8, 8) } else { (2, 4) };
        let mut out = if little { b"II".to_vec() } else { b"MM".to_vec() };
        put(&mut out, if big { 43 } else { 42 }, 2);
        if big {
            put(&mut out, 8, 2);
            put(&mut out, 0, 2);
        }
        let header = out.len() + place;
        let size = count + 2 + 2 + 2 * place + place;
        put(&mut out, header as u64, place);
        for (index, kind) in kinds.iter().enumerate() {
            put(&mut out, 1, count);
            put(&mut out, SUBFILE, 2);
            put(&mut out, 4, 2);
            put(&mut out, 1, place);
            put(&mut out, u64::from(*kind), 4);
            out.resize(out.len() + place - 4, 0);
            let next = if index + 1 < kinds.len() { header + size * (index + 1) } else { 0 };
            put(&mut out, next as u64, place);
        }
        out
    }

    #[test]
    fn pages_are_found_however_their_numbers_are_written() {
        for (little, big) in [(true, false), (false, false), (true, true), (false, true)] {
            let mut bytes = film(little, big, &[0, 2, 1, 2]);
            let found = pages(&bytes);
            assert_eq!(found.len(), 3, "the third is a small one of another: {little} {big}");
            begin_with(&mut bytes, found[2]);
            assert_eq!(pages(&bytes), [found[2]], "the last one is the only one then: {little} {big}");
            assert_eq!(pages(&film(little, big, &[1])).len(), 1, "the first is shown in any case");
        }
    }

    #[test]
    fn what_leads_nowhere_ends_them() {
        assert!(pages(b"\xff\xd8\xff\xe0").is_empty());
        let mut circle = film(true, false, &[0, 0]);
        let end = circle.len() - 4;
        circle[end..].copy_from_slice(&8_u32.to_le_bytes());
        assert_eq!(pages(&circle).len(), 2, "round in a circle");
        let mut away = film(true, false, &[0, 0]);
        away[end..].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(pages(&away).len(), 2);
        for cut in 0..away.len() {
            assert!(pages(&away[..cut]).len() <= 2);
        }
        begin_with(&mut [0; 3], 9);
    }
}
