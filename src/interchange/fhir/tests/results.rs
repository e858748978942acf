use base64::Engine as _;
use serde_json::{Value, json};

use super::super::super::draft::{Draft, LeftoverReason, ProblemKind, Told};
use super::{about_ana, category, field, loinc, number, record, told};

fn test(id: &str, members: Value) -> Value {
    let mut resource = about_ana("Observation", members);
    resource["id"] = json!(id);
    resource["category"] = category("laboratory");
    resource
}

fn vital(id: &str, code: &str, quantity: Value) -> Value {
    about_ana(
        "Observation",
        json!({"id": id, "category": category("vital-signs"), "code": loinc(code, code), "effectiveDateTime": "2020-01-01T10:00:00Z", "valueQuantity": quantity}),
    )
}

fn keys(told: &Told) -> Vec<&str> {
    told.records.iter().map(|draft| draft.source_key.as_str()).collect()
}

fn row<'a>(draft: &'a Draft, at: usize, column: &str) -> &'a str {
    field(&draft.children.as_ref().unwrap()[at], column)
}

#[test]
fn a_report_is_one_record_in_its_own_order() {
    let told = told(&[
        test(
            "a",
            json!({"code": loinc("718-7", "Hemoglobin"), "valueQuantity": {"value": number("13.50"), "unit": "g/dL"}, "interpretation": [{"coding": [{"code": "L"}]}],
            "referenceRange": [{"low": {"value": number("14.0")}, "high": {"value": number("17.50")}, "text": "14-17.5 for men"}]}),
        ),
        test(
            "b",
            json!({"code": loinc("6690-2", "Leukocytes"), "valueQuantity": {"value": number("0.010"), "comparator": "<", "code": "10*3/uL"}, "note": [{"text": "clumped"}]}),
        ),
        about_ana(
            "DiagnosticReport",
            json!({"id": "r", "status": "final", "code": loinc("58410-2", "Blood count"), "category": [{"coding": [{"code": "LAB"}]}], "effectiveDateTime": "2020-01-01",
            "result": [{"reference": "Observation/b"}, {"reference": "Observation/a"}, {"reference": "Observation/gone"}], "conclusion": "Fine\nmostly"}),
        ),
    ]);
    assert_eq!(keys(&told), ["DiagnosticReport/r"]);
    let report = &told.records[0];
    for (column, text) in [
        ("test_name", "Blood count"),
        ("test_code", "58410-2"),
        ("test_category", "laboratory"),
        ("status", "completed"),
        ("completed_date", "2020-01-01"),
        ("is_panel", "true"),
        ("labs_result", "Fine\nmostly"),
        ("ordered_date", ""),
    ] {
        assert_eq!(field(&report.fields, column), text, "{column}");
    }
    assert_eq!(
        (row(report, 0, "test_name"), row(report, 0, "value"), row(report, 0, "unit"), row(report, 0, "notes")),
        ("Leukocytes", "<0.010", "10*3/uL", "clumped")
    );
    assert_eq!((row(report, 1, "value"), row(report, 1, "ref_range_min"), row(report, 1, "ref_range_max")), ("13.50", "14.0", "17.50"));
    assert_eq!((row(report, 1, "status"), row(report, 1, "ref_range_text")), ("low", "14-17.5 for men"));
    assert_eq!(report.parts.len(), 2);
    assert_eq!(report.original.as_array().map(Vec::len), Some(3));
    assert_eq!(told.problems[0].what, ProblemKind::DanglingReference("Observation/gone".to_owned()));
}

#[test]
fn no_result_counts_twice() {
    let report =
        |id: &str| about_ana("DiagnosticReport", json!({"id": id, "code": {"text": id}, "result": [{"reference": "Observation/a"}]}));
    let told = told(&[report("first"), report("second"), test("a", json!({"code": {"text": "Iron"}, "valueInteger": 7}))]);
    assert_eq!(told.records[0].children.as_ref().map(Vec::len), Some(1));
    assert!(told.records[1].children.is_none());
}

