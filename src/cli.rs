//! The command line: one file a command, all but `serve` at home beside a running server.

mod check;
mod demo;
mod import;
mod key;
mod serve;
mod token;
mod user;
mod verify;
mod workshop;

use std::{
    fmt,
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::{
    app::App,
    auth::{
        accounts::{self, Account},
        form::Problems,
    },
    config::{Config, ConfigError},
    db::Conn,
    error::Error,
    i18n::Locale,
    serve::StartError,
};

/// A family's medical record in one program.
///
/// Without a command it serves the pages. Settings come from the environment (`KINCHART_LISTEN`, `KINCHART_DATA`, ...); docs/configuration.md
/// lists them.
#[derive(Parser)]
#[command(
    name = "kinchart",
    version,
    after_help = "Exit codes: 0 done, 1 failed, 2 misused.\n\nExample:\n  KINCHART_DATA=/srv/kinchart kinchart serve"
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Bring an older database up to date without the copy that is otherwise made first.
    #[arg(long, global = true)]
    no_backup: bool,
}

#[derive(Subcommand)]
enum Command {
    Serve(serve::Serve),
    User(user::User),
    Token(token::Token),
    Import(import::Import),
    Check(check::Check),
    Verify(verify::Verify),
    Key(key::Key),
    Demo(demo::Demo),
    #[command(hide = true)]
    Workshop(workshop::Workshop),
}

/// Why a command ended without doing what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A sentence for the person.
    #[error("{0}")]
    Told(String),
    /// The command did its work, and what it found is bad; it has said so.
    #[error("")]
    Found,
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Error(#[from] Error),
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

type Outcome = Result<(), Failure>;

/// Reads the arguments, does what they say, and answers with the exit code.
pub fn main() -> ExitCode {
    // Misuse is told by clap, with exit code 2.
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Config(problems)) => {
            complain(format_args!("{problems}"));
            ExitCode::from(2)
        }
        Err(Failure::Found) => ExitCode::FAILURE,
        Err(Failure::Error(Error::Invalid(errors))) => {
            for sentence in Problems::new(&Locale::default(), &errors).sentences() {
                complain(format_args!("{sentence}"));
            }
            ExitCode::FAILURE
        }
        Err(failure) => {
            complain(format_args!("{failure}"));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Outcome {
    // It has no settings, and nobody to complain to about them.
    if let Some(Command::Workshop(workshop)) = cli.command {
        return workshop.run();
    }
    let config = Config { no_backup: cli.no_backup, ..Config::from_env()? };
    env_logger::Builder::new().parse_filters(&config.log).init();
    match cli.command.unwrap_or(Command::Serve(serve::Serve {})) {
        Command::Serve(serve) => serve.run(config),
        Command::User(user) => user.run(config),
        Command::Token(token) => token.run(&existing(config)?),
        Command::Import(import) => import.run(&existing(config)?),
        Command::Check(check) => check.run(config),
        Command::Verify(verify) => verify.run(&existing(config)?),
        Command::Key(key) => key.run(config),
        Command::Demo(demo) => demo.run(&open(config)?),
        Command::Workshop(workshop) => workshop.run(),
    }
}

/// The installation, made if there is none.
fn open(config: Config) -> Result<App, Failure> {
    Ok(crate::serve::open(config)?)
}

/// The installation that is there: of a folder with a mistyped name none is made.
fn existing(config: Config) -> Result<App, Failure> {
    Ok(crate::serve::open_existing(config)?)
}

/// A line of what the command has to tell. Whoever stopped reading (`| head`) has seen enough: the work goes on, quietly.
fn say(line: fmt::Arguments<'_>) -> Outcome {
    match writeln!(io::stdout().lock(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// A line of what went wrong. Where even that cannot be written, the exit code tells.
fn complain(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// The account a command names.
fn account(conn: &mut Conn, name: &str) -> Result<Account, Error> {
    accounts::find(conn, name)?.ok_or(Error::NotFound)
}

/// As [`account`], with a sentence for the person.
fn account_named(app: &App, name: &str) -> Result<Account, Failure> {
    match app.db.read(|conn| account(conn, name)) {
        Err(Error::NotFound) => Err(Failure::Told(format!("There is no account {name}."))),
        found => Ok(found?),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// The words of the first command line in a shell's text that begin with `kinchart`, quotes taken away.
    fn kinchart_lines(text: &str) -> Vec<Vec<String>> {
        let pieces = text.split(['|', '&', ';', '\n', '(']).map(str::trim);
        pieces.map(words).filter(|words| words.first().is_some_and(|word| word == "kinchart")).collect()
    }

    /// Words of one command: without settings before it, and up to a redirection or the end of a substitution.
    fn words(command: &str) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        for (place, piece) in command.split('"').enumerate() {
            if place % 2 == 1 {
                words.push(piece.to_owned());
            } else {
                words.extend(piece.split_whitespace().map(|word| word.trim_end_matches(')').to_owned()));
            }
        }
        let told = words.into_iter().skip_while(|word| word.contains('=')).take_while(|word| word != ">");
        told.filter(|word| !word.is_empty()).collect()
    }

    fn walk(command: &clap::Command, path: &str, wrong: &mut Vec<String>) {
        let help = command.clone().render_long_help().to_string();
        let example = help.rsplit_once("Example:\n").map_or("", |(_, example)| example);
        let lines = kinchart_lines(example);
        let works = |line: &Vec<String>| Cli::try_parse_from(line).is_ok() && line.join(" ").starts_with(path);
        // After the last example comes nothing else.
        if !lines.iter().any(works) || lines.iter().any(|line| Cli::try_parse_from(line).is_err()) || example.trim_end().contains("\n\n") {
            wrong.push(format!("{path}: {example:?}"));
        }
        for sub in command.get_subcommands() {
            walk(sub, &format!("{path} {}", sub.get_name()), wrong);
        }
    }

    #[test]
    fn every_help_ends_with_an_example_that_works() {
        let mut wrong = Vec::new();
        walk(&Cli::command(), "kinchart", &mut wrong);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
