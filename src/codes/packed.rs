//! The packed lists as `build.rs` leaves them, read in place. What is in each table is told there, at `pack`.

use std::ops::Range;

/// Letters of a key, as in `build.rs`.
const KEY_WIDTH: usize = 7;

macro_rules! packed {
    ($list:literal) => {
        Packed {
            keys: packed!($list, ".keys"),
            weights: packed!($list, ".weights"),
            rows: Table(packed!($list, ".rows")),
            pieces: Table(packed!($list, ".pieces")),
            spoken: Table(packed!($list, ".spoken")),
            words: Table(packed!($list, ".words")),
            postings: Table(packed!($list, ".postings")),
        }
    };
    ($list:literal, $table:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/codes/", $list, $table))
    };
}

pub static ICD10: Packed = packed!("icd10");
pub static MEDICINES: Packed = packed!("medicines");
pub static ALLERGENS: Packed = packed!("allergens");

/// The block of each category of ICD-10-CM: `J45 J40-J4A`.
pub static ICD10_BLOCKS: &str = include_str!(concat!(env!("OUT_DIR"), "/codes/icd10.blocks"));

/// One list.
pub struct Packed {
    keys: &'static [u8],
    weights: &'static [u8],
    rows: Table,
    pieces: Table,
    spoken: Table,
    words: Table,
    postings: Table,
}

/// Entries of different lengths behind one another.
struct Table(&'static [u8]);

impl Table {
    fn len(&self) -> usize {
        number_at(self.0, 0)
    }

    /// An entry; empty if there is none of that number.
    fn entry(&self, number: usize) -> &'static [u8] {
        self.range(number).and_then(|range| self.0.get(range)).unwrap_or_default()
    }

    fn range(&self, number: usize) -> Option<Range<usize>> {
        let len = self.len();
        let entries = 4 * (len + 1);
        let start = if number == 0 { 0 } else { number_at(self.0, 4 * number) };
        (number < len).then(|| entries + start..entries + number_at(self.0, 4 * (number + 1)))
    }
}

/// The four bytes at a place, the lowest first.
fn number_at(bytes: &[u8], place: usize) -> usize {
    let number = bytes.get(place..).and_then(|rest| rest.first_chunk()).copied().map(u32::from_le_bytes);
    number.and_then(|number| usize::try_from(number).ok()).unwrap_or_default()
}

/// Numbers of seven bits a byte, as `push_number` in `build.rs` writes them.
pub struct Numbers(&'static [u8]);

impl Iterator for Numbers {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let mut number = 0;
        let mut shift = 0;
        loop {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= usize::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Some(number);
            }
            shift += 7;
        }
    }
}

/// The first number below `len` for which `beyond` holds, which must hold for all that follow; else `len`.
fn first(len: usize, beyond: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low.midpoint(high);
        if beyond(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

impl Packed {
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    pub fn weight(&self, row: usize) -> u8 {
        self.weights.get(row).copied().unwrap_or(u8::MAX)
    }

    /// The code of a row without its dot.
    pub fn key(&self, row: usize) -> &'static str {
        str::from_utf8(self.padded_key(row)).unwrap_or_default().trim_end()
    }

    fn padded_key(&self, row: usize) -> &'static [u8] {
        self.keys.get(KEY_WIDTH * row..KEY_WIDTH * (row + 1)).unwrap_or_default()
    }

    pub fn row_of_key(&self, key: &str) -> Option<usize> {
        self.rows_of_key(key).next().filter(|row| self.key(*row) == key)
    }

    /// The rows whose codes begin so. A single letter is no code yet.
    pub fn rows_of_code(&self, prefix: &str) -> Range<usize> {
        if prefix.len() < 2 { 0..0 } else { self.rows_of_key(prefix) }
    }

    fn rows_of_key(&self, prefix: &str) -> Range<usize> {
        let prefix = prefix.as_bytes();
        let begin = |row| self.padded_key(row).get(..prefix.len().min(KEY_WIDTH)).unwrap_or_default();
        let len = self.keys.len() / KEY_WIDTH;
        first(len, |row| begin(row) >= prefix)..first(len, |row| begin(row) > prefix)
    }

    /// The numbers of the words that begin so.
    pub fn words_with(&self, prefix: &str) -> Range<usize> {
        let prefix = prefix.as_bytes();
        let begin = |word| {
            let word = self.words.entry(word);
            word.get(..prefix.len()).unwrap_or(word)
        };
        first(self.words.len(), |word| begin(word) >= prefix)..first(self.words.len(), |word| begin(word) > prefix)
    }

    /// The number of a word.
    pub fn word(&self, word: &str) -> Option<usize> {
        self.words_with(word).next().filter(|number| self.words.entry(*number) == word.as_bytes())
    }

    /// The rows in which a word occurs, in order.
    pub fn rows_with(&self, word: usize) -> impl Iterator<Item = usize> {
        Numbers(self.postings.entry(word)).scan(0, |row, distance| {
            *row += distance;
            Some(*row)
        })
    }

    /// The pieces of a row's text; 0 ends a column.
    pub fn pieces(&self, row: usize) -> Numbers {
        Numbers(self.rows.entry(row))
    }

    /// The numbers of the words in a piece.
    pub fn words_in(&self, piece: usize) -> Numbers {
        Numbers(self.spoken.entry(piece))
    }

    /// The text of a row, column by column.
    pub fn columns(&self, row: usize) -> Vec<String> {
        let mut columns = Vec::new();
        let mut column = String::new();
        for piece in self.pieces(row) {
            if piece == 0 {
                columns.push(std::mem::take(&mut column));
                continue;
            }
            if !column.is_empty() {
                column.push(' ');
            }
            column.push_str(str::from_utf8(self.pieces.entry(piece)).unwrap_or_default());
        }
        columns
    }
}