#[test]
fn a_panel_gathers_its_members_and_theirs() {
    let members = |ids: &[&str]| ids.iter().map(|id| json!({"reference": format!("Observation/{id}")})).collect::<Vec<_>>();
    let told = told(&[
        test("inner", json!({"code": {"text": "Inner"}, "hasMember": members(&["y", "outer"])})),
        test("x", json!({"code": {"text": "X"}, "valueBoolean": true})),
        test("y", json!({"code": {"text": "Y"}, "valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}})),
        test("top", json!({"code": {"text": "Top"}, "hasMember": members(&["x", "inner"]), "note": [{"text": "fasting"}]})),
        test("outer", json!({"code": {"text": "Outer"}, "hasMember": members(&["inner"])})),
    ]);
    assert_eq!(keys(&told), ["Observation/top"]);
    let panel = &told.records[0];
    assert_eq!(field(&panel.fields, "notes"), "fasting");
    let values: Vec<_> = panel.children.as_ref().unwrap().iter().map(|row| (field(row, "test_name"), field(row, "value"))).collect();
    assert_eq!(values, [("X", "yes"), ("Y", "1:128")]);
    assert_eq!(panel.parts.len(), 4);
}

#[test]
fn a_lone_test_keeps_every_sort_of_answer() {
    let answer = |members: Value| {
        let mut members = members;
        members["code"] = json!({"text": "T"});
        let draft = told(&[test("x", members)]).records.remove(0);
        format!("{} {} {}", row(&draft, 0, "result_type"), row(&draft, 0, "value"), row(&draft, 0, "unit"))
    };
    assert_eq!(answer(json!({"valueQuantity": {"value": number("-1.10e-3"), "unit": "U"}})), "quantitative -1.10e-3 U");
    assert_eq!(
        answer(json!({"valueQuantity": {"value": number("123456789012345678901234567890.10")}})),
        "quantitative 123456789012345678901234567890.10 "
    );
    assert_eq!(answer(json!({"valueQuantity": {"value": 3, "unit": "1", "code": "1"}})), "quantitative 3 ");
    assert_eq!(answer(json!({"valueQuantity": {"value": number("1.50E5")}})), "quantitative 1.50e+5 ");
    assert_eq!(answer(json!({"valueString": "5.40"})), "quantitative 5.40 ");
    assert_eq!(answer(json!({"valueString": "cloudy"})), "textual cloudy ");
    assert_eq!(answer(json!({"valueCodeableConcept": {"coding": [{"display": "Positive"}]}})), "qualitative Positive ");
    assert_eq!(
        answer(json!({"valueRange": {"low": {"value": 1, "unit": "/hpf"}, "high": {"value": 3, "unit": "/hpf"}}})),
        "textual 1 - 3 /hpf"
    );
    assert_eq!(answer(json!({"valueDateTime": "2020-02"})), "textual 2020-02 ");
    let missing = told(&[test(
        "x",
        json!({"code": {"text": "T"}, "dataAbsentReason": {"coding": [{"code": "not-performed", "display": "Not Performed"}]}}),
    )]);
    assert_eq!(row(&missing.records[0], 0, "notes"), "no value: Not Performed");
    let curve = told(&[test("x", json!({"code": {"text": "T"}, "valueSampledData": {"data": "1 2 3"}}))]);
    assert_eq!(curve.leftovers[0].reason, LeftoverReason::NoHomeYet);
}

#[test]
fn a_written_report_keeps_its_text_and_a_document_is_told() {
    let text = base64::engine::general_purpose::STANDARD_NO_PAD.encode("Lungs clear.\nHeart normal.");
    let told = told(&[about_ana(
        "DiagnosticReport",
        json!({"code": {"text": "Chest"}, "category": [{"text": "Radiology"}], "issued": "2020-01-01T09:00:00Z",
        "presentedForm": [{"contentType": "text/plain; charset=utf-8", "data": text}, {"contentType": "application/pdf", "data": "JVBE"}]}),
    )]);
    let report = &told.records[0];
    assert_eq!(field(&report.fields, "notes"), "Lungs clear.\nHeart normal.");
    assert_eq!(field(&report.fields, "test_category"), "Radiology");
    assert_eq!(field(&report.fields, "completed_date"), "2020-01-01T09:00:00Z");
    assert_eq!(told.problems[0].what, ProblemKind::Other("attachment_kept"));
}

#[test]
fn vital_signs_of_one_moment_are_one_record() {
    let pressure = |id: &str, systolic: &str| {
        about_ana(
            "Observation",
            json!({"id": id, "category": category("vital-signs"), "code": loinc("85354-9", "BP"), "effectiveDateTime": "2020-01-01T10:00:00Z", "component": [
            {"code": loinc("8480-6", "Systolic"), "valueQuantity": {"value": number(systolic), "unit": "mmHg", "code": "mm[Hg]"}},
            {"code": loinc("8462-4", "Diastolic"), "valueQuantity": {"value": 80, "code": "mm[Hg]"}},
            {"code": loinc("8478-0", "Mean"), "valueQuantity": {"value": 93, "unit": "mmHg"}}]}),
        )
    };
    let told = told(&[
        pressure("1", "120.0"),
        vital("2", "29463-7", json!({"value": number("150.20"), "unit": "lb", "code": "[lb_av]"})),
        vital("3", "8331-1", json!({"value": 37, "unit": "Cel"})),
        vital("4", "9843-4", json!({"value": 47, "unit": "cm"})),
        pressure("5", "130"),
        about_ana(
            "Observation",
            json!({"id": "6", "category": category("vital-signs"), "code": loinc("85353-1", "Panel"), "hasMember": [{"reference": "Observation/2"}]}),
        ),
    ]);
    assert_eq!(keys(&told), ["Observation/4", "Vitals/Patient/ana/2020-01-01T10:00:00Z", "Vitals/Patient/ana/2020-01-01T10:00:00Z/2"]);
    let first = &told.records[1];
    for (column, text) in [
        ("systolic_bp", "120.0"),
        ("diastolic_bp", "80"),
        ("weight", "150.20"),
        ("weight_unit", "lbs"),
        ("temperature", "37"),
        ("temperature_unit", "C"),
        ("notes", "Mean: 93 mmHg"),
        ("recorded_date", "2020-01-01T10:00:00Z"),
    ] {
        assert_eq!(field(&first.fields, column), text, "{column}");
    }
    assert_eq!(first.parts.len(), 4);
    assert_eq!(field(&told.records[2].fields, "systolic_bp"), "130");
    assert_eq!(field(&told.records[0].fields, "category"), "exam");
}

#[test]
fn a_unit_that_the_column_cannot_hold_makes_an_observation() {
    let told = told(&[vital("1", "8310-5", json!({"value": 310, "unit": "K"})), vital("2", "29463-7", json!({"value": 70}))]);
    assert_eq!(keys(&told), ["Observation/1", "Observation/2"]);
    assert_eq!((told.records[0].kind, field(&told.records[0].fields, "value_unit")), ("observations", "K"));
    let problems: Vec<_> = told.problems.iter().map(|problem| problem.what.clone()).collect();
    assert_eq!(problems, [ProblemKind::UnknownUnit("K".to_owned()), ProblemKind::UnknownUnit(String::new())]);
}

#[test]
fn sugar_is_a_laboratory_test_unless_called_a_vital_sign() {
    let sugar = json!({"value": 5, "unit": "mmol/L"});
    let told =
        told(&[vital("1", "15074-8", sugar.clone()), test("2", json!({"code": loinc("15074-8", "Glucose"), "valueQuantity": sugar}))]);
    assert_eq!(keys(&told), ["Observation/2", "Vitals/Patient/ana/2020-01-01T10:00:00Z"]);
    assert_eq!(field(&told.records[1].fields, "blood_glucose_unit"), "mmol/L");
    // A pulse says what it is without a category.
    let bare = record("Observation", json!({"code": loinc("8867-4", "Pulse"), "valueQuantity": {"value": 60, "unit": "beats/minute"}}));
    assert_eq!((bare.kind, field(&bare.fields, "heart_rate"), bare.source_key.as_str()), ("vitals", "60", "Vitals/Observation/x"));
}

#[test]
fn a_survey_with_several_answers_is_one_text() {
    let draft = record(
        "Observation",
        json!({"category": category("survey"), "code": loinc("93025-5", "PRAPARE"), "effectiveDateTime": "2020", "component": [
        {"code": {"text": "Housing"}, "valueCodeableConcept": {"text": "I have housing"}}, {"code": {"text": "People"}, "valueQuantity": {"value": 3, "unit": "{#}"}}]}),
    );
    assert_eq!(field(&draft.fields, "value"), "Housing: I have housing; People: 3 {#}");
    assert_eq!(
        (field(&draft.fields, "category"), field(&draft.fields, "code"), field(&draft.fields, "observed_on")),
        ("survey", "93025-5", "2020")
    );
}
