use std::fs;

use proptest::prelude::*;

use super::{table::SETTINGS, *};

const KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::from_vars(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn problems(variables: &[(&str, &str)]) -> Vec<String> {
    read(variables).unwrap_err().problems
}

#[test]
fn nothing_set_is_the_default() {
    let config = read(&[("PATH", "/bin"), ("KINCHARTS", "x"), ("KINCHART_LOG", ""), ("KINCHART_SECRET_KEY_FILE", " ")]).unwrap();
    assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.database, Database::Sqlite { file: "./data/kinchart.db".into(), create: true });
}

#[test]
fn the_table_tells_the_true_defaults() {
    let shown: Vec<(String, String)> = SETTINGS
        .iter()
        .filter_map(|setting| {
            let text = setting.default.strip_prefix('`')?.strip_suffix('`')?;
            Some((setting.name.to_owned(), text.to_owned()))
        })
        .collect();
    assert_eq!(shown.len(), 12, "{shown:?}");
    assert_eq!(format!("{:?}", Config::from_vars(shown).unwrap()), format!("{:?}", Config::default()));
}

#[test]
fn every_setting_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("old.db");
    fs::write(&file, "").unwrap();
    let config = read(&[
        ("KINCHART_LISTEN", "[::]:9000"),
        ("KINCHART_DATA", "/var/lib/kinchart"),
        ("KINCHART_UPLOADS", "/srv/files"),
        ("KINCHART_DATABASE_URL", &format!("sqlite:{}", file.display())),
        ("KINCHART_PUBLIC_URL", "HTTPS://Records.Example.org:443/"),
        ("KINCHART_SECRET_KEY", KEY),
        ("KINCHART_SIGNUP", "open"),
        ("KINCHART_TRUSTED_PROXIES", "10.0.0.0/8, ::1,"),
        ("KINCHART_LOG", "info,kinchart::auth=debug"),
        ("KINCHART_WORKERS", " 3 "),
        ("KINCHART_PRIVATE_NETWORKS", "refuse"),
        ("KINCHART_CA_FILE", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tls/authority.pem")),
    ])
    .unwrap();
    assert_eq!((config.private_networks, config.authorities.0.len()), (PrivateNetworks::Refuse, 1));
    assert_eq!(config.listen.port(), 9000);
    assert_eq!((config.data.to_str(), config.uploads.to_str()), (Some("/var/lib/kinchart"), Some("/srv/files")));
    assert_eq!(config.database, Database::Sqlite { file, create: false });
    assert_eq!((config.public_url.as_str(), config.public_url.is_https()), ("https://records.example.org", true));
    assert_eq!(config.secret_key.unwrap().to_text(), KEY);
    assert_eq!((config.signup, config.trusted_proxies.len()), (Some(Signup::Open), 2));
    assert_eq!((config.log.as_str(), config.workers.get()), ("info,kinchart::auth=debug", 3));
}

#[test]
fn the_default_database_follows_the_data_folder() {
    let config = read(&[("KINCHART_DATA", "/srv/k")]).unwrap();
    assert_eq!(config.database, Database::Sqlite { file: "/srv/k/kinchart.db".into(), create: true });
}

