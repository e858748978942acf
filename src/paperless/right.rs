//! The rights that an account of Paperless-ngx needs, each by its name there.

use std::fmt;

/// A right as `/api/ui_settings/` lists it and as Paperless-ngx shows it among a user's permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    ViewDocument,
    AddDocument,
    ChangeDocument,
    /// Without it nobody learns what became of an upload.
    ViewTask,
    ViewTag,
    AddTag,
    ViewCorrespondent,
    AddCorrespondent,
    ViewDocumentType,
    AddDocumentType,
    ViewCustomField,
    AddCustomField,
    /// Not needed: it takes what belongs to somebody else out of the trash.
    DeleteDocument,
    /// Not needed: without it the others are found out by trying.
    ViewSettings,
}

impl Right {
    /// All that are needed.
    pub const NEEDED: [Self; 12] = [
        Self::ViewDocument,
        Self::AddDocument,
        Self::ChangeDocument,
        Self::ViewTask,
        Self::ViewTag,
        Self::AddTag,
        Self::ViewCorrespondent,
        Self::AddCorrespondent,
        Self::ViewDocumentType,
        Self::AddDocumentType,
        Self::ViewCustomField,
        Self::AddCustomField,
    ];

    /// Its name in Paperless-ngx.
    pub fn name(self) -> &'static str {
        match self {
            Self::ViewDocument => "view_document",
            Self::AddDocument => "add_document",
            Self::ChangeDocument => "change_document",
            Self::ViewTask => "view_paperlesstask",
            Self::ViewTag => "view_tag",
            Self::AddTag => "add_tag",
            Self::ViewCorrespondent => "view_correspondent",
            Self::AddCorrespondent => "add_correspondent",
            Self::ViewDocumentType => "view_documenttype",
            Self::AddDocumentType => "add_documenttype",
            Self::ViewCustomField => "view_customfield",
            Self::AddCustomField => "add_customfield",
            Self::DeleteDocument => "delete_document",
            Self::ViewSettings => "view_uisettings",
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
