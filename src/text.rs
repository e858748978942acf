//! Text as search sees it: folded (case, accents, width), cut into words.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Longest word kept in the index.
const LONGEST: usize = 64;

/// Lower case without accents: `É` and `e` are the same to somebody who looks for something.
pub fn fold(text: &str) -> String {
    text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).map(plain).collect()
}

/// Letters that do not decompose but that people type without their stroke.
fn plain(c: char) -> char {
    match c {
        'ø' => 'o',
        'ł' => 'l',
        'đ' => 'd',
        'ı' => 'i',
        _ => c,
    }
}

/// The distinct folded words of a text, in order of appearance. `ß` is `ss`; a code such as `J45.30` also gives `j4530`; scripts without
/// spaces are cut into single characters.
pub fn words(text: &str) -> Vec<String> {
    let folded = fold(text).replace('ß', "ss");
    let mut found: Vec<String> = Vec::new();
    for chunk in folded.split_whitespace() {
        let mut parts: Vec<String> = Vec::new();
        for run in chunk.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty()) {
            push_run(run, &mut parts);
        }
        if parts.len() > 1 && chunk.is_ascii() && chunk.len() <= 20 && chunk.bytes().any(|b| b.is_ascii_digit()) {
            parts.push(chunk.chars().filter(char::is_ascii_alphanumeric).collect());
        }
        // O'Neill is also looked for as oneill.
        let is_mark = |c: char| matches!(c, '\'' | '\u{2019}' | '\u{2bc}');
        if parts.len() > 1 && chunk.contains(is_mark) && chunk.chars().all(|c| c.is_alphanumeric() || is_mark(c)) {
            parts.push(parts.concat());
        }
        found.extend(parts);
    }
    let mut seen = std::collections::HashSet::new();
    found.retain(|word| seen.insert(word.clone()));
    found
}

fn push_run(run: &str, parts: &mut Vec<String>) {
    let mut word = String::new();
    for c in run.chars() {
        if is_ideograph(c) {
            if !word.is_empty() {
                parts.push(std::mem::take(&mut word));
            }
            parts.push(c.to_string());
        } else if word.len() < LONGEST {
            word.push(c);
        }
    }
    if !word.is_empty() {
        parts.push(word);
    }
}

/// Chinese, Japanese and Korean characters, which are words of their own (Unicode blocks, not an exact property).
fn is_ideograph(c: char) -> bool {
    matches!(u32::from(c), 0x3040..=0x30ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xac00..=0xd7af | 0x1100..=0x11ff | 0x2_0000..=0x2_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_case_and_codes_fold() {
        assert_eq!(words("Émilé GROẞ, J45.30"), ["emile", "gross", "j45", "30", "j4530"]);
        assert_eq!(words("O’Néill's"), ["o", "neill", "s", "oneills"]);
        assert_eq!(words("中文 test"), ["中", "文", "test"]);
        assert_eq!(words("a\" AND (b* : -c"), ["a", "and", "b", "c"]);
    }
}
