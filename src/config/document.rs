//! The table as `docs/configuration.md`.

use super::table::SETTINGS;

/// The text of `docs/configuration.md`.
#[must_use]
pub fn document() -> String {
    let rows = SETTINGS.iter().map(|setting| {
        let secret = if setting.secret { "yes" } else { "no" };
        format!("| `{}` | {} | {} | {secret} |\n", setting.name, setting.default, setting.description)
    });
    std::iter::once(INTRODUCTION.to_owned()).chain(rows).collect()
}

const INTRODUCTION: &str = "\
# Settings

<!-- Written by `src/config/document.rs` from `src/config/table.rs`: change it there, then run `cargo test -- --ignored write_the_settings_document`. -->

Kinchart is set up by environment variables alone. All have a default that works on one machine; an empty value counts as none.

A secret can also come from a file: `KINCHART_SECRET_KEY_FILE=/run/secrets/key` instead of `KINCHART_SECRET_KEY`. A line break at the
file's end is dropped; setting both is an error.

A variable that begins with `KINCHART_` and is not in the table stops the program, which names the setting that was probably meant.
Only the ones that Kubernetes sets for a service called `kinchart` are ignored: `KINCHART_PORT`, `KINCHART_PORT_*` and
`KINCHART_SERVICE_*`.

| Variable | Default | What it does | Secret |
|---|---|---|---|
";

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::document;

    fn document_path() -> PathBuf {
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md"))
    }

    #[test]
    fn the_settings_document_is_up_to_date() {
        let written = fs::read_to_string(document_path()).unwrap_or_default();
        assert!(written == document(), "run: cargo test -- --ignored write_the_settings_document");
    }

    #[test]
    #[ignore = "writes docs/configuration.md"]
    fn write_the_settings_document() {
        fs::write(document_path(), document()).unwrap();
    }
}
