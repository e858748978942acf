//! `kinchart user`: accounts.

use clap::{Args, Subcommand};

use super::{Failure, Outcome, account, account_named, existing, open, say};
use crate::{
    app::App,
    audit::Action,
    auth::{
        accounts::{self, Details, NewAccount},
        factors::{self, Removed},
        operator_link,
    },
    config::Config,
    error::Error,
};

/// Make, list and close accounts, and set their passwords.
#[derive(Args)]
#[command(after_help = "Example:\n  kinchart user list")]
pub struct User {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Add(Add),
    List(List),
    ResetPassword(ResetPassword),
    ResetFactors(ResetFactors),
    Disable(Disable),
    SignInLink(SignInLink),
}

/// Make an account with a household of its own. The password is read from standard input, one line.
#[derive(Args)]
#[command(
    after_help = "Example:\n  read -rs PASSWORD && echo \"$PASSWORD\" | kinchart user add ann --email ann@example.org --admin --password-stdin"
)]
struct Add {
    /// The name to sign in with.
    name: String,
    /// The e-mail address, which can be used to sign in too.
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    /// The name others see; the user name if it is not given.
    #[arg(long, value_name = "TEXT")]
    full_name: Option<String>,
    /// May manage accounts and the installation. Does not open anybody's records.
    #[arg(long)]
    admin: bool,
    /// Read the password from standard input.
    #[arg(long, required = true)]
    password_stdin: bool,
}

/// List the accounts.
#[derive(Args)]
#[command(after_help = "Example:\n  kinchart user list")]
struct List {}

/// Set a new password, read from standard input, and end all sessions of the account.
#[derive(Args)]
#[command(after_help = "Example:\n  read -rs PASSWORD && echo \"$PASSWORD\" | kinchart user reset-password ann")]
struct ResetPassword {
    /// The account's user name or e-mail address.
    name: String,
    /// Read the password from standard input, as this command always does.
    #[arg(long)]
    password_stdin: bool,
}

/// Take all second factors away from somebody who lost them: the app, passkeys and recovery codes. All sessions of the account end, and the person
/// is told at the next sign-in.
#[derive(Args)]
#[command(after_help = "Example:\n  kinchart user reset-factors ann")]
struct ResetFactors {
    /// The account's user name or e-mail address.
    name: String,
}

/// Close an account: its sessions end, its tokens no longer work, its records stay.
#[derive(Args)]
#[command(after_help = "Example:\n  kinchart user disable ann")]
struct Disable {
    /// The account's user name or e-mail address.
    name: String,
}

/// Print a link that signs the account in once, within a quarter of an hour: the way back when the single sign-on is gone.
#[derive(Args)]
#[command(after_help = "Example:\n  kinchart user sign-in-link ann")]
struct SignInLink {
    /// The account's user name or e-mail address.
    name: String,
}

impl User {
    pub fn run(self, config: Config) -> Outcome {
        match self.what {
            // The first account may be made before the first start.
            What::Add(add) => add.run(&open(config)?),
            What::List(_) => list(&existing(config)?),
            What::ResetPassword(reset) => reset.run(&existing(config)?),
            What::ResetFactors(reset) => reset.run(&existing(config)?),
            What::Disable(disable) => disable.run(&existing(config)?),
            What::SignInLink(link) => link.run(&existing(config)?),
        }
    }
}

/// One line, without its end.
fn password() -> Result<String, Failure> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

impl Add {
    fn run(self, app: &App) -> Outcome {
        let username = self.name.trim().to_owned();
        let details = Details {
            full_name: self.full_name.map_or_else(|| username.clone(), |name| name.trim().to_owned()),
            username,
            email: self.email.trim().to_owned(),
        };
        let password = password()?;
        let mut errors = details.check();
        errors.extend(accounts::check_password(&password, None, &details));
        if !errors.is_empty() {
            return Err(Error::Invalid(errors).into());
        }
        let new = NewAccount {
            details,
            role: if self.admin { "admin" } else { "user" },
            password_hash: accounts::hash(app, &password)?,
            address: None,
            by_command: true,
            household: None,
        };
        let now = app.clock.now();
        app.db.write(|tx| accounts::create(tx, &new, now))?;
        say(format_args!("The account {} is made.", new.details.username))
    }
}

fn list(app: &App) -> Outcome {
    for account in app.db.read(accounts::all)? {
        let state = if account.disabled_at.is_some() { "disabled" } else { "active" };
        let email = account.email.as_deref().unwrap_or("-");
        say(format_args!("{}\t{email}\t{}\t{state}\t{}", account.username, account.role, account.full_name))?;
    }
    Ok(())
}

impl ResetPassword {
    fn run(self, app: &App) -> Outcome {
        let found = account_named(app, &self.name)?;
        let details = Details {
            full_name: found.full_name.clone(),
            username: found.username.clone(),
            email: found.email.clone().unwrap_or_default(),
        };
        let password = password()?;
        let errors = accounts::check_password(&password, None, &details);
        if !errors.is_empty() {
            return Err(Error::Invalid(errors).into());
        }
        let hash = accounts::hash(app, &password)?;
        let now = app.clock.now();
        app.db.write(|tx| accounts::set_password(tx, &found.id, &hash, None, accounts::by_command(Action::PasswordChanged, now)))?;
        say(format_args!("The password of {} is changed, and all its sessions are ended.", found.username))
    }
}

impl ResetFactors {
    fn run(self, app: &App) -> Outcome {
        let found = account_named(app, &self.name)?;
        let event = accounts::by_command(Action::FactorsReset, app.clock.now());
        let removed = app.db.write(|tx| factors::remove_all(tx, &found.id, event.clone()))?;
        let Removed { apps, passkeys, codes } = removed;
        if removed == Removed::default() {
            return say(format_args!("The account {} had no second factor. All its sessions are ended.", found.username));
        }
        say(format_args!(
            "The second factors of {} are taken away (apps: {apps}, passkeys: {passkeys}, recovery codes: {codes}), and all its sessions are ended.",
            found.username
        ))
    }
}

impl Disable {
    fn run(self, app: &App) -> Outcome {
        let found = account_named(app, &self.name)?;
        let now = app.clock.now();
        app.db.write(|tx| {
            let current = account(tx, &found.username)?;
            if current.disabled_at.is_some() {
                Ok(())
            } else {
                accounts::disable(tx, &current.id, accounts::by_command(Action::AccountChanged, now))
            }
        })?;
        say(format_args!("The account {} is disabled.", found.username))
    }
}

impl SignInLink {
    fn run(self, app: &App) -> Outcome {
        let found = account_named(app, &self.name)?;
        if found.disabled_at.is_some() {
            return Err(Failure::Told(format!("The account {} is disabled.", found.username)));
        }
        // The link alone, so that a script can use it.
        say(format_args!("{}", operator_link::make(app, &found)?))
    }
}
