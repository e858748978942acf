//! Words as the code lists compare them. The build script uses this file too, so that what is packed and what is
//! typed are folded alike.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Spellings of one and the same word: British (or otherwise international) on the left, as the lists write it on the right.
const SPELLINGS: &[(&str, &str)] = &[
    ("rrhoe", "rrhe"),
    ("pnoe", "pne"),
    ("foet", "fet"),
    ("coel", "cel"),
    ("moeo", "meo"),
    ("sulph", "sulf"),
    ("gynae", "gyne"),
    ("paed", "ped"),
    ("haem", "hem"),
    ("anaes", "anes"),
    ("aemi", "emi"),
    ("caes", "ces"),
    ("faec", "fec"),
    ("tumour", "tumor"),
    ("colour", "color"),
    ("humour", "humor"),
    ("mould", "mold"),
    ("fibre", "fiber"),
];

/// Words that say no more than the words around them: `Unspecified asthma, uncomplicated` is plain asthma.
pub const NEUTRAL: &[&str] = &["unspecified", "uncomplicated", "essential", "without", "complications", "complication", "of", "and", "the"];

/// The words of a text: lower case, without accents and apostrophes (`Crohn's` is `crohn`), in one spelling.
pub fn words(text: &str) -> Vec<String> {
    plain(text).split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(spelled).collect()
}

/// Lower case without accents; a possessive `'s`, any other apostrophe and an optional plural, `finger(s)`, are left out.
fn plain(text: &str) -> String {
    let straight = text.replace(['\u{2019}', '\u{2018}', '`'], "'").to_lowercase().replace("(s)", "");
    let mut folded = String::with_capacity(straight.len());
    let mut rest = straight.nfkd().filter(|c| !is_combining_mark(*c)).peekable();
    while let Some(c) = rest.next() {
        match c {
            '\'' => skip_possessive(&mut folded, &mut rest),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'ø' => folded.push('o'),
            'ß' => folded.push_str("ss"),
            _ => folded.push(c),
        }
    }
    folded
}

/// After an apostrophe: leaves out an `s` that ends the word and keeps everything else.
fn skip_possessive(folded: &mut String, rest: &mut std::iter::Peekable<impl Iterator<Item = char>>) {
    if rest.next_if_eq(&'s').is_some() && rest.peek().is_some_and(|c| c.is_alphanumeric()) {
        folded.push('s');
    }
}

/// The word in the spelling of the lists.
fn spelled(word: &str) -> String {
    let mut word = SPELLINGS.iter().fold(word.to_owned(), |word, (from, to)| word.replace(from, to));
    if word.starts_with("oe") {
        word.remove(0);
    }
    word
}