#[test]
fn each_wrong_value_is_one_sentence_with_the_name() {
    for (name, value) in [
        ("KINCHART_LISTEN", "8080"),
        ("KINCHART_LISTEN", "localhost"),
        ("KINCHART_DATABASE_URL", "mysql://x"),
        ("KINCHART_DATABASE_URL", "sqlite:/no/such/file.db"),
        ("KINCHART_DATABASE_URL", "sqlite::memory:"),
        ("KINCHART_PUBLIC_URL", "ftp://x"),
        ("KINCHART_PUBLIC_URL", "https://x/kinchart"),
        ("KINCHART_SECRET_KEY", "c2hvcnQ="),
        ("KINCHART_SIGNUP", "yes"),
        ("KINCHART_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("KINCHART_LOG", "inof"),
        ("KINCHART_LOG", "info,kinchart=loud"),
        ("KINCHART_WORKERS", "0"),
        ("KINCHART_WORKERS", "1000000"),
        ("KINCHART_PRIVATE_NETWORKS", "maybe"),
        ("KINCHART_CA_FILE", "/no/such/file.pem"),
        ("KINCHART_CA_FILE", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")),
    ] {
        let problems = problems(&[(name, value)]);
        let is_about_it = |problem: &String| problem.starts_with(&format!("{name} ")) && problem.ends_with('.');
        assert!(problems.len() == 1 && problems.iter().all(is_about_it), "{value}: {problems:?}");
    }
}

#[test]
fn all_problems_are_told_together() {
    let problems = problems(&[("KINCHART_WORKERS", "many"), ("KINCHART_SINGUP", "open"), ("KINCHART_LISTEN", "x")]);
    assert_eq!(
        problems,
        [
            "KINCHART_SINGUP is not a setting: did you mean KINCHART_SIGNUP?",
            "KINCHART_LISTEN must be an address with a port, such as 0.0.0.0:8080.",
            "KINCHART_WORKERS must be a number from 1 on.",
        ]
    );
    assert_eq!(ConfigError { problems: vec!["a".into(), "b".into()] }.to_string(), "a\nb");
}

#[test]
fn unknown_variables_name_the_nearest() {
    for (typed, meant) in [
        ("KINCHART_DATABASE", "KINCHART_DATA"),
        ("KINCHART_SECRETKEY_FILE", "KINCHART_SECRET_KEY_FILE"),
        ("KINCHART_TRUSTED_PROXY", "KINCHART_TRUSTED_PROXIES"),
        ("KINCHART_PORTS", "KINCHART_DATA"),
    ] {
        let problems = problems(&[(typed, "x")]);
        assert_eq!(problems, [format!("{typed} is not a setting: did you mean {meant}?")]);
    }
    assert!(problems(&[("KINCHART_LISTEN_FILE", "x")]).concat().contains("did you mean KINCHART_LISTEN?"), "no secret, no file");
    assert!(problems(&[("KINCHART_\u{1b}[2J", "x")]).concat().contains("\\u{1b}"), "nothing for the terminal");
}

#[test]
fn kubernetes_may_set_its_own() {
    let config =
        read(&[("KINCHART_PORT", "tcp://10.0.0.1:80"), ("KINCHART_PORT_8080_TCP_ADDR", "10.0.0.1"), ("KINCHART_SERVICE_HOST", "10.0.0.1")]);
    assert!(config.is_ok());
}

#[test]
fn secrets_come_from_files_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    fs::write(&path, format!("{KEY}\r\n")).unwrap();
    let path = path.to_str().unwrap();
    let config = read(&[("KINCHART_SECRET_KEY_FILE", path)]).unwrap();
    assert_eq!(config.secret_key.unwrap().to_text(), KEY);
    fs::write(path, "postgres://u:hunter22@db/k\n").unwrap();
    let config = read(&[("KINCHART_DATABASE_URL_FILE", path)]).unwrap();
    assert_eq!(config.database, Database::Postgres { url: "postgres://u:hunter22@db/k".into() });
    let both = problems(&[("KINCHART_SECRET_KEY", KEY), ("KINCHART_SECRET_KEY_FILE", path)]);
    assert_eq!(both, ["KINCHART_SECRET_KEY and KINCHART_SECRET_KEY_FILE are both set: keep one of them."]);
    fs::write(path, "\n").unwrap();
    assert_eq!(problems(&[("KINCHART_SECRET_KEY_FILE", path)]), ["KINCHART_SECRET_KEY_FILE names an empty file."]);
}

#[test]
fn secrets_are_never_shown() {
    let config = read(&[("KINCHART_SECRET_KEY", KEY), ("KINCHART_DATABASE_URL", "postgres://u:hunter22@db/k")]).unwrap();
    let debug = format!("{config:?} {config:#?}");
    assert!(!debug.contains("hunter22") && !debug.contains(KEY), "{debug}");
    for name in
        ["KINCHART_SECRET_KEY", "KINCHART_SECRET_KEY_FILE", "KINCHART_DATABASE_URL", "KINCHART_DATABASE_URL_FILE", "KINCHART_SECRETKEY"]
    {
        let error = read(&[(name, "mysql://u:hunter22@db/k")]).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter22"), "{error}");
    }
}

proptest! {
    #[test]
    fn arbitrary_values_never_panic(value in any::<String>()) {
        let variables = SETTINGS.iter().map(|setting| (setting.name.to_owned(), value.clone()));
        let _ = Config::from_vars(variables);
    }
}
