//! Two versions of one record, field by field where they differ.

use crate::{
    page::Ui,
    records::{
        Kind,
        chart::{Draft, Loaded},
        field::FieldSpec,
        version::Snapshot,
        view::{self, Names},
    },
};

/// What somebody else saved meanwhile, beside what this person wants.
pub struct ConflictLine {
    pub label: String,
    pub theirs: String,
    pub mine: String,
}

/// Both versions, field by field, where they differ.
pub(super) fn conflict(ui: &Ui, patient: &str, kind: &Kind, current: &Loaded, mine: &Draft) -> Vec<ConflictLine> {
    let names = Names::default();
    let words =
        |spec: &FieldSpec, text: Option<String>| text.map(|t| view::show(ui, patient, spec, &t, None, &names).text).unwrap_or_default();
    let mut lines: Vec<ConflictLine> = kind
        .fields
        .iter()
        .enumerate()
        .filter(|(i, _)| current.entry.get(*i) != mine.entry.get(*i))
        .map(|(i, spec)| ConflictLine {
            label: ui.label(kind.word(), spec.name),
            theirs: words(spec, current.entry.get(i)),
            mine: words(spec, mine.entry.get(i)),
        })
        .collect();
    let tags: Vec<String> = current.tags.iter().map(|tag| tag.name.clone()).collect();
    let (old, new) = (Snapshot::of(kind, current.entry.as_ref(), &tags, &[]), Snapshot::of(kind, mine.entry.as_ref(), &tags, &[]));
    if old.children != new.children {
        let text = |snapshot: &Snapshot| {
            let rows: Vec<String> =
                snapshot.children.iter().map(|row| row.iter().map(|(_, v)| v.as_str()).collect::<Vec<_>>().join(" ")).collect();
            rows.join("; ")
        };
        let label = kind.children.as_ref().map(|c| ui.t(&format!("children.{}", c.name))).unwrap_or_default();
        lines.push(ConflictLine { label, theirs: text(&old), mine: text(&new) });
    }
    lines
}
