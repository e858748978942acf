//! `kinchart user`: accounts.

use clap::{Args, Subcommand, builder::PossibleValuesParser};

use super::{Failure, Outcome, account_named, existing, open, say};
use crate::{
    admin::removal,
    app::App,
    audit::Action,
    auth::{
        accounts::{self, Account, Details, NewAccount},
        factors::{self, Removed},
        manage::{self, By, Role},
        operator_link,
    },
    config::Config,
    error::Error,
};

/// Make, list, close and open accounts, set their passwords and roles.
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
    Enable(Enable),
    Role(SetRole),
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

/// Set a new password, read from standard input, and end all sessions of the account. Wrong tries of before no longer count, and the person is
/// told at the next sign-in.
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

/// Close an account: its sessions end, its tokens are revoked, its records stay.
#[derive(Args)]
#[command(after_help = "Example:\n  kinchart user disable ann")]
struct Disable {
    /// The account's user name or e-mail address.
    name: String,
    /// Close it although it is the last administrator's: then nobody manages accounts and the installation.
    #[arg(long)]
    force: bool,
}

/// Open an account that was closed. What was ended stays ended: sessions, links and tokens. The person is told at the next sign-in.
#[derive(Args)]
#[command(after_help = "Example:\n  kinchart user enable ann")]
struct Enable {
    /// The account's user name or e-mail address.
    name: String,
}

/// Give an account another role. All its sessions end, and the person is told at the next sign-in.
#[derive(Args)]
#[command(after_help = "Example:\n  kinchart user role ann admin")]
struct SetRole {
    /// The account's user name or e-mail address.
    name: String,
    /// admin manages accounts and the installation, guest is shown what others share.
    #[arg(value_parser = PossibleValuesParser::new(Role::WORDS))]
    role: String,
    /// Take the role even from the last administrator: then nobody manages accounts and the installation.
    #[arg(long)]
    force: bool,
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
            What::Enable(enable) => enable.run(&existing(config)?),
            What::Role(role) => role.run(&existing(config)?),
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
        app.db.write(|tx| manage::set_password_by_command(tx, &app.key, &found, &hash, now))?;
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

/// With `--force` the last administrator goes, too; without it, that is told.
fn unless_last(found: &Account, force: bool, outcome: Result<(), Error>) -> Outcome {
    match outcome {
        Err(Error::Invalid(_)) if !force => Err(Failure::Told(format!(
            "The account {} is the last administrator's: nobody would manage accounts any more. Make somebody else one first (kinchart user \
             role NAME admin), or say --force.",
            found.username
        ))),
        other => Ok(other?),
    }
}

impl Disable {
    fn run(self, app: &App) -> Outcome {
        let found = account_named(app, &self.name)?;
        let now = app.clock.now();
        let closed = app.db.write(|tx| match accounts::by_id(tx, &found.id)?.disabled_at {
            Some(_) => Ok(()),
            None if self.force => manage::disable_any(tx, By::Command, &found.id, now),
            None => manage::disable(tx, By::Command, &found.id, now),
        });
        unless_last(&found, self.force, closed)?;
        say(format_args!("The account {} is disabled.", found.username))
    }
}

impl Enable {
    fn run(self, app: &App) -> Outcome {
        let found = account_named(app, &self.name)?;
        let now = app.clock.now();
        let opened = app.db.write(|tx| {
            if removal::of(tx, &found.id)?.is_some() {
                return Ok(false);
            }
            if accounts::by_id(tx, &found.id)?.disabled_at.is_some() {
                manage::enable(tx, By::Command, &found.id, now)?;
            }
            Ok(true)
        })?;
        if !opened {
            return Err(Failure::Told(format!(
                "The account {} is being removed. An administrator can call that off in the pages, which opens it.",
                found.username
            )));
        }
        say(format_args!("The account {} is open.", found.username))
    }
}

impl SetRole {
    fn run(self, app: &App) -> Outcome {
        let found = account_named(app, &self.name)?;
        let role = Role::parse(&self.role).ok_or_else(|| Failure::Told(format!("There is no role {}.", self.role)))?;
        if found.role == role.as_str() {
            return say(format_args!("The account {} has that role already.", found.username));
        }
        let now = app.clock.now();
        let changed = app.db.write(|tx| {
            if self.force {
                manage::set_any_role(tx, By::Command, &found.id, role, now)
            } else {
                manage::set_role(tx, By::Command, &found.id, role, now)
            }
        });
        unless_last(&found, self.force, changed)?;
        say(format_args!("The role of {} is {}, and all its sessions are ended.", found.username, role.as_str()))
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
