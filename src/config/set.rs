//! Reading one text into the settings. An error completes the sentence that the variable's name begins, without the text.

use std::str::FromStr;

use super::{Config, MEGABYTE, database::Database, network::NotANetwork};
use crate::auth::secret::SecretKey;

const MOST_WORKERS: usize = 1024;
/// In megabytes: more than any scan or film of an examination.
const MOST_UPLOAD: u64 = 100_000;
const MOST_AUDIT_YEARS: u32 = 1000;

pub(super) fn put<T: FromStr>(place: &mut T, text: &str, problem: &str) -> Result<(), String> {
    *place = text.parse().map_err(|_| problem.to_owned())?;
    Ok(())
}

pub(super) fn put_some<T: FromStr>(place: &mut Option<T>, text: &str, problem: &str) -> Result<(), String> {
    *place = Some(text.parse().map_err(|_| problem.to_owned())?);
    Ok(())
}

pub(super) fn set_database(config: &mut Config, text: &str) -> Result<(), String> {
    config.database = Database::parse(text)?;
    Ok(())
}

pub(super) fn set_secret_key(config: &mut Config, text: &str) -> Result<(), String> {
    config.secret_key = Some(SecretKey::from_text(text).map_err(|problem| problem.to_string())?);
    Ok(())
}

pub(super) fn set_trusted_proxies(config: &mut Config, text: &str) -> Result<(), String> {
    let networks = text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::parse);
    let networks: Result<_, NotANetwork> = networks.collect();
    config.trusted_proxies = networks.map_err(|error| error.to_string())?;
    Ok(())
}

pub(super) fn set_log(config: &mut Config, text: &str) -> Result<(), String> {
    let is_level = |text: &str| text.trim().parse::<log::LevelFilter>().is_ok();
    let all_levels = text.split(',').all(|part| is_level(part.rsplit_once('=').map_or(part, |(_, level)| level)));
    text.clone_into(&mut config.log);
    all_levels
        .then_some(())
        .ok_or_else(|| "must be error, warn, info, debug, trace or off, or such as info,kinchart::auth=debug".to_owned())
}

pub(super) fn set_workers(config: &mut Config, text: &str) -> Result<(), String> {
    put(&mut config.workers, text, "must be a number from 1 on")?;
    if config.workers.get() > MOST_WORKERS { Err(format!("must be at most {MOST_WORKERS}")) } else { Ok(()) }
}

pub(super) fn set_ocr_languages(config: &mut Config, text: &str) -> Result<(), String> {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !text.split('+').all(is_name) {
        return Err("must be names of languages with plus signs, such as eng+deu".to_owned());
    }
    config.ocr_languages = Some(text.to_owned());
    Ok(())
}

pub(super) fn set_audit_years(config: &mut Config, text: &str) -> Result<(), String> {
    let years = text.parse().ok().filter(|years| (1..=MOST_AUDIT_YEARS).contains(years));
    config.audit_years = years.ok_or_else(|| format!("must be a number of years from 1 to {MOST_AUDIT_YEARS}"))?;
    Ok(())
}

pub(super) fn set_max_upload(config: &mut Config, text: &str) -> Result<(), String> {
    let mut megabytes = 0_u64;
    put(&mut megabytes, text, "must be a number of megabytes")?;
    if !(1..=MOST_UPLOAD).contains(&megabytes) {
        return Err(format!("must be from 1 to {MOST_UPLOAD}"));
    }
    config.max_upload = megabytes * MEGABYTE;
    Ok(())
}
