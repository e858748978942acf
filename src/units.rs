//! Units people choose between, converted exactly and shown with as many digits as the measured value supports.

use rust_decimal::{Decimal, RoundingStrategy};

use crate::measured::Measured;

/// Milligrams a decilitre in one millimole a litre: glucose has a molar mass of 180.156 g/mol (`PubChem` CID 5793).
const GLUCOSE_MG_PER_MMOL: Decimal = Decimal::from_parts(180_156, 0, 0, false, 4);
/// The international avoirdupois pound, by definition.
const KG_PER_POUND: Decimal = Decimal::from_parts(45_359_237, 0, 0, false, 8);
/// What a Fahrenheit thermometer shows at 0 degrees Celsius.
const FAHRENHEIT_AT_ZERO: Decimal = Decimal::from_parts(32, 0, 0, false, 0);

/// The most decimals a converted value is shown with.
const MOST_DECIMALS: u32 = 6;

/// What a unit measures; only units of the same quantity convert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quantity {
    /// In kilograms.
    Weight,
    /// In centimetres.
    Length,
    /// In degrees Celsius.
    Temperature,
    /// In millimoles a litre of blood.
    Glucose,
}

/// A unit this program converts; others are shown as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// `kg`, the base unit of weight.
    Kilogram,
    /// `lbs`
    Pound,
    /// `g`
    Gram,
    /// `oz`
    Ounce,
    /// `cm`, the base unit of length.
    Centimetre,
    /// `in`
    Inch,
    /// `m`
    Metre,
    /// `ft`
    Foot,
    /// `C`, the base unit of temperature.
    Celsius,
    /// `F`
    Fahrenheit,
    /// `mg/dL` of glucose.
    GlucoseMgPerDl,
    /// `mmol/L` of glucose, its base unit.
    GlucoseMmolPerL,
}

impl Unit {
    /// All units.
    pub const ALL: [Self; 12] = [
        Self::Kilogram,
        Self::Pound,
        Self::Gram,
        Self::Ounce,
        Self::Centimetre,
        Self::Inch,
        Self::Metre,
        Self::Foot,
        Self::Celsius,
        Self::Fahrenheit,
        Self::GlucoseMgPerDl,
        Self::GlucoseMmolPerL,
    ];

    /// The unit of that symbol or usual spelling. Concentrations are those of glucose: ask for no other substance.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        let alias = match text.trim() {
            "lb" | "[lb_av]" => "lbs",
            "[oz_av]" => "oz",
            "[in_i]" => "in",
            "[ft_i]" => "ft",
            "\u{b0}C" | "Cel" => "C",
            "\u{b0}F" | "[degF]" => "F",
            symbol => symbol,
        };
        Self::ALL.into_iter().find(|unit| unit.symbol().eq_ignore_ascii_case(alias))
    }

    /// The symbol that is stored and shown.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Kilogram => "kg",
            Self::Pound => "lbs",
            Self::Gram => "g",
            Self::Ounce => "oz",
            Self::Centimetre => "cm",
            Self::Inch => "in",
            Self::Metre => "m",
            Self::Foot => "ft",
            Self::Celsius => "C",
            Self::Fahrenheit => "F",
            Self::GlucoseMgPerDl => "mg/dL",
            Self::GlucoseMmolPerL => "mmol/L",
        }
    }

    /// What the unit measures.
    #[must_use]
    pub fn quantity(self) -> Quantity {
        match self {
            Self::Kilogram | Self::Pound | Self::Gram | Self::Ounce => Quantity::Weight,
            Self::Centimetre | Self::Inch | Self::Metre | Self::Foot => Quantity::Length,
            Self::Celsius | Self::Fahrenheit => Quantity::Temperature,
            Self::GlucoseMgPerDl | Self::GlucoseMmolPerL => Quantity::Glucose,
        }
    }

    /// The unit in which values of the quantity are compared and drawn.
    #[must_use]
    pub fn base(self) -> Self {
        match self.quantity() {
            Quantity::Weight => Self::Kilogram,
            Quantity::Length => Self::Centimetre,
            Quantity::Temperature => Self::Celsius,
            Quantity::Glucose => Self::GlucoseMmolPerL,
        }
    }

    /// One of this unit is `numerator / denominator` base units, a ratio because 5/9 is no decimal.
    fn ratio(self) -> (Decimal, Decimal) {
        let whole = Decimal::from;
        match self {
            Self::Kilogram | Self::Centimetre | Self::Celsius | Self::GlucoseMmolPerL => (Decimal::ONE, Decimal::ONE),
            Self::Pound => (KG_PER_POUND, Decimal::ONE),
            Self::Gram => (Decimal::ONE, whole(1000)),
            Self::Ounce => (KG_PER_POUND, whole(16)),
            Self::Inch => (whole(254), whole(100)),
            Self::Metre => (whole(100), Decimal::ONE),
            Self::Foot => (whole(3048), whole(100)),
            Self::Fahrenheit => (whole(5), whole(9)),
            Self::GlucoseMgPerDl => (Decimal::ONE, GLUCOSE_MG_PER_MMOL),
        }
    }

    /// What this unit shows where the base unit shows zero.
    fn zero(self) -> Decimal {
        if self == Self::Fahrenheit { FAHRENHEIT_AT_ZERO } else { Decimal::ZERO }
    }
}

