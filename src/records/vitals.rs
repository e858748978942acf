//! Vitals: what was measured on a body at one moment.

use super::{Context, Entry, Group, NoChild, Record, column, columns, head, link_column, statements};
use crate::{
    dates::PartialDate,
    db::types::choice,
    measured::Measured,
    records::field::{Errors, Field, FieldError, Input, Measure, Unit},
    units,
};

choice!(TemperatureUnit { Celsius = "C", Fahrenheit = "F" });
choice!(WeightUnit { Kilogram = "kg", Pound = "lbs", Gram = "g", Ounce = "oz" });
choice!(HeightUnit { Centimetre = "cm", Inch = "in", Metre = "m", Foot = "ft" });
choice!(GlucoseUnit { MgPerDl = "mg/dL", MmolPerL = "mmol/L" });
choice!(GlucoseContext { Fasting = "fasting", BeforeMeal = "before_meal", AfterMeal = "after_meal", Bedtime = "bedtime", Random = "random" });

columns! {
    Vitals in vitals {
        recorded_date: PartialDate,
        systolic_bp: Measured,
        diastolic_bp: Measured,
        heart_rate: Measured,
        temperature: Measured,
        temperature_unit: TemperatureUnit,
        weight: Measured,
        weight_unit: WeightUnit,
        height: Measured,
        height_unit: HeightUnit,
        oxygen_saturation: Measured,
        respiratory_rate: Measured,
        blood_glucose: Measured,
        blood_glucose_unit: GlucoseUnit,
        glucose_context: GlucoseContext,
        a1c: Measured,
        bmi: Measured,
        pain_scale: Measured,
        location: String,
        device_used: String,
        import_source: String,
    }
}

/// A measured column: its unit, what is refused as impossible and what is asked about, both in the base unit (kg, cm, Cel, mmol/L).
/// The bounds are wide on purpose: a premature baby and a record holder are people too.
const fn measure(unit: Unit, possible: (f64, f64), plausible: (f64, f64)) -> Input {
    Input::Measured(Measure { unit, possible, plausible })
}

impl Record for Vitals {
    const KIND: &'static str = "vitals";
    const GROUP: Group = Group::Results;
    const OCCURRED: &'static [&'static str] = &["recorded_date"];
    const FIELDS: &'static [Field<Entry<Self>>] = &[
        column!(recorded_date).required().list(),
        column!(systolic_bp).list().input(measure(Unit::Fixed("mm[Hg]"), (0.0, 400.0), (60.0, 260.0))),
        column!(diastolic_bp).list().input(measure(Unit::Fixed("mm[Hg]"), (0.0, 300.0), (30.0, 160.0))),
        column!(heart_rate).list().input(measure(Unit::Fixed("/min"), (0.0, 500.0), (25.0, 240.0))),
        column!(temperature).list().input(measure(Unit::Column("temperature_unit"), (10.0, 50.0), (30.0, 43.0))),
        column!(temperature_unit),
        column!(weight).list().input(measure(Unit::Column("weight_unit"), (0.1, 700.0), (0.4, 350.0))),
        column!(weight_unit),
        column!(height).list().input(measure(Unit::Column("height_unit"), (10.0, 300.0), (20.0, 230.0))),
        column!(height_unit),
        column!(oxygen_saturation).list().input(measure(Unit::Fixed("%"), (0.0, 100.0), (60.0, 100.0))),
        column!(respiratory_rate).input(measure(Unit::Fixed("/min"), (0.0, 200.0), (5.0, 80.0))),
        column!(blood_glucose).input(measure(Unit::Column("blood_glucose_unit"), (0.0, 150.0), (1.0, 50.0))),
        column!(blood_glucose_unit),
        column!(glucose_context),
        column!(a1c).input(measure(Unit::Fixed("%"), (0.0, 100.0), (3.0, 20.0))),
        column!(bmi).more().input(measure(Unit::Fixed("kg/m2"), (1.0, 300.0), (7.0, 110.0))),
        column!(pain_scale).input(measure(Unit::Fixed("{score}"), (0.0, 10.0), (0.0, 10.0))),
        head::practitioner().more(),
        column!(location).more(),
        column!(device_used).more(),
        column!(import_source).more(),
        link_column!("visit_id", "encounters").more(),
        head::sensitivity(),
        head::notes(),
    ];
    type Child = NoChild;

    /// What was measured, the way people say it: `118/76 mmHg, 72.5 kg`; never an invented name.
    fn title(entry: &Entry<Self>) -> String {
        let body = &entry.body;
        let mut parts = Vec::new();
        if let (Some(systolic), Some(diastolic)) = (&body.systolic_bp, &body.diastolic_bp) {
            parts.push(format!("{systolic}/{diastolic} mmHg"));
        }
        let with_unit = [
            (&body.weight, body.weight_unit.map(|u| u.as_str())),
            (&body.height, body.height_unit.map(|u| u.as_str())),
            (&body.temperature, body.temperature_unit.map(|u| if u == TemperatureUnit::Celsius { "°C" } else { "°F" })),
            (&body.heart_rate, Some("/min")),
            (&body.oxygen_saturation, Some("% SpO₂")),
            (&body.blood_glucose, body.blood_glucose_unit.map(|u| u.as_str())),
            (&body.a1c, Some("% HbA1c")),
            (&body.respiratory_rate, Some("breaths/min")),
        ];
        parts.extend(with_unit.iter().filter_map(|(value, unit)| {
            value.as_ref().map(|value| format!("{value} {}", unit.unwrap_or_default()).trim_end().to_owned())
        }));
        parts.truncate(4);
        parts.join(", ")
    }

    fn settle(entry: &mut Entry<Self>, context: &Context<'_>, errors: &mut Errors) {
        let body = &mut entry.body;
        if context.strict && !body.measures_something() {
            errors.push(("systolic_bp".to_owned(), FieldError::Rule("error.nothing_measured")));
        }
        if let (Some(systolic), Some(diastolic)) = (number(body.systolic_bp.as_ref()), number(body.diastolic_bp.as_ref()))
            && context.strict
            && diastolic > systolic
        {
            errors.push(("diastolic_bp".to_owned(), FieldError::Rule("error.diastolic_over_systolic")));
        }
        if body.bmi.is_none() {
            body.bmi = body.computed_bmi();
        }
    }
    statements!(vitals);
}

fn number(value: Option<&Measured>) -> Option<f64> {
    value.and_then(Measured::number)
}

impl Vitals {
    fn measures_something(&self) -> bool {
        [
            &self.systolic_bp, &self.diastolic_bp, &self.heart_rate, &self.temperature, &self.weight, &self.height,
            &self.oxygen_saturation, &self.respiratory_rate, &self.blood_glucose, &self.a1c, &self.bmi, &self.pain_scale,
        ]
        .iter()
        .any(|value| value.is_some())
    }

    /// Weight in kilograms over the square of height in metres, to one decimal as growth charts print it.
    fn computed_bmi(&self) -> Option<Measured> {
        let kilograms = units::to_base(number(self.weight.as_ref())?, units::Unit::find(self.weight_unit?.as_str())?);
        let metres = units::to_base(number(self.height.as_ref())?, units::Unit::find(self.height_unit?.as_str())?) / 100.0;
        if metres <= 0.0 {
            return None;
        }
        Measured::parse_strict(&format!("{:.1}", kilograms / (metres * metres))).ok()
    }
}
