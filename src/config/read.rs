//! Reading the environment by the table, and telling all that is wrong with it together.

use std::{collections::BTreeMap, fs};

use super::{
    Config, ConfigError, DATABASE_FILE,
    database::Database,
    table::{SETTINGS, Setting},
};

const PREFIX: &str = "KINCHART_";
const FILE_SUFFIX: &str = "_FILE";

impl Config {
    /// Reads the settings from the process environment.
    ///
    /// # Errors
    /// Tells all problems together.
    pub fn from_env() -> Result<Self, ConfigError> {
        let mut problems = Vec::new();
        let mut variables = Vec::new();
        for (name, value) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            match value.into_string() {
                Ok(value) => variables.push((name, value)),
                Err(_) if name.starts_with(PREFIX) => problems.push(format!("{} is not valid UTF-8.", shown(&name))),
                Err(_) => {}
            }
        }
        Self::read(variables, problems)
    }

    /// Reads the settings from names and values; an empty value counts as none.
    ///
    /// # Errors
    /// Tells all problems together.
    pub fn from_vars(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        Self::read(variables, Vec::new())
    }

    fn read(variables: impl IntoIterator<Item = (String, String)>, mut problems: Vec<String>) -> Result<Self, ConfigError> {
        let ours = variables.into_iter().filter(|(name, value)| name.starts_with(PREFIX) && !value.trim().is_empty());
        let given: BTreeMap<String, String> = ours.collect();
        problems.extend(given.keys().filter_map(|name| unknown(name)));
        let mut config = Self::default();
        for setting in &SETTINGS {
            if let Err(problem) = setting.read(&given, &mut config) {
                problems.push(problem);
            }
        }
        problems.extend(config.oidc.problems());
        if let Database::Sqlite { file, create: true } = &mut config.database {
            *file = config.data.join(DATABASE_FILE);
        }
        if problems.is_empty() { Ok(config) } else { Err(ConfigError { problems }) }
    }
}

impl Setting {
    fn file_name(&self) -> String {
        format!("{}{FILE_SUFFIX}", self.name)
    }

    /// The names of the setting's variables.
    fn names(&self) -> impl Iterator<Item = String> {
        let file = self.secret.then(|| self.file_name());
        std::iter::once(self.name.to_owned()).chain(file)
    }

    fn read(&self, given: &BTreeMap<String, String>, config: &mut Config) -> Result<(), String> {
        let file_name = self.file_name();
        let file = if self.secret { given.get(&file_name) } else { None };
        let (name, text) = match (given.get(self.name), file) {
            (None, None) => return Ok(()),
            (Some(_), Some(_)) => return Err(format!("{} and {file_name} are both set: keep one of them.", self.name)),
            (Some(text), None) => (self.name, text.clone()),
            (None, Some(path)) => (file_name.as_str(), secret_file(&file_name, path)?),
        };
        (self.set)(config, text.trim()).map_err(|problem| format!("{name} {problem}."))
    }
}

/// The path is not told either: it may be the secret, set in the wrong variable.
fn secret_file(name: &str, path: &str) -> Result<String, String> {
    let text = fs::read_to_string(path.trim()).map_err(|error| format!("{name} names a file that cannot be read: {error}."))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() { Err(format!("{name} names an empty file.")) } else { Ok(text.to_owned()) }
}

/// The sentence about a variable that is no setting of ours.
fn unknown(name: &str) -> Option<String> {
    let known = || SETTINGS.iter().flat_map(Setting::names);
    if set_by_kubernetes(name) || known().any(|known| known == name) {
        return None;
    }
    let nearest = known().min_by_key(|known| edit_distance(name, known))?;
    Some(format!("{} is not a setting: did you mean {nearest}?", shown(name)))
}

/// Kubernetes tells every container about a service called `kinchart` in variables of these names.
fn set_by_kubernetes(name: &str) -> bool {
    name == "KINCHART_PORT" || name.starts_with("KINCHART_PORT_") || name.starts_with("KINCHART_SERVICE_")
}

/// A name that is fit for a terminal.
fn shown(name: &str) -> String {
    name.chars().take(80).collect::<String>().escape_debug().to_string()
}

/// How many letters have to be added, removed or changed.
fn edit_distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((b, above), corner) in right.chars().zip(row.iter().skip(1)).zip(&row) {
            let before = next.last().copied().unwrap_or(i);
            next.push((corner + usize::from(a != b)).min(above + 1).min(before + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::edit_distance;

    #[test]
    fn edits_are_counted() {
        for (left, right, distance) in
            [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("abc", "abc", 0), ("ab", "ba", 2), ("flaw", "lawn", 2)]
        {
            assert_eq!((edit_distance(left, right), edit_distance(right, left)), (distance, distance), "{left} {right}");
        }
    }
}