/// A value in base units, for sorting and drawing.
#[must_use]
pub fn to_base(value: f64, unit: Unit) -> f64 {
    let number = |decimal: Decimal| f64::try_from(decimal).unwrap_or(f64::NAN);
    let (numerator, denominator) = unit.ratio();
    (value - number(unit.zero())) * number(numerator) / number(denominator)
}

/// The value's text in the wanted unit without the unit's symbol; nothing if the units don't convert. A value that is already
/// in the wanted unit is not touched.
#[must_use]
pub fn convert(measured: &Measured, unit: Unit, wanted: Unit) -> Option<String> {
    if unit == wanted {
        return Some(measured.as_str().to_owned());
    }
    let value = measured.decimal()?;
    let exact = exactly(value, unit, wanted)?;
    let decimals = decimals_worth(value.scale(), unit, wanted)?;
    let rounded = exact.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero);
    let sign = measured.comparator().map_or("", crate::measured::Comparator::sign);
    Some(format!("{sign}{rounded:.places$}", places = usize::try_from(decimals).ok()?))
}

/// The value with its unit, in the wanted unit if that can be had and else as it is.
#[must_use]
pub fn display(measured: &Measured, unit: Unit, wanted: Unit) -> String {
    match convert(measured, unit, wanted) {
        Some(number) => format!("{number} {}", wanted.symbol()),
        None => format!("{measured} {}", unit.symbol()),
    }
}

fn exactly(value: Decimal, unit: Unit, wanted: Unit) -> Option<Decimal> {
    if unit.quantity() != wanted.quantity() {
        return None;
    }
    let (numerator, denominator) = factor(unit, wanted)?;
    let scaled = value.checked_sub(unit.zero())?.checked_mul(numerator)?.checked_div(denominator)?;
    scaled.checked_add(wanted.zero())
}

fn factor(unit: Unit, wanted: Unit) -> Option<(Decimal, Decimal)> {
    let (from, to) = (unit.ratio(), wanted.ratio());
    Some((from.0.checked_mul(to.1)?, from.1.checked_mul(to.0)?))
}

