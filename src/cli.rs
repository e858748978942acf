//! The command line: one file a command, all but `serve` at home beside a running server.

mod check;
mod demo;
mod import;
mod key;
mod serve;
mod token;
mod user;

use std::process::ExitCode;

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
    after_help = "Example:\n  KINCHART_DATA=/srv/kinchart kinchart serve\n\nExit codes: 0 done, 1 failed, 2 misused."
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
    Key(key::Key),
    Demo(demo::Demo),
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
            eprintln!("{problems}");
            ExitCode::from(2)
        }
        Err(Failure::Found) => ExitCode::FAILURE,
        Err(Failure::Error(Error::Invalid(errors))) => {
            for sentence in Problems::new(&Locale::default(), &errors).sentences() {
                eprintln!("{sentence}");
            }
            ExitCode::FAILURE
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Outcome {
    let config = Config { no_backup: cli.no_backup, ..Config::from_env()? };
    env_logger::Builder::new().parse_filters(&config.log).init();
    match cli.command.unwrap_or(Command::Serve(serve::Serve {})) {
        Command::Serve(serve) => serve.run(config),
        Command::User(user) => user.run(&open(config)?),
        Command::Token(token) => token.run(&open(config)?),
        Command::Import(import) => import.run(&open(config)?),
        Command::Check(check) => check.run(config),
        Command::Key(key) => key.run(config),
        Command::Demo(demo) => demo.run(&open(config)?),
    }
}

fn open(config: Config) -> Result<App, Failure> {
    Ok(crate::serve::open(config)?)
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
