//! Why something waits, failed or is missing: a word that the database keeps and the catalogue turns into a sentence (`paperless.why.WORD`),
//! with what it is about after a colon.

use crate::{
    i18n::Locale,
    paperless::{AddressProblem, Fault, Instead, TaskFailure, Unreachable},
};

/// A fault as its word.
pub fn of_fault(fault: &Fault) -> String {
    let word = match fault {
        Fault::Address(problem) => of_address(*problem),
        Fault::NotPaperless(Instead::Page) => "page",
        Fault::NotPaperless(Instead::Redirect) => "redirect",
        Fault::NotPaperless(Instead::NoSuchPath) => "no_such_path",
        Fault::NotPaperless(Instead::Other) => "not_paperless",
        Fault::Version(None) => "version",
        Fault::Version(Some(version)) => return format!("version_told:{}", version.as_str()),
        Fault::Token => "token",
        Fault::SignIn => "sign_in",
        Fault::CodeWanted => "code_wanted",
        Fault::CodeRefused => "code_refused",
        Fault::Right(right) => return format!("right:{}", right.name()),
        Fault::NotFound => "gone",
        Fault::InTrash => "in_trash",
        Fault::Throttled(_) => "throttled",
        Fault::Server { status, .. } => return format!("server:{status}"),
        Fault::Unreachable(Unreachable::Name) => "name",
        Fault::Unreachable(Unreachable::Refused) => "refused",
        Fault::Unreachable(Unreachable::Tls) => "certificate",
        Fault::Unreachable(Unreachable::NoTls) => "no_tls",
        Fault::Unreachable(Unreachable::Timeout) => "timeout",
        Fault::Unreachable(Unreachable::Broken) => "broken",
        Fault::RefusedNetwork => "network",
        Fault::NeverNetwork => "network_never",
        Fault::TooLarge => "too_large",
        Fault::Type => "type",
        Fault::Empty => "empty",
        Fault::Field(field) => return format!("field:{field}"),
        Fault::FieldType => "field_type",
        Fault::NotUnderstood => "not_understood",
        Fault::Here(_) => "here",
    };
    word.to_owned()
}

fn of_address(problem: AddressProblem) -> &'static str {
    match problem {
        AddressProblem::TooLong => "address_too_long",
        AddressProblem::NoAddress => "no_address",
        AddressProblem::Scheme => "scheme",
        AddressProblem::Credentials => "credentials",
        AddressProblem::Query => "query",
    }
}

pub fn of_task(failure: TaskFailure) -> &'static str {
    match failure {
        TaskFailure::Unreadable => "task_unreadable",
        TaskFailure::Type => "type",
        TaskFailure::Revoked => "task_revoked",
        TaskFailure::Other => "task_other",
    }
}

/// What may be gone in a while: the queue tries the same again.
const PASSING: [&str; 5] = ["broken", "not_understood", "server", "throttled", "timeout"];

/// The sentence for a person: of something that the queue does.
pub fn sentence(words: &Locale, reason: &str) -> String {
    with_end(words, reason, "paperless.tried_again")
}

/// The same where somebody waits for the answer, and nothing is tried again unless they do it.
pub fn sentence_now(words: &Locale, reason: &str) -> String {
    with_end(words, reason, "paperless.try_again")
}

fn with_end(words: &Locale, reason: &str, end: &str) -> String {
    let word = reason.split_once(':').map_or(reason, |(word, _)| word);
    let told = plain(words, reason);
    if PASSING.contains(&word) { format!("{told} {}", words.t(end)) } else { told }
}

fn plain(words: &Locale, reason: &str) -> String {
    let (word, what) = reason.split_once(':').unwrap_or((reason, ""));
    let what = if matches!(word, "right" | "without") { words.t(&format!("paperless.right.{what}")) } else { what.to_owned() };
    words.with(&format!("paperless.why.{word}"), &[("what", &what)])
}
