//! Codes of an app (RFC 6238): six digits every 30 seconds, the step before and the one after taken too, each step once.

use chrono::NaiveDateTime;
use diesel::prelude::*;
use totp_rs::{Algorithm, Builder, Secret, Totp};

use crate::{
    auth::{
        sealed_text::{Purpose, open_text, seal_text},
        secret::{SecretKey, random},
    },
    db::{Conn, Tx, schema::totp_factors as rows, types::UserId},
    error::{Error, Result},
};

const ISSUER: &str = "Kinchart";
const DIGITS: u8 = 6;
/// Bytes, as RFC 4226 recommends.
const SECRET: usize = 20;

fn broken(what: &str) -> Error {
    Error::Internal(format!("codes: {what}"))
}

/// `label` is what the app shows beside the code.
fn totp(secret: Secret, label: &str) -> Result<Totp> {
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(DIGITS)
        .with_skew(1)
        .with_step_duration(30)
        .with_secret(secret)
        .with_account_name(label.replace(':', " "))
        .with_issuer(Some(ISSUER))
        .build()
        .map_err(|_| broken("a secret that is none"))
}

/// The step that a code belongs to, if it is one of now.
fn step(totp: &Totp, typed: &str, now: NaiveDateTime) -> Option<i64> {
    let seconds = u64::try_from(now.and_utc().timestamp()).ok()?;
    let digits: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
    if digits.len() != usize::from(DIGITS) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    totp.check(&digits, seconds).and_then(|step| i64::try_from(step).ok())
}

fn opened(key: &SecretKey, user: &UserId, sealed: &str) -> Result<Secret> {
    let text = open_text(key, Purpose::TotpSecret, user.as_str(), sealed).map_err(|_| broken("a secret does not open"))?;
    Secret::try_from_base32(text).map_err(|_| broken("a secret that is none"))
}

/// A new secret, which does not count before [`confirm`]. An app that counts already is not replaced.
pub fn begin(tx: &mut Tx<'_>, key: &SecretKey, user: &UserId, now: NaiveDateTime) -> Result<()> {
    let counts: Option<Option<NaiveDateTime>> = rows::table.find(user).select(rows::confirmed_at).first(&mut **tx).optional()?;
    if counts.flatten().is_some() {
        return Err(Error::Conflict("factor_there"));
    }
    diesel::delete(rows::table.find(user)).execute(&mut **tx)?;
    let bytes: [u8; SECRET] = random().map_err(|error| Error::Internal(error.to_string()))?;
    let sealed = seal_text(key, Purpose::TotpSecret, user.as_str(), &Secret::from(bytes).to_base32());
    let sealed = sealed.map_err(|error| Error::Internal(error.to_string()))?;
    diesel::insert_into(rows::table)
        .values((rows::user_id.eq(user), rows::sealed_secret.eq(sealed), rows::created_at.eq(now)))
        .execute(&mut **tx)?;
    Ok(())
}

/// What the page of a new secret shows.
#[derive(Clone)]
pub struct New {
    /// In base32.
    pub secret: String,
    /// `otpauth://...`, for a QR code.
    pub address: String,
}

/// The secret that waits for its first code.
pub fn waiting(conn: &mut Conn, key: &SecretKey, user: &UserId, label: &str) -> Result<Option<New>> {
    let sealed: Option<String> =
        rows::table.find(user).filter(rows::confirmed_at.is_null()).select(rows::sealed_secret).first(conn).optional()?;
    let Some(sealed) = sealed else { return Ok(None) };
    let totp = totp(opened(key, user, &sealed)?, label)?;
    let address = totp.to_url().map_err(|_| broken("no address for an app"))?;
    Ok(Some(New { secret: totp.secret().to_base32(), address }))
}

/// The first code: from now on the app counts. The code is used with it.
pub fn confirm(tx: &mut Tx<'_>, key: &SecretKey, user: &UserId, typed: &str, now: NaiveDateTime) -> Result<bool> {
    use_code(tx, key, user, typed, now, false)
}

