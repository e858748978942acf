//! The program as it is called: what it makes, what it leaves alone, and a reader who stops reading.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

fn kinchart(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kinchart"));
    command.args(arguments).env_clear().env("KINCHART_DATA", data.join("data")).env("KINCHART_UPLOADS", data.join("uploads"));
    command
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_mistyped_folder_is_told_and_nothing_is_made_there() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &["check"][..],
        &["verify"],
        &["key", "show"],
        &["user", "list"],
        &["user", "disable", "ann"],
        &["token", "list"],
        &["import", "a.json", "--as", "ann"],
    ] {
        let output = kinchart(folder.path(), arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let data = folder.path().join("data");
        assert!(told(&output).contains(&data.display().to_string()) && told(&output).contains("KINCHART_DATA"), "{}", told(&output));
        assert!(!data.exists() && !folder.path().join("uploads").exists(), "{arguments:?} made something");
    }
}

#[test]
fn a_reader_who_stops_reading_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let mut add = kinchart(folder.path(), &["user", "add", "ann", "--email", "ann@example.org", "--password-stdin"]);
    let mut add = add.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    std::io::Write::write_all(&mut add.stdin.take().unwrap(), b"a long and odd password 417\n").unwrap();
    assert!(add.wait().unwrap().success());
    for arguments in [&["check"][..], &["user", "list"], &["key", "show"]] {
        let mut child = kinchart(folder.path(), arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && !told(&output).contains("panicked"), "{arguments:?}: {}", told(&output));
    }
}
