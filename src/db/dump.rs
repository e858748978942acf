//! A copy of a `PostgreSQL` by its own `pg_dump`.

use std::{
    io,
    path::Path,
    process::{Command, Stdio},
};

use super::MigrateError;
use crate::disk;

/// Writes the whole database to that file, which has its name only when it is whole.
pub fn make(url: &str, file: &Path) -> Result<(), MigrateError> {
    let part = file.with_extension("dump.part");
    let told = |error: io::Error| MigrateError::Copy(format!("{}: {error}", part.display()));
    // Everybody's records will be in it.
    disk::create_private_anew(&part).map_err(told)?;
    let made = run(url, &part).and_then(|()| disk::keep(&part, file).map_err(told));
    // Half a copy helps nobody; after the rename there is nothing left to remove.
    let _ = std::fs::remove_file(&part);
    made
}

fn run(url: &str, part: &Path) -> Result<(), MigrateError> {
    let address = Address::of(url);
    let mut command = Command::new("pg_dump");
    command.args(["--format=custom", "--no-password", "--file"]).arg(part).arg("--dbname").arg(&address.url).stdin(Stdio::null());
    if let Some(password) = &address.password {
        // Not as an argument: every user of the machine may read those.
        command.env("PGPASSWORD", password);
    }
    let output = command.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => MigrateError::Copy("pg_dump (Debian: postgresql-client) is not installed".to_owned()),
        _ => MigrateError::Copy(format!("pg_dump: {error}")),
    })?;
    if output.status.success() {
        return Ok(());
    }
    Err(MigrateError::Copy(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

/// A URL without its password, and the password.
#[derive(Debug, PartialEq)]
struct Address {
    url: String,
    password: Option<String>,
}

impl Address {
    fn of(url: &str) -> Self {
        let unchanged = || Self { url: url.to_owned(), password: None };
        let Some((scheme, rest)) = url.split_once("://") else { return unchanged() };
        let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let Some(((user, password), host)) = host.rsplit_once('@').and_then(|(who, host)| Some((who.split_once(':')?, host))) else {
            return unchanged();
        };
        Self { url: format!("{scheme}://{user}@{host}{path}"), password: Some(decoded(password)) }
    }
}

/// `%40` is `@`; what is no such escape stays.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.split_at_checked(2).filter(|_| *first == b'%').and_then(|(hex, after)| {
            let hex = std::str::from_utf8(hex).ok()?;
            Some((u8::from_str_radix(hex, 16).ok()?, after))
        });
        let (byte, next) = escaped.unwrap_or((*first, after));
        bytes.push(byte);
        rest = next;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_taken_out_of_the_url() {
        let of = |url| {
            let address = Address::of(url);
            (address.url, address.password)
        };
        assert_eq!(
            of("postgres://ann:p%40s%2Fs:1@host:5/db?sslmode=require"),
            ("postgres://ann@host:5/db?sslmode=require".to_owned(), Some("p@s/s:1".to_owned()))
        );
        for plain in ["postgres://host/db", "postgres://ann@host/db", "postgres:///db?host=/run", "postgres://ann@host/a:b@c"] {
            assert_eq!(of(plain), (plain.to_owned(), None));
        }
        assert_eq!(decoded("100%"), "100%");
    }
}
