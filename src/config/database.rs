//! The setting of the database.

use std::{fmt, path::PathBuf};

/// Which database, and whether it may be made.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    /// A file.
    Sqlite {
        /// Its path.
        file: PathBuf,
        /// Only the default is made on demand; a mistyped path must not become an empty record.
        create: bool,
    },
    /// A server.
    Postgres {
        /// With the password.
        url: String,
    },
}

impl Database {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres { url: text.to_owned() });
        }
        let path = text.strip_prefix("sqlite:").ok_or("must begin with sqlite: or postgres://")?;
        let file = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
        let exists = file.is_file();
        exists.then_some(Self::Sqlite { file, create: false }).ok_or_else(|| "names a file that does not exist".to_owned())
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite { file, create } => f.debug_struct("Sqlite").field("file", file).field("create", create).finish(),
            Self::Postgres { .. } => f.write_str("Postgres(hidden)"),
        }
    }
}
