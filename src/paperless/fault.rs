//! What went wrong with a Paperless-ngx, in a form that a page turns into words and a queue into a decision. Nothing that a server said is in it
//! but numbers and its version: no token, no title, no file name, no traceback.

use std::{io, time::Duration};

use thiserror::Error;

use super::{AddressProblem, Right, guard::RefusedNetwork};

/// Everything that can go wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// The address is none that can be asked.
    #[error("{0}")]
    Address(AddressProblem),
    /// Something answers at the address, but no Paperless-ngx, or not there.
    #[error("no Paperless-ngx answers there: {0}")]
    NotPaperless(Instead),
    /// Its version speaks no version 9 of the interface: older than 2.16, or newer than is known. The version, if it told one.
    #[error("its version is not one that can be spoken with")]
    Version(Option<Version>),
    /// The token is none, or none any more.
    #[error("the token is refused")]
    Token,
    /// Name or password are wrong.
    #[error("name or password are refused")]
    SignIn,
    /// The account has a second factor: the same again with its code.
    #[error("a code of the second factor is wanted")]
    CodeWanted,
    /// That code was wrong or too old.
    #[error("the code of the second factor is refused")]
    CodeRefused,
    /// The account may not do this at all, or not with this document.
    #[error("the account lacks the right {0}")]
    Right(Right),
    /// No such document for this account: deleted for good, or somebody else's.
    #[error("there is no such document")]
    NotFound,
    /// The document lies in the trash and can be restored there.
    #[error("the document is in the trash")]
    InTrash,
    /// Too many attempts; after how long to try again, if it told so.
    #[error("it wants to be asked more slowly")]
    Throttled(Option<Duration>),
    /// The server failed. A write may have been done all the same.
    #[error("the server failed with {status}")]
    Server { status: u16, after: Option<Duration> },
    /// No connection, or none that lasted.
    #[error("it cannot be reached: {0}")]
    Unreachable(Unreachable),
    /// The address leads into a private network, which a setting forbids.
    #[error("the address leads into a private network, which a setting forbids")]
    RefusedNetwork,
    /// The address leads to a machine's own services (link-local, metadata, nobody's), which are never asked.
    #[error("the address leads to where nothing is ever asked")]
    NeverNetwork,
    /// A reverse proxy takes no file of this size; Paperless-ngx itself has no limit.
    #[error("the file is too large for the server")]
    TooLarge,
    /// The type of the file, by its bytes, is none that this server takes.
    #[error("the server takes no files of this type")]
    Type,
    /// A file without a byte.
    #[error("the file is empty")]
    Empty,
    /// A value that came with a document was refused, such as a tag that is gone.
    #[error("a value was refused: {0}")]
    Field(Field),
    /// A custom field of our name has been made with a type that holds no link.
    #[error("the custom field has another type")]
    FieldType,
    /// It answered in a way that is not understood.
    #[error("its answer is not understood")]
    NotUnderstood,
    /// Our own side: the file cannot be read, or what comes cannot be written.
    #[error("a file here cannot be read or written: {0}")]
    Here(io::ErrorKind),
}

/// What answered instead of a Paperless-ngx.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Instead {
    /// A page for people: a login before it, a reverse proxy, a web site.
    #[error("a page for browsers")]
    Page,
    /// It sends elsewhere, where no token is sent.
    #[error("it sends elsewhere")]
    Redirect,
    /// The path is not known there.
    #[error("no such path")]
    NoSuchPath,
    /// It speaks JSON, but says something else.
    #[error("something else")]
    Other,
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unreachable {
    /// The name is not known.
    #[error("the name is not known")]
    Name,
    /// Nobody listens, or there is no way there.
    #[error("nobody answers")]
    Refused,
    /// The certificate is not believed.
    #[error("the connection cannot be made secure")]
    Tls,
    /// Something answers, but without TLS.
    #[error("what answers speaks no TLS")]
    NoTls,
    /// It took too long to connect, to answer or in all.
    #[error("it took too long")]
    Timeout,
    /// The connection broke in the midst of an answer.
    #[error("the connection broke")]
    Broken,
}

