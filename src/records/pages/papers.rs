//! Documents that come with a record's form: held on to until the record is saved, and what was wrong with one.

use crate::{
    app::App,
    auth::session::Signed,
    error::Result,
    files::{self, pending, quota::Quota, upload},
    page::Ui,
    records::field::{Errors, FieldError},
};

/// The form's part for documents: what it holds on to, and what was wrong with one.
#[derive(Default)]
pub(super) struct PapersPart {
    pub(super) sealed: String,
    pub(super) lines: Vec<PaperLine>,
    pub(super) error: String,
    /// There is no room for one of them.
    pub(super) is_full: bool,
    /// The largest that is stored, in bytes; 0 is not known.
    pub(super) most: u64,
}

/// One document that waits for its record to be saved.
pub(super) struct PaperLine {
    pub(super) blob: String,
    pub(super) name: String,
    pub(super) size: String,
}

/// Documents that came with the form, and the same sealed, for the form to hold on to if it is shown again.
#[derive(Clone, Default)]
pub(super) struct Papers {
    pub(super) files: Vec<files::NewFile>,
    pub(super) sealed: String,
    pub(super) errors: Errors,
    /// What came and was not taken, by name.
    refused: Vec<(String, FieldError)>,
    most: u64,
    pub(super) quota: Quota,
}

const TOO_MANY: FieldError = FieldError::Rule("error.too_many_files");

impl Papers {
    pub(super) fn none(app: &App) -> Self {
        Self { most: app.config.max_upload, quota: app.quota(), ..Self::default() }
    }

    pub(super) fn part(&self, ui: &Ui, errors: &Errors) -> PapersPart {
        let line = |file: &files::NewFile| PaperLine {
            blob: file.blob.name.as_str().to_owned(),
            name: file.name.clone(),
            size: files::pages::size_word(ui, file.blob.arrived.size),
        };
        let wrong: Vec<(String, FieldError)> = errors.iter().filter(|(name, _)| name == "file").cloned().collect();
        // What has a name is told by it; the same is among the errors without one.
        let mut unnamed: Vec<&FieldError> = wrong.iter().map(|(_, error)| error).collect();
        for (_, error) in &self.refused {
            if let Some(at) = unnamed.iter().position(|known| *known == error) {
                unnamed.remove(at);
            }
        }
        let named = if wrong.is_empty() { &[][..] } else { self.refused.as_slice() };
        let told = named.iter().map(|(name, error)| ui.words.with("file.refused_one", &[("name", name), ("why", &ui.error(error))]));
        let told: Vec<String> = told.chain(unnamed.into_iter().map(|error| ui.error(error))).collect();
        PapersPart {
            sealed: self.sealed.clone(),
            lines: self.files.iter().map(line).collect(),
            error: told.join(" "),
            is_full: upload::is_full(&wrong),
            most: self.most,
        }
    }

    /// What came now, and what the form held on to, without what shall not be attached after all.
    pub(super) fn of(app: &App, signed: &Signed, received: &upload::Received) -> Result<Self> {
        let leave: Vec<&str> = received.fields.iter().filter(|(name, _)| name == pending::LEAVE).map(|(_, blob)| blob.as_str()).collect();
        let held = pending::open(&app.key, &signed.me.id, &received.field(pending::FIELD), &leave);
        let mut errors = received.errors();
        let again = received.fields.iter().any(|(name, _)| name == pending::AGAIN);
        if again || held.is_none() {
            errors.push(("file".to_owned(), FieldError::Rule("error.files_gone")));
        }
        let files: Vec<files::NewFile> = held.into_iter().flatten().chain(received.files.iter().cloned()).collect();
        if files.len() > upload::MOST_FILES && !errors.iter().any(|(_, error)| *error == TOO_MANY) {
            errors.push(("file".to_owned(), TOO_MANY));
        }
        let sealed = pending::seal(&app.key, &signed.me.id, &files)?;
        let mut refused = received.refused.clone();
        refused.retain(|(name, _)| !name.is_empty());
        Ok(Self { files, sealed, errors, refused, most: app.config.max_upload, quota: app.quota() })
    }

    /// The form again without them: what it held on to has been swept away meanwhile.
    pub(super) fn gone(self) -> Self {
        Self {
            errors: vec![("file".to_owned(), FieldError::Rule("error.files_gone"))],
            most: self.most,
            quota: self.quota,
            ..Self::default()
        }
    }
}
