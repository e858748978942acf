//! Insurance: who pays for what, under which number.

use super::{Context, Entry, Group, NoChild, Record, column, columns, head, statements};
use crate::{
    dates::PartialDate,
    db::types::choice,
    records::field::{Details, Errors, Field, Groups, Input, refuse},
};

choice!(InsuranceStatus { Active = "active", Inactive = "inactive", Expired = "expired", Pending = "pending" });
choice!(InsuranceType { Medical = "medical", Dental = "dental", Vision = "vision", Prescription = "prescription" });

columns! {
    Insurance in insurance {
        insurance_type: InsuranceType,
        company_name: String,
        employer_group: String,
        member_name: String,
        member_id: String,
        group_number: String,
        plan_name: String,
        policy_holder_name: String,
        relationship_to_holder: String,
        effective_date: PartialDate,
        expiration_date: PartialDate,
        coverage_details: Details,
        contact_info: Details,
    } flags { is_primary }
}

/// What a card or a policy says of costs.
const COVERAGE: &[&str] = &[
    "copay_primary",
    "copay_specialist",
    "copay_emergency",
    "copay_urgent_care",
    "deductible",
    "deductible_met",
    "deductible_family",
    "out_of_pocket_max",
    "out_of_pocket_met",
    "coinsurance",
    "preauthorization_required",
    "bin",
    "pcn",
    "rx_group",
    "copay_generic",
    "copay_brand",
    "copay_specialty",
    "annual_maximum",
    "preventive_coverage",
    "basic_coverage",
    "major_coverage",
    "orthodontic_coverage",
    "exam_copay",
    "frame_allowance",
    "lens_allowance",
    "contact_allowance",
];
/// The same by the type of the policy.
const COVERAGE_OF: Groups = Groups {
    by: "insurance_type",
    of: &[
        (
            "medical",
            &[
                "copay_primary",
                "copay_specialist",
                "copay_emergency",
                "copay_urgent_care",
                "deductible",
                "deductible_met",
                "deductible_family",
                "out_of_pocket_max",
                "out_of_pocket_met",
                "coinsurance",
                "preauthorization_required",
            ],
        ),
        ("dental", &["annual_maximum", "preventive_coverage", "basic_coverage", "major_coverage", "orthodontic_coverage"]),
        ("vision", &["exam_copay", "frame_allowance", "lens_allowance", "contact_allowance"]),
        ("prescription", &["bin", "pcn", "rx_group", "copay_generic", "copay_brand", "copay_specialty"]),
    ],
};
const CONTACT: &[&str] = &["phone", "fax", "website", "address", "claims_address"];

impl Record for Insurance {
    const KIND: &'static str = "insurance";
    const GROUP: Group = Group::People;
    const OCCURRED: &'static [&'static str] = &["effective_date"];
    const ENDED: Option<&'static str> = Some("expiration_date");
    const EXCLUSIVE: Option<(&'static str, Option<&'static str>)> = Some(("is_primary", Some("insurance_type")));
    const FIELDS: &'static [Field<Entry<Self>>] = &[
        column!(insurance_type).section("policy").required().list().preset("medical"),
        column!(company_name).section("policy").required().list(),
        column!(plan_name).section("policy").list(),
        column!(member_name).section("policy").required(),
        column!(member_id).section("policy").required().list(),
        column!(group_number).section("policy"),
        column!(effective_date).section("policy").required().future(),
        column!(expiration_date).section("policy").list().future(),
        head::status::<Self, InsuranceStatus>().section("policy").default("active"),
        column!(is_primary).section("policy").list().default("false"),
        column!(policy_holder_name).section("policy"),
        column!(relationship_to_holder).section("policy"),
        column!(employer_group).section("policy"),
        column!(coverage_details).section("coverage").input(Input::Details(COVERAGE)).grouped(COVERAGE_OF),
        column!(contact_info).section("contact").input(Input::Details(CONTACT)),
        head::sensitivity(),
        head::notes(),
    ];
    type Child = NoChild;

    fn title(entry: &Entry<Self>) -> String {
        let parts = [&entry.body.company_name, &entry.body.plan_name];
        parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    /// A policy that has not begun is pending, or was given up before it did.
    fn settle(entry: &mut Entry<Self>, context: &Context<'_>, errors: &mut Errors) {
        let status = entry.head.status.as_deref().and_then(InsuranceStatus::parse);
        let waiting = matches!(status, Some(InsuranceStatus::Pending | InsuranceStatus::Inactive));
        let ahead = |date: &Option<PartialDate>| date.as_ref().is_some_and(|date| date.is_after_today(context.today));
        if context.strict && !waiting && ahead(&entry.body.effective_date) {
            refuse(errors, "effective_date", "error.future_needs_pending");
        }
        if context.strict && status == Some(InsuranceStatus::Expired) && ahead(&entry.body.expiration_date) {
            refuse(errors, "expiration_date", "error.expired_in_the_future");
        }
    }
    statements!(insurance);
}

#[cfg(test)]
mod tests {
    use crate::records::testing::told;

    const POLICY: [(&str, &str); 5] = [
        ("insurance_type", "medical"),
        ("company_name", "Aetna"),
        ("plan_name", "Gold"),
        ("member_name", "Ada Okafor"),
        ("member_id", "W1"),
    ];

    #[test]
    fn a_policy_that_has_not_begun_is_pending() {
        let from = |date, status| told("insurance", &[&POLICY[..], &[("effective_date", date), ("status", status)]].concat(), &[]);
        assert!(from("2027-01-01", "pending").errors.is_empty());
        assert_eq!(from("2027-01-01", "active").wrong(), [("effective_date", "error.future_needs_pending")]);
        assert_eq!(from("2026-01-01", "active").entry.title(), "Aetna, Gold");
    }

    #[test]
    fn expiry_fits_start_and_status() {
        let until = |date, status| {
            told("insurance", &[&POLICY[..], &[("effective_date", "2025"), ("expiration_date", date), ("status", status)]].concat(), &[])
        };
        assert_eq!(until("2024-12-31", "expired").wrong(), [("expiration_date", "error.end_before_start")]);
        assert_eq!(until("2026-12-31", "expired").wrong(), [("expiration_date", "error.expired_in_the_future")]);
        assert!(until("2026-12-31", "active").errors.is_empty());
    }

    #[test]
    fn every_detail_of_the_cover_belongs_to_one_type() {
        let mut grouped: Vec<&str> = super::COVERAGE_OF.of.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let mut all = super::COVERAGE.to_vec();
        grouped.sort_unstable();
        all.sort_unstable();
        assert_eq!(grouped, all);
        let types: Vec<&str> = super::COVERAGE_OF.of.iter().map(|(word, _)| *word).collect();
        assert_eq!(types, <super::InsuranceType as crate::records::field::Choice>::ALL);
    }

    #[test]
    fn details_have_known_names() {
        let with = |details| told("insurance", &[&POLICY[..], &[("effective_date", "2025"), ("coverage_details", details)]].concat(), &[]);
        assert_eq!(
            with(r#"{"bin":"610502","deductible":1500.50}"#).value("coverage_details").as_deref(),
            Some(r#"{"bin":"610502","deductible":"1500.50"}"#)
        );
        assert_eq!(with(r#"{"colour":"red"}"#).wrong(), [("coverage_details", "error.unknown_name")]);
    }
}
