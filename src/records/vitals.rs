//! Vitals: what was measured on a body at one moment.

use super::{Context, Entry, Group, NoChild, Record, column, columns, head, link_column, statements};
use crate::{
    dates::PartialDate,
    db::types::choice,
    measured::{self, Measured},
    records::field::{Errors, Field, FieldError, Input, Measure, Unit, refuse},
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

/// A measured column: its unit, what is refused as impossible and what is asked about, both in the base unit (kg, cm, C, mmol/L).
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
        column!(systolic_bp).list().paired("diastolic_bp", "blood_pressure").input(measure(
            Unit::Fixed("mm[Hg]"),
            (0.0, 400.0),
            (60.0, 260.0),
        )),
        column!(diastolic_bp).input(measure(Unit::Fixed("mm[Hg]"), (0.0, 300.0), (30.0, 160.0))),
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
        if body.systolic_bp.is_some() || body.diastolic_bp.is_some() {
            let told = |value: &Option<Measured>| value.as_ref().map_or_else(|| "–".to_owned(), short);
            parts.push(format!("{}/{} mmHg", told(&body.systolic_bp), told(&body.diastolic_bp)));
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
            (&body.bmi, Some("kg/m²")),
            (&body.pain_scale, Some("of 10 pain")),
        ];
        parts.extend(with_unit.iter().filter_map(|(value, unit)| {
            value.as_ref().map(|value| format!("{} {}", short(value), unit.unwrap_or_default()).trim_end().to_owned())
        }));
        parts.truncate(4);
        parts.join(", ")
    }

    fn settle(entry: &mut Entry<Self>, context: &Context<'_>, errors: &mut Errors) {
        let body = &mut entry.body;
        if context.strict && !body.measures_something() {
            refuse(errors, "systolic_bp", FieldError::Missing("error.nothing_measured"));
        }
        if let (Some(systolic), Some(diastolic)) = (number(body.systolic_bp.as_ref()), number(body.diastolic_bp.as_ref()))
            && context.strict
            && diastolic > systolic
        {
            refuse(errors, "diastolic_bp", "error.diastolic_over_systolic");
        }
        if let Some(computed) = body.computed_bmi() {
            let told = number(body.bmi.as_ref());
            let outdated = context.strict && told.is_some_and(|told| (told - computed).abs() > BMI_TOLERANCE);
            if told.is_none() || outdated {
                body.bmi = Measured::parse_strict(&format!("{computed:.1}")).ok();
            }
        }
    }
    statements!(vitals);
}

/// A title is read, not calculated with.
fn short(value: &Measured) -> String {
    measured::brief(value.as_str()).unwrap_or_else(|| value.as_str().to_owned())
}

fn number(value: Option<&Measured>) -> Option<f64> {
    value.and_then(Measured::number)
}

/// A told BMI that is further off belongs to another weight or height. Growth charts print one decimal.
const BMI_TOLERANCE: f64 = 0.1;

impl Vitals {
    fn measures_something(&self) -> bool {
        [
            &self.systolic_bp,
            &self.diastolic_bp,
            &self.heart_rate,
            &self.temperature,
            &self.weight,
            &self.height,
            &self.oxygen_saturation,
            &self.respiratory_rate,
            &self.blood_glucose,
            &self.a1c,
            &self.bmi,
            &self.pain_scale,
        ]
        .iter()
        .any(|value| value.is_some())
    }

    /// Weight in kilograms over the square of height in metres.
    fn computed_bmi(&self) -> Option<f64> {
        let kilograms = units::to_base(number(self.weight.as_ref())?, units::Unit::find(self.weight_unit?.as_str())?);
        let metres = units::to_base(number(self.height.as_ref())?, units::Unit::find(self.height_unit?.as_str())?) / 100.0;
        (metres > 0.0).then(|| kilograms / (metres * metres))
    }
}

#[cfg(test)]
mod tests {
    use crate::records::{
        field::FieldError,
        testing::{imported, told},
    };

    const BODY: [(&str, &str); 5] =
        [("recorded_date", "2026-03-01"), ("weight", "160"), ("weight_unit", "lbs"), ("height", "180"), ("height_unit", "cm")];

    #[test]
    fn the_bmi_follows_weight_and_height() {
        let bmi = |said: &[(&str, &str)]| told("vitals", &[&BODY[..], said].concat(), &[]).value("bmi");
        assert_eq!(bmi(&[]).as_deref(), Some("22.4"));
        assert_eq!(bmi(&[("bmi", "22.40")]).as_deref(), Some("22.40"), "as printed");
        assert_eq!(bmi(&[("bmi", "31")]).as_deref(), Some("22.4"));
        assert_eq!(imported("vitals", &[&BODY[..], &[("bmi", "31")]].concat(), &[]).value("bmi").as_deref(), Some("31"));
    }

    #[test]
    fn ordinary_values_pass_and_bounds_are_told_in_their_unit() {
        let ordinary = [("temperature", "98.6"), ("temperature_unit", "F"), ("blood_glucose", "100"), ("blood_glucose_unit", "mg/dL")];
        assert!(told("vitals", &[&BODY[..], &ordinary].concat(), &[]).errors.is_empty());
        let mmol = [("blood_glucose", "5.6"), ("blood_glucose_unit", "mmol/L")];
        assert!(told("vitals", &[&BODY[..], &mmol].concat(), &[]).errors.is_empty());
        let fever = told("vitals", &[&BODY[..], &[("temperature", "200"), ("temperature_unit", "F")]].concat(), &[]);
        let range = FieldError::OutOfRange { min: "50.0".into(), max: "122.0".into() };
        assert_eq!(fever.error("temperature"), Some(&range));
    }

    #[test]
    fn something_was_measured() {
        let date = [("recorded_date", "2026-03-01")];
        assert_eq!(told("vitals", &date, &[]).wrong(), [("systolic_bp", "error.nothing_measured")]);
        let refused = told("vitals", &[&date[..], &[("heart_rate", "1e400")]].concat(), &[]);
        assert_eq!(refused.wrong(), [("heart_rate", "error.not_a_number")], "what follows from it is not said as well");
        let one = |name| told("vitals", &[&date[..], &[(name, "<90")]].concat(), &[]).entry.title();
        assert_eq!((one("systolic_bp"), one("diastolic_bp")), ("<90/– mmHg".to_owned(), "–/<90 mmHg".to_owned()));
        let pain = told("vitals", &[&date[..], &[("pain_scale", "3")]].concat(), &[]);
        assert_eq!((pain.wrong(), pain.entry.title().as_str()), (vec![], "3 of 10 pain"));
    }
}