/// The fewest decimals whose last place is not much coarser than that of the value: at most 2.5 times (0.1 lbs are 0.05 kg
/// and get one decimal), for whole numbers twice, so that neighbours stay apart (160 and 161 lbs are 72.6 and 73.0 kg). A
/// temperature has one decimal or more, as on a thermometer.
fn decimals_worth(scale: u32, unit: Unit, wanted: Unit) -> Option<u32> {
    let (numerator, denominator) = factor(unit, wanted)?;
    let coarser = Decimal::new(if scale == 0 { 20 } else { 25 }, 1);
    let last_place = Decimal::try_from_i128_with_scale(1, scale.min(MOST_DECIMALS)).ok()?;
    let limit = last_place.checked_mul(coarser)?.checked_mul(numerator)?.checked_div(denominator)?;
    let fits = |places: &u32| Decimal::try_from_i128_with_scale(1, *places).is_ok_and(|place| place <= limit);
    let fewest = u32::from(wanted.quantity() == Quantity::Temperature);
    Some((fewest..MOST_DECIMALS).find(fits).unwrap_or(MOST_DECIMALS))
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the sums are exact")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str, unit: &str, wanted: &str) -> String {
        display(&Measured::parse_strict(text).unwrap(), Unit::find(unit).unwrap(), Unit::find(wanted).unwrap())
    }

    #[test]
    fn constants_are_the_defined_ones() {
        assert_eq!(KG_PER_POUND.to_string(), "0.45359237");
        assert_eq!(GLUCOSE_MG_PER_MMOL.to_string(), "18.0156");
    }

    #[test]
    fn values_are_shown_with_the_digits_they_have() {
        for (text, unit, wanted, expected) in [
            ("72.5", "kg", "lbs", "159.8 lbs"),
            ("160", "lbs", "kg", "72.6 kg"),
            ("159.8", "lbs", "kg", "72.5 kg"),
            ("8", "oz", "g", "227 g"),
            ("532", "g", "kg", "0.532 kg"),
            ("3.25", "kg", "oz", "114.6 oz"),
            ("72.5", "kg", "g", "72500 g"),
            ("180", "cm", "in", "70.9 in"),
            ("71", "in", "cm", "180 cm"),
            ("180", "cm", "m", "1.80 m"),
            ("6", "ft", "cm", "183 cm"),
            ("37.0", "C", "F", "98.6 F"),
            ("98.6", "F", "C", "37.0 C"),
            ("-40", "C", "F", "-40.0 F"),
            ("100", "mg/dL", "mmol/L", "5.6 mmol/L"),
            ("5.5", "mmol/L", "mg/dL", "99 mg/dL"),
            ("<2.2", "mmol/L", "mg/dL", "<40 mg/dL"),
            ("≥100", "F", "C", ">=37.8 C"),
        ] {
            assert_eq!(shown(text, unit, wanted), expected);
        }
    }

    #[test]
    fn the_same_unit_changes_nothing() {
        for text in ["72.50", "≥7", "1.5E3", "1e30"] {
            assert_eq!(shown(text, "kg", "kg"), format!("{text} kg"));
        }
    }

    #[test]
    fn what_does_not_convert_keeps_its_unit() {
        assert_eq!(shown("72.5", "kg", "cm"), "72.5 kg");
        assert_eq!(shown("1e30", "kg", "lbs"), "1e30 kg", "beyond exact arithmetic");
        let huge = "9".repeat(28);
        assert_eq!(shown(&huge, "kg", "g"), format!("{huge} kg"));
    }

    #[test]
    fn symbols_and_their_spellings_are_found() {
        for unit in Unit::ALL {
            assert_eq!(Unit::find(unit.symbol()), Some(unit));
        }
        for (text, unit) in [("lb", Unit::Pound), (" KG ", Unit::Kilogram), ("°F", Unit::Fahrenheit), ("[in_i]", Unit::Inch)] {
            assert_eq!(Unit::find(text), Some(unit));
        }
        assert_eq!(Unit::find("stone"), None);
    }

    #[test]
    fn base_units_agree_with_the_definitions() {
        assert_eq!(to_base(1.0, Unit::Pound), 0.453_592_37);
        assert_eq!(to_base(2.0, Unit::Metre), 200.0);
        assert_eq!(to_base(212.0, Unit::Fahrenheit), 100.0);
        assert_eq!(to_base(32.0, Unit::Fahrenheit), 0.0);
        assert_eq!(to_base(18.0156, Unit::GlucoseMgPerDl), 1.0);
        assert_eq!(to_base(5.5, Unit::GlucoseMmolPerL), 5.5);
        assert!(Unit::ALL.into_iter().all(|unit| to_base(3.0, unit.base()) == 3.0));
        assert_eq!(to_base(70.0, Unit::Kilogram), 70.0);
    }

    proptest! {
        #[test]
        fn there_and_back_is_the_same_to_the_digit(tenths in 1..5000_i64) {
            let text = Decimal::new(tenths, 1).to_string();
            let measured = Measured::parse_strict(&text).unwrap();
            for (unit, other) in [(Unit::Kilogram, Unit::Pound), (Unit::Celsius, Unit::Fahrenheit)] {
                let there = Measured::parse_strict(&convert(&measured, unit, other).unwrap()).unwrap();
                prop_assert_eq!(convert(&there, other, unit).unwrap(), text.clone(), "{} {:?}", there, other);
            }
        }

        #[test]
        fn any_number_is_shown_without_panic(text in "-?[0-9]{1,20}(\\.[0-9]{1,12})?(e-?[0-9]{1,2})?") {
            if let Ok(measured) = Measured::parse_strict(&text) {
                for (unit, wanted) in Unit::ALL.into_iter().flat_map(|unit| Unit::ALL.map(|wanted| (unit, wanted))) {
                    prop_assert!(!display(&measured, unit, wanted).is_empty());
                }
            }
        }
    }
}
