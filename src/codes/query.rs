//! From what a person typed to the words that are looked for.

use super::fold;
use super::packed::Packed;

/// What only joins words. `a` is not among them: hepatitis A.
const LITTLE: &[&str] = &["and", "at", "by", "for", "from", "in", "my", "of", "on", "or", "the", "to", "with"];

/// A code as the packed list has it: `j45.3` is `J453`.
pub fn key(code: &str) -> String {
    code.trim().replace('.', "").to_ascii_uppercase()
}

/// The words of a query. A code keeps together what its dot parts; little words count only when there are no others.
pub fn words(packed: &Packed, query: &str) -> Vec<String> {
    let mut words = Vec::new();
    for chunk in query.split_whitespace() {
        let key = key(chunk);
        if chunk.contains('.') && !packed.rows_of_code(&key).is_empty() {
            words.push(key.to_ascii_lowercase());
        } else {
            words.extend(fold::words(chunk));
        }
    }
    let telling: Vec<String> = words.iter().filter(|word| !LITTLE.contains(&word.as_str())).cloned().collect();
    if telling.is_empty() { words } else { telling }
}

/// The words for a second try: without the ending of the plural, and `type2` or `covid19` in their parts.
pub fn loosened(words: &[String]) -> Vec<String> {
    words.iter().flat_map(|word| parts(word)).map(|part| singular(part).to_owned()).collect()
}

/// A word begun so finds both forms, so that it may be cut too short but not too long.
fn singular(word: &str) -> &str {
    let ending = ["ies", "es", "s"].into_iter().find_map(|ending| word.strip_suffix(ending));
    ending.filter(|stem| stem.len() >= 3 && !stem.ends_with('s')).unwrap_or(word)
}

/// The word, cut where letters turn to digits.
fn parts(word: &str) -> impl Iterator<Item = &str> {
    let digits = word.find(|c: char| c.is_ascii_digit()).unwrap_or(word.len());
    let (letters, digits) = word.split_at(digits);
    [letters, digits].into_iter().filter(|part| !part.is_empty())
}
