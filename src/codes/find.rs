//! Finds the rows of a list that fit all words typed, the best first.

use std::ops::Range;

use super::fold;
use super::packed::Packed;

/// So many words of a query are looked at; the rest is left out.
const MOST_WORDS: usize = 12;
/// So many of the lightest matches are compared closely.
const MOST_COMPARED: usize = 1500;
/// Numbers of the words a row says about itself; further ones hardly ever decide.
const MOST_BEFORE: u32 = 3;

/// A row with what speaks against it, in the order of offering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    pub cost: u32,
    pub row: usize,
}

/// One word typed: what it may stand for in the list.
struct Term {
    /// The words of the list that begin with it, by number.
    words: Range<usize>,
    /// The word that it is.
    whole: Option<usize>,
    /// The rows whose codes begin with it.
    rows: Range<usize>,
}

impl Term {
    fn new(packed: &Packed, word: &str) -> Self {
        Self { words: packed.words_with(word), whole: packed.word(word), rows: packed.rows_of_code(&word.to_ascii_uppercase()) }
    }
}

/// The best `limit` rows in which every word is found, as a word, as the beginning of a word or of the code.
pub fn best(packed: &Packed, words: &[String], limit: usize) -> Vec<Found> {
    let terms: Vec<Term> = words.iter().take(MOST_WORDS).map(|word| Term::new(packed, word)).collect();
    let neutral: Vec<usize> = fold::NEUTRAL.iter().filter_map(|word| packed.word(word)).collect();
    let rows = compared(packed, &terms).into_iter();
    let mut found: Vec<Found> = rows.map(|row| Found { cost: cost(packed, &terms, &neutral, row), row }).collect();
    found.sort_unstable();
    found.truncate(limit);
    found
}

/// The rows worth a closer look: the lightest of those that have the words whole, then of the others.
fn compared(packed: &Packed, terms: &[Term]) -> Vec<usize> {
    let Some(any) = Rows::in_all(packed, terms, |term| term.words.clone()) else {
        return Vec::new();
    };
    let whole = Rows::in_all(packed, terms, |term| term.whole.map_or(0..0, |word| word..word + 1));
    let whole = whole.unwrap_or_else(|| Rows::none(packed));
    let mut rows = whole.lightest(packed, MOST_COMPARED);
    rows.extend(any.without(&whole).lightest(packed, MOST_COMPARED - rows.len().min(MOST_COMPARED)));
    rows
}

/// What speaks against a row: its weight, words before the first match, words only begun; words standing together speak for it.
fn cost(packed: &Packed, terms: &[Term], neutral: &[usize], row: usize) -> u32 {
    let mut whole = 0_u32;
    let mut before = None;
    for (number, term) in terms.iter().enumerate() {
        if term.rows.contains(&row) {
            whole |= 1 << number;
            before = Some(0);
        }
    }
    let (mut passed, mut last, mut together) = (0, 0, 0);
    for word in packed.pieces(row).flat_map(|piece| packed.words_in(piece)) {
        let matched = matched(terms, word);
        whole |= matched.whole;
        if matched.begun != 0 {
            before.get_or_insert(passed);
        }
        together += u32::from((last << 1) & matched.begun != 0);
        last = matched.begun;
        passed += u32::from(!neutral.contains(&word));
    }
    let count = u32::try_from(terms.len()).unwrap_or_default();
    let begun = count.saturating_sub(whole.count_ones());
    let spread = count.saturating_sub(1).saturating_sub(together);
    u32::from(packed.weight(row)) + 4 * before.unwrap_or(MOST_BEFORE).min(MOST_BEFORE) + 6 * begun + 2 * spread
}

/// Which of the words typed a word of the list is, a bit each.
struct Matched {
    begun: u32,
    whole: u32,
}

fn matched(terms: &[Term], word: usize) -> Matched {
    let mut matched = Matched { begun: 0, whole: 0 };
    for (number, term) in terms.iter().enumerate() {
        matched.begun |= u32::from(term.words.contains(&word)) << number;
        matched.whole |= u32::from(term.whole == Some(word)) << number;
    }
    matched
}

/// A set of rows, a bit each: 12 KB for the longest list.
struct Rows(Vec<u64>);

impl Rows {
    fn none(packed: &Packed) -> Self {
        Self(vec![0; packed.len().div_ceil(64)])
    }

    /// The rows that have, for every term, one of its words or its code. None if there are no terms.
    fn in_all(packed: &Packed, terms: &[Term], words: impl Fn(&Term) -> Range<usize>) -> Option<Self> {
        let sets = terms.iter().map(|term| {
            let mut rows = Self::none(packed);
            words(term).flat_map(|word| packed.rows_with(word)).chain(term.rows.clone()).for_each(|row| rows.add(row));
            rows
        });
        sets.reduce(|one, other| one.combined(&other, |one, other| one & other))
    }

    fn add(&mut self, row: usize) {
        if let Some(bits) = self.0.get_mut(row / 64) {
            *bits |= 1 << (row % 64);
        }
    }

    fn without(&self, other: &Self) -> Self {
        self.combined(other, |one, other| one & !other)
    }

    fn combined(&self, other: &Self, how: impl Fn(u64, u64) -> u64) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(one, other)| how(*one, *other)).collect())
    }

    fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(place, bits)| ones(*bits).map(move |bit| 64 * place + bit))
    }

    /// At most `most` rows, none of them heavier than one left out.
    fn lightest(&self, packed: &Packed, most: usize) -> Vec<usize> {
        let mut counts = [0_usize; 256];
        for row in self.iter() {
            if let Some(count) = counts.get_mut(usize::from(packed.weight(row))) {
                *count += 1;
            }
        }
        let limit = heaviest_within(&counts, most);
        self.iter().filter(|row| usize::from(packed.weight(*row)) <= limit).take(most).collect()
    }
}

/// The greatest weight up to which there are at most `most` rows, or one more, of which only a part will be taken.
fn heaviest_within(counts: &[usize], most: usize) -> usize {
    let mut sum = 0;
    let within = counts.iter().take_while(|count| {
        sum += **count;
        sum < most
    });
    within.count()
}

/// The places of the bits that are set.
fn ones(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = (bits != 0).then(|| bits.trailing_zeros())?;
        bits &= bits - 1;
        usize::try_from(place).ok()
    })
}
