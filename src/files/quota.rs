//! How much a household may keep: the bytes of the documents of its patients and practitioners and of its inbox, those in the trash too.

use diesel::{prelude::*, sql_types::BigInt};

use crate::{
    app::App,
    db::{
        Conn,
        statement::Statement,
        types::{HouseholdId, UserId},
    },
    error::{Error, Result},
    households,
    page::Ui,
    records::field::FieldError,
};

/// The most bytes of a household; none is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota(pub Option<u64>);

impl App {
    pub fn quota(&self) -> Quota {
        Quota(self.config.quota)
    }
}

impl Quota {
    /// Is there room for so many bytes more? Asked in the transaction that adds them, so that two at once cannot both have the last of it.
    /// How much is used is told to members of the household alone.
    pub fn check(self, conn: &mut Conn, household: &HouseholdId, who: Option<&UserId>, more: u64) -> Result<()> {
        let Some(limit) = self.0 else { return Ok(()) };
        let used = used(conn, household)?;
        if used.saturating_add(more) <= limit {
            return Ok(());
        }
        let tells = match who {
            Some(who) => households::is_member(conn, household, who)?,
            None => true,
        };
        let error = if tells { FieldError::OverQuota { used, limit, more } } else { FieldError::Rule("error.household_full") };
        Err(Error::Invalid(vec![("file".to_owned(), error)]))
    }
}

/// The bytes of all documents of a household.
pub fn used(conn: &mut Conn, household: &HouseholdId) -> Result<u64> {
    let of = |words: &str, statement: Statement<BigInt>| statement.words(words.to_owned()).text(household.as_str());
    let text = "SELECT CAST(COALESCE(SUM(f.file_size), 0) AS BIGINT) FROM files f WHERE f.household_id = ";
    let of_patients = " OR f.patient_id IN (SELECT p.id FROM patients p WHERE p.household_id = ";
    let of_practitioners = ") OR f.practitioner_id IN (SELECT d.id FROM practitioners d WHERE d.household_id = ";
    let statement = of(of_practitioners, of(of_patients, of(text, Statement::new("")))).words(")");
    let sum: i64 = statement.get_result::<i64>(conn)?;
    Ok(u64::try_from(sum).unwrap_or_default())
}

/// `1.2 GB of 5 GB used`, for a member of the household, where there is a limit; without one, only what is used.
pub fn sentence(conn: &mut Conn, ui: &Ui, quota: Quota, household: &HouseholdId, who: &UserId) -> Result<Option<String>> {
    if !households::is_member(conn, household, who)? {
        return Ok(None);
    }
    let used = size(used(conn, household)?);
    Ok(Some(match quota.0 {
        Some(limit) => ui.words.with("file.quota", &[("used", &used), ("limit", &size(limit))]),
        None => ui.t1("file.used", "used", used),
    }))
}

/// `340 kB`, `1.2 MB`, `5 GB`: as file managers tell it, in thousands.
pub fn size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..1_000 => return format!("{bytes} B"),
        1_000..1_000_000 => return format!("{} kB", bytes / 1_000),
        1_000_000..1_000_000_000 => (1_000_000, "MB"),
        1_000_000_000..1_000_000_000_000 => (1_000_000_000, "GB"),
        _ => (1_000_000_000_000, "TB"),
    };
    match bytes % unit / (unit / 10) {
        0 => format!("{} {name}", bytes / unit),
        tenth => format!("{}.{tenth} {name}", bytes / unit),
    }
}

/// `5 GB`, `500`, `1.5TB`: a number of megabytes unless it names a unit.
pub fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let unit: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "m" | "mb" => 1_000_000,
        "k" | "kb" => 1_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        _ => return None,
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().ok()?;
    let tenths = match part.len() {
        0 if number.ends_with('.') => return None,
        0 => 0,
        1..=3 => part.parse::<u64>().ok()?.checked_mul(unit)? / 10_u64.pow(u32::try_from(part.len()).ok()?),
        _ => return None,
    };
    whole.checked_mul(unit)?.checked_add(tenths).filter(|bytes| *bytes > 0 && i64::try_from(*bytes).is_ok())
}

#[cfg(test)]
mod tests {
    use super::{parse, size};

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("500", 500_000_000),
            ("5 GB", 5_000_000_000),
            ("5gb", 5_000_000_000),
            ("1.5TB", 1_500_000_000_000),
            ("250 kB", 250_000),
            ("0.25 G", 250_000_000),
        ] {
            assert_eq!(parse(text), Some(bytes), "{text}");
        }
        for text in ["", "0", "GB", "-1", "1,5 GB", "5 GiB", "1.", "1.2345 GB", "99999999999 TB", "1e3", "5 G B"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_told_in_the_largest_unit() {
        let told = [0, 999, 340_000, 1_260_000, 5_000_000_000, 1_234_000_000, 2_000_000_000_000].map(size);
        assert_eq!(told, ["0 B", "999 B", "340 kB", "1.2 MB", "5 GB", "1.2 GB", "2 TB"]);
    }
}
