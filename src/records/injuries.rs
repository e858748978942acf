//! Injuries: what happened to a body, how, and how it heals.

use super::{Entry, Group, NoChild, Record, choices::Severity, column, columns, head, link_column, statements};
use crate::{dates::PartialDate, db::types::choice, records::field::Field};

choice!(InjuryStatus { Active = "active", Healing = "healing", Resolved = "resolved", Chronic = "chronic" });
choice!(
    /// On which side of the body; `none` where there are no sides.
    Laterality { Left = "left", Right = "right", Both = "both", None = "none" }
);

columns! {
    Injury in injuries {
        injury_name: String,
        injury_type: String,
        body_part: String,
        laterality: Laterality,
        date_of_injury: PartialDate,
        mechanism: String,
        severity: Severity,
        treatment_received: String,
        recovery_notes: String,
    }
}

impl Record for Injury {
    const KIND: &'static str = "injuries";
    const GROUP: Group = Group::Health;
    const OCCURRED: &'static [&'static str] = &["date_of_injury"];
    const FIELDS: &'static [Field<Entry<Self>>] = &[
        column!(injury_name).required().list(),
        column!(body_part).list(),
        column!(laterality),
        column!(date_of_injury).list(),
        column!(severity).list(),
        head::status::<Self, InjuryStatus>().preset("active"),
        column!(mechanism).long(),
        column!(treatment_received).long(),
        column!(recovery_notes).long(),
        column!(injury_type).more(),
        head::practitioner().more(),
        link_column!("visit_id", "encounters").more(),
        head::sensitivity(),
        head::notes(),
    ];
    type Child = NoChild;

    fn title(entry: &Entry<Self>) -> String {
        entry.body.injury_name.clone().unwrap_or_default()
    }
    statements!(injuries);
}