/// A value of a document that can be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Field {
    #[error("title")]
    Title,
    #[error("created")]
    Created,
    #[error("correspondent")]
    Correspondent,
    #[error("document_type")]
    DocumentType,
    #[error("tags")]
    Tags,
    #[error("custom_fields")]
    CustomFields,
    #[error("name")]
    Name,
}

/// A server's version, such as `3.0.5`: only digits, points and what marks a test version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(String);

impl Version {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+".contains(&byte));
        (fits && text.starts_with(|c: char| c.is_ascii_digit())).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first number.
    pub fn major(&self) -> Option<u32> {
        self.0.split('.').next()?.parse().ok()
    }
}

/// What a queue does after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The same again, later.
    Again,
    /// Nothing of this person goes on before the connection is changed: address, token, right, version.
    Connection,
    /// This document alone is concerned; it needs somebody, and the others go on.
    Document,
}

impl Fault {
    pub fn decision(&self) -> Decision {
        match self {
            Self::Throttled(_) | Self::Server { .. } | Self::Unreachable(_) | Self::NotUnderstood | Self::Here(_) => Decision::Again,
            Self::Address(_)
            | Self::NotPaperless(_)
            | Self::Version(_)
            | Self::Token
            | Self::SignIn
            | Self::CodeWanted
            | Self::CodeRefused
            | Self::Right(_)
            | Self::FieldType
            | Self::RefusedNetwork
            | Self::NeverNetwork => Decision::Connection,
            Self::NotFound | Self::InTrash | Self::TooLarge | Self::Type | Self::Empty | Self::Field(_) => Decision::Document,
        }
    }

    /// Will the same perhaps succeed later, without anybody's help?
    pub fn is_temporary(&self) -> bool {
        self.decision() == Decision::Again
    }

    /// How long the server asks to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled(after) | Self::Server { after, .. } => *after,
            _ => None,
        }
    }

    /// May a write have been done although it failed? Then it is looked for before it is done again.
    pub fn is_uncertain(&self) -> bool {
        match self {
            Self::Server { .. } | Self::NotUnderstood => true,
            Self::Unreachable(why) => matches!(why, Unreachable::Timeout | Unreachable::Broken),
            _ => false,
        }
    }
}

impl From<RefusedNetwork> for Fault {
    fn from(refused: RefusedNetwork) -> Self {
        match refused {
            RefusedNetwork::Private => Self::RefusedNetwork,
            RefusedNetwork::Never => Self::NeverNetwork,
        }
    }
}

impl From<AddressProblem> for Fault {
    fn from(problem: AddressProblem) -> Self {
        Self::Address(problem)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Decision, Fault, Instead, Right, Unreachable, Version};

    #[test]
    fn a_queue_knows_what_to_do() {
        let pause = Some(Duration::from_secs(57));
        for (fault, decision, after, uncertain) in [
            (Fault::Throttled(pause), Decision::Again, pause, false),
            (Fault::Server { status: 503, after: pause }, Decision::Again, pause, true),
            (Fault::Unreachable(Unreachable::Refused), Decision::Again, None, false),
            (Fault::Unreachable(Unreachable::Timeout), Decision::Again, None, true),
            (Fault::Unreachable(Unreachable::Broken), Decision::Again, None, true),
            (Fault::NotPaperless(Instead::Page), Decision::Connection, None, false),
            (Fault::Token, Decision::Connection, None, false),
            (Fault::Right(Right::ViewTask), Decision::Connection, None, false),
            (Fault::TooLarge, Decision::Document, None, false),
            (Fault::InTrash, Decision::Document, None, false),
        ] {
            assert_eq!(fault.decision(), decision, "{fault}");
            assert_eq!(fault.retry_after(), after, "{fault}");
            assert_eq!(fault.is_uncertain(), uncertain, "{fault}");
            assert_eq!(fault.is_temporary(), decision == Decision::Again, "{fault}");
        }
    }

    #[test]
    fn a_version_is_a_version_only() {
        assert_eq!(Version::parse(" 2.20.15 ").unwrap().major(), Some(2));
        assert_eq!(Version::parse("3.0.0-beta.rc1").unwrap().as_str(), "3.0.0-beta.rc1");
        for text in ["", "v3", "<b>3</b>", "3.0 (somewhere)", &"3".repeat(33)] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