/// Is that a code of now which was not used? It is used with this.
pub fn take(tx: &mut Tx<'_>, key: &SecretKey, user: &UserId, typed: &str, now: NaiveDateTime) -> Result<bool> {
    use_code(tx, key, user, typed, now, true)
}

fn use_code(tx: &mut Tx<'_>, key: &SecretKey, user: &UserId, typed: &str, now: NaiveDateTime, counts: bool) -> Result<bool> {
    let row: Option<(String, Option<i64>, Option<NaiveDateTime>)> =
        rows::table.find(user).select((rows::sealed_secret, rows::last_step, rows::confirmed_at)).first(&mut **tx).optional()?;
    let Some((sealed, last, confirmed)) = row.filter(|(_, _, confirmed)| confirmed.is_some() == counts) else { return Ok(false) };
    let Some(step) = step(&totp(opened(key, user, &sealed)?, user.as_str())?, typed, now) else { return Ok(false) };
    if last.is_some_and(|last| step <= last) {
        return Ok(false);
    }
    diesel::update(rows::table.find(user))
        .set((rows::last_step.eq(step), rows::last_used_at.eq(now), rows::confirmed_at.eq(confirmed.unwrap_or(now))))
        .execute(&mut **tx)?;
    Ok(true)
}

/// Since when the app counts, and when it was used last.
pub fn since(conn: &mut Conn, user: &UserId) -> Result<Option<(NaiveDateTime, Option<NaiveDateTime>)>> {
    let row: Option<(Option<NaiveDateTime>, Option<NaiveDateTime>)> =
        rows::table.find(user).select((rows::confirmed_at, rows::last_used_at)).first(conn).optional()?;
    Ok(row.and_then(|(confirmed, used)| Some((confirmed?, used))))
}

/// Takes the app away; whether it counted.
pub fn remove(tx: &mut Tx<'_>, user: &UserId) -> Result<bool> {
    let counted = since(tx, user)?.is_some();
    diesel::delete(rows::table.find(user)).execute(&mut **tx)?;
    Ok(counted)
}

/// All secrets, opened with one key of the installation and sealed with another.
pub fn reseal(tx: &mut Tx<'_>, old: &SecretKey, new: &SecretKey) -> Result<()> {
    let all: Vec<(UserId, String)> = rows::table.select((rows::user_id, rows::sealed_secret)).load(&mut **tx)?;
    for (user, sealed) in &all {
        let text = open_text(old, Purpose::TotpSecret, user.as_str(), sealed).map_err(|_| broken("a secret does not open"))?;
        let sealed = seal_text(new, Purpose::TotpSecret, user.as_str(), &text).map_err(|error| Error::Internal(error.to_string()))?;
        diesel::update(rows::table.find(user)).set(rows::sealed_secret.eq(sealed)).execute(&mut **tx)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> NaiveDateTime {
        chrono::DateTime::from_timestamp(seconds, 0).unwrap().naive_utc()
    }

    /// RFC 6238, appendix B, cut to six digits.
    #[test]
    fn the_codes_are_those_of_the_standard() {
        let totp = totp(Secret::from(*b"12345678901234567890"), "ann").unwrap();
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (2_000_000_000, "279037")] {
            assert_eq!(step(&totp, code, at(seconds)), Some(seconds / 30), "{code}");
            let (first, last) = code.split_at(3);
            assert_eq!(step(&totp, &format!(" {first} {last} "), at(seconds)), Some(seconds / 30));
        }
    }

    #[test]
    fn a_step_before_and_after_and_no_further() {
        let totp = totp(Secret::from(*b"12345678901234567890"), "ann").unwrap();
        let taken = |seconds: i64| step(&totp, "005924", at(seconds)).is_some();
        let begins = 1_234_567_890 / 30 * 30;
        assert!(taken(begins - 30) && taken(begins + 59));
        assert!(!taken(begins - 31) && !taken(begins + 60));
        for wrong in ["", "00592", "0059240", "00592a", "００５９２４", "-05924"] {
            assert_eq!(step(&totp, wrong, at(1_234_567_890)), None, "{wrong}");
        }
    }
}
