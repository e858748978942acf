//! What people call an illness or a medicine, and what the lists call it.

use super::List;

/// Everyday expressions of illnesses: `everyday,medical,codes`; an expression without codes is only a word for another.
pub(super) static CONDITIONS: &str = include_str!("../../data/everyday_conditions.csv");
/// Names of medicines elsewhere in the world and everyday ones: `everyday,medical`.
pub(super) static MEDICINES: &str = include_str!("../../data/everyday_medicines.csv");

/// A part of a word counts as the word being typed from so many letters on.
const FEWEST_LETTERS: usize = 3;

/// An everyday expression found in a query.
pub struct Meaning {
    /// The words of the query, the expression replaced by its medical one.
    pub words: Vec<String>,
    /// The codes to offer first; none if more was typed than the expression.
    pub codes: Vec<&'static str>,
    /// Whether every word of the expression was typed in full.
    pub complete: bool,
}

/// The longest everyday expression in the words typed, complete words before begun ones.
pub fn meaning(list: List, typed: &[String]) -> Option<Meaning> {
    let table = match list {
        List::Icd10 => CONDITIONS,
        List::Medicines | List::Allergens => MEDICINES,
    };
    let entries = table.lines().skip(1).filter_map(|line| line.split_once(','));
    let (fit, everyday, meaning) =
        entries.filter_map(|(everyday, meaning)| Some((fit(everyday, typed)?, everyday, meaning))).max_by_key(|(fit, ..)| *fit)?;
    let (medical, codes) = meaning.split_once(',').unwrap_or((meaning, ""));
    let rest: Vec<&String> = typed.iter().filter(|word| !stands_for(everyday, word, typed)).collect();
    let codes = if rest.is_empty() { codes.split_whitespace().collect() } else { Vec::new() };
    let words = medical.split_whitespace().map(str::to_owned).chain(rest.into_iter().cloned()).collect();
    Some(Meaning { words, codes, complete: fit.0 == everyday.split(' ').count() })
}

/// How well an expression fits: how many of its words were typed in full, and their letters. None if one is missing.
fn fit(everyday: &str, typed: &[String]) -> Option<(usize, usize)> {
    let mut fit = (0, 0);
    for word in everyday.split(' ') {
        if typed.iter().any(|typed| typed == word) {
            fit = (fit.0 + 1, fit.1 + word.len());
        } else if !typed.last().is_some_and(|last| begins(word, last)) {
            return None;
        }
    }
    Some(fit)
}

/// Whether a word typed belongs to the expression.
fn stands_for(everyday: &str, word: &String, typed: &[String]) -> bool {
    let mut words = everyday.split(' ');
    words.clone().any(|one| one == word) || (typed.last() == Some(word) && words.any(|one| begins(one, word)))
}

fn begins(word: &str, typed: &str) -> bool {
    typed.len() >= FEWEST_LETTERS && word.starts_with(typed)
}
