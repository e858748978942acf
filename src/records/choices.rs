//! Choices that several kinds share.

use crate::db::types::choice;

choice!(
    /// How bad, for allergies, conditions, injuries, occurrences of a symptom and relatives' conditions alike.
    Severity { Mild = "mild", Moderate = "moderate", Severe = "severe", LifeThreatening = "life-threatening" }
);

/// Most minutes a visit or a procedure takes: ten years, because a stay in a home is a visit to the systems that tell of it.
pub const MOST_MINUTES: i32 = 5_256_000;
