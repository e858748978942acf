//! The catalogue: every key the program asks for has words, and every field and choice of every kind.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use kinchart::records::{
    self, Group,
    field::{FieldSpec, Input, Unit},
    view::SENSITIVITIES,
};

fn catalogue() -> BTreeMap<String, String> {
    serde_json::from_str(include_str!("../locales/en.json")).expect("the catalogue is one flat object")
}

fn files(folder: &str, endings: &[&str]) -> Vec<(PathBuf, String)> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| endings.iter().any(|wanted| e == *wanted)) {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

/// Keys written out in templates and code: `ui.t("list.show")`, `words.n("age.years", …)`, `Rule("error.…")`.
fn keys_in_use() -> BTreeMap<String, String> {
    let plain = regex::Regex::new(r#"\.(t|t1|with|find)\(\s*"([a-z0-9_]+(?:\.[a-z0-9_-]+)+)""#).unwrap();
    let either = regex::Regex::new(
        r#"\.t\((?:if [^{}"]+|match [^{}"]+)\{\s*"([a-z0-9_]+(?:\.[a-z0-9_-]+)+)"\s*\}\s*else\s*\{\s*"([a-z0-9_]+(?:\.[a-z0-9_-]+)+)""#,
    )
    .unwrap();
    let plural = regex::Regex::new(r#"\.n\(\s*"([a-z0-9_]+(?:\.[a-z0-9_-]+)+)""#).unwrap();
    let errors = regex::Regex::new(r#""(error\.[a-z0-9_]+)""#).unwrap();
    let mut keys = BTreeMap::new();
    for (path, text) in files("src", &["rs"]).into_iter().chain(files("templates", &["html", "txt"])) {
        // Unit tests make up keys.
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
        let mut add = |key: String| drop(keys.insert(key, path.display().to_string()));
        for found in plain.captures_iter(&text) {
            add(found[2].to_owned());
        }
        for found in either.captures_iter(&text) {
            add(found[1].to_owned());
            add(found[2].to_owned());
        }
        for found in plural.captures_iter(&text) {
            add(format!("{}.one", &found[1]));
            add(format!("{}.other", &found[1]));
        }
        for found in errors.captures_iter(&text) {
            add(found[1].to_owned());
        }
    }
    keys
}

#[test]
fn every_key_in_use_has_words() {
    let words = catalogue();
    let missing: Vec<String> =
        keys_in_use().into_iter().filter(|(key, _)| !words.contains_key(key)).map(|(key, file)| format!("{key} ({file})")).collect();
    assert!(missing.is_empty(), "{} keys without words:\n{}", missing.len(), missing.join("\n"));
}

#[test]
fn no_words_are_empty_or_have_a_hole_left_open() {
    for (key, text) in catalogue() {
        assert!(!text.trim().is_empty(), "{key} is empty");
        assert_eq!(text, text.trim(), "{key} begins or ends with a blank");
        assert_eq!(text.matches('{').count(), text.matches('}').count(), "{key}: {text}");
        assert!(!text.contains("TODO") && !text.contains("  "), "{key}: {text}");
    }
}

#[test]
fn everything_of_every_kind_has_words() {
    let words = catalogue();
    let mut missing = BTreeSet::new();
    let mut want = |keys: &[String]| {
        if !keys.iter().any(|key| words.contains_key(key)) {
            missing.insert(keys.join(" or "));
        }
    };
    for group in Group::ALL {
        want(&[group.key().to_owned()]);
    }
    for word in SENSITIVITIES {
        want(&[format!("choice.Sensitivity.{word}")]);
    }
    for key in ["related", "treats", "caused_by", "result_for", "follows"] {
        want(&[format!("relation.{key}")]);
        want(&[format!("relation.{key}.in")]);
    }
    for kind in records::kinds() {
        let word = kind.word();
        for what in ["", ".one", ".add", ".empty"] {
            want(&[format!("kind.{word}{what}")]);
        }
        if kind.none_known {
            want(&[format!("kind.{word}.none_known")]);
        }
        let mut field = |table: &str, spec: &FieldSpec| {
            if let Input::Details(parts) = spec.input {
                for part in parts {
                    want(&[format!("detail.{part}")]);
                }
            } else {
                want(&[format!("field.{table}.{}", spec.name), format!("field.{}", spec.name)]);
            }
            if let Input::Choice { set, words } = spec.input {
                for word in words {
                    want(&[format!("choice.{set}.{word}")]);
                }
            }
            want(&[format!("section.{}", spec.section)]);
            if let Input::Record(_) = spec.input {
                want(&[format!("relation.{}.in", spec.name)]);
            }
            if let Some(Unit::Fixed(unit)) = spec.unit()
                && !unit.is_empty()
            {
                want(&[format!("unit.{unit}")]);
            }
        };
        kind.fields.iter().for_each(|spec| field(word, spec));
        if let Some(children) = &kind.children {
            children.fields.iter().for_each(|spec| field(children.table, spec));
            for what in ["", ".one", ".add"] {
                want(&[format!("children.{}{what}", children.name)]);
            }
        }
    }
    assert!(missing.is_empty(), "{} without words:\n{}", missing.len(), missing.into_iter().collect::<Vec<_>>().join("\n"));
}
