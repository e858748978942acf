//! Searching in Paperless-ngx with plain words. 2.x (Whoosh) and 3.x (Tantivy) have grammars of their own, in which a stray quote is an error or
//! finds nothing; so only words are sent, and what is found is handed on as plain text.

use serde_json::Value;

use super::{
    Client, Document, Right, Version,
    documents::{FIELDS, read},
    fault::Fault,
};

/// Hits on a page.
const PAGE_SIZE: u32 = 20;
/// Words that are sent.
const MOST_WORDS: usize = 12;
/// A highlight is cut after so many characters.
const LONGEST_HIGHLIGHT: usize = 600;

/// A page of what was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hits {
    pub hits: Vec<Hit>,
    /// Of all pages.
    pub total: u64,
    pub has_more: bool,
}

/// A document that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    pub document: Document,
    /// Where the words stand in its text: plain text, nothing in it is markup. Empty if the server tells no place.
    pub highlight: Vec<Part>,
}

/// A piece of a highlight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub text: String,
    /// One of the words that were sought.
    pub marked: bool,
}

impl Client {
    /// Documents with all of the words, best first; pages count from 1. The search knows whole words only: where it finds nothing, titles and
    /// contents with the words as a part of others are sought.
    pub fn search(&self, words: &str, page: u32) -> Result<Hits, Fault> {
        let words = plain_words(words);
        if words.is_empty() {
            return Ok(Hits { hits: Vec::new(), total: 0, has_more: false });
        }
        let (found, version) = self.found_by("query", &words, page)?;
        // A filter that a server does not know finds everything: this one is known to be there in 2.x and 3.x, and is asked for nowhere else.
        let knows_parts = version.as_ref().and_then(Version::major).is_some_and(|major| major == 2 || major == 3);
        match found {
            Some(hits) if hits.total > 0 || !knows_parts => Ok(hits),
            None if !knows_parts => Err(Fault::NotUnderstood),
            _ => self.found_by("title_content", &words, page)?.0.ok_or(Fault::NotUnderstood),
        }
    }

    /// Nothing if the server did not understand the words.
    fn found_by(&self, filter: &str, words: &str, page: u32) -> Result<(Option<Hits>, Option<Version>), Fault> {
        let (page, size) = (page.max(1).to_string(), PAGE_SIZE.to_string());
        let query = [(filter, words), ("fields", FIELDS), ("page", &page), ("page_size", &size)];
        let answer = self.get("api/documents/", &query, Right::ViewDocument)?;
        // 3.x answers with a page of text; a page of something before the server would have been noticed by the test of the connection.
        if answer.status == reqwest::StatusCode::BAD_REQUEST && answer.version.is_some() {
            return Ok((None, answer.version));
        }
        if matches!(answer.check(), Err(Fault::NotFound)) {
            return Ok((Some(Hits { hits: Vec::new(), total: 0, has_more: false }), answer.version));
        }
        let mut found = answer.json()?;
        let rows = found.get_mut("results").and_then(Value::as_array_mut).map(std::mem::take).ok_or(Fault::NotUnderstood)?;
        let hits: Result<Vec<Hit>, Fault> = rows.into_iter().map(hit).collect();
        let total = found.get("count").and_then(Value::as_u64).unwrap_or_default();
        let has_more = found.get("next").is_some_and(|next| !next.is_null());
        Ok((Some(Hits { hits: hits?, total, has_more }), answer.version))
    }
}

fn hit(row: Value) -> Result<Hit, Fault> {
    let highlight = row.pointer("/__search_hit__/highlights").and_then(Value::as_str).map(parts).unwrap_or_default();
    Ok(Hit { document: read(row)?, highlight })
}

/// Letters and digits; in small letters, so that no word is an operator.
fn plain_words(text: &str) -> String {
    let is_word = |c: &char| c.is_alphanumeric() || c.is_whitespace();
    let plain: String = text.chars().map(|c| if is_word(&c) { c } else { ' ' }).collect();
    plain.to_lowercase().split_whitespace().take(MOST_WORDS).collect::<Vec<_>>().join(" ")
}

/// Takes the servers' own marks off and reads the entities between them; any other `<` is text of the document and stays text.
fn parts(html: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let (mut rest, mut marked, mut length) = (html, false, 0);
    while !rest.is_empty() && length < LONGEST_HIGHLIGHT {
        if let Some((after, begins)) = mark(rest) {
            (rest, marked) = (after, begins);
            continue;
        }
        let (c, after) = character(rest);
        rest = after;
        length += 1;
        match parts.last_mut() {
            Some(last) if last.marked == marked => last.text.push(c),
            _ => parts.push(Part { text: c.to_string(), marked }),
        }
    }
    parts
}

/// `<b>` of 3.x, `<span class="match term0">` of 2.x, and their ends.
fn mark(text: &str) -> Option<(&str, bool)> {
    for (tag, begins) in [("<b>", true), ("</b>", false), ("</span>", false)] {
        if let Some(after) = text.strip_prefix(tag) {
            return Some((after, begins));
        }
    }
    let after = text.strip_prefix("<span class=\"match term")?.trim_start_matches(|c: char| c.is_ascii_digit());
    Some((after.strip_prefix("\">")?, true))
}

fn character(text: &str) -> (char, &str) {
    for (entity, c) in [("&lt;", '<'), ("&gt;", '>'), ("&amp;", '&'), ("&quot;", '"'), ("&#x27;", '\''), ("&#39;", '\'')] {
        if let Some(after) = text.strip_prefix(entity) {
            return (c, after);
        }
    }
    let mut characters = text.chars();
    (characters.next().unwrap_or(' '), characters.as_str())
}

#[cfg(test)]
mod tests {
    use super::{Part, parts, plain_words};

    fn shown(html: &str) -> String {
        parts(html).iter().map(|Part { text, marked }| if *marked { format!("[{text}]") } else { text.clone() }).collect()
    }

    #[test]
    fn only_words_are_sent() {
        assert_eq!(plain_words("\"unclosed AND ("), "unclosed and");
        assert_eq!(plain_words("title:x*  OR  tag:[1 TO 2]"), "title x or tag 1 to 2");
        assert_eq!(plain_words("Größe 13,9"), "größe 13 9");
        assert_eq!(plain_words(" *?() "), "");
        assert_eq!(plain_words(&"a ".repeat(50)).len(), 23);
    }

    #[test]
    fn both_kinds_of_marks_become_parts() {
        assert_eq!(shown("a <b>Zephyrine</b> word"), "a [Zephyrine] word");
        assert_eq!(shown("a <span class=\"match term0\">Zephyrine</span> word"), "a [Zephyrine] word");
    }

    #[test]
    fn markup_of_a_document_stays_text() {
        assert_eq!(shown("<script>alert(1)</script> &lt;b&gt; 1 < 2 &amp;lt; <b>x"), "<script>alert(1)</script> <b> 1 < 2 &lt; [x]");
        assert_eq!(shown(&"x".repeat(5000)).len(), 600);
    }
}
