//! `kinchart token`: API tokens.

use chrono::Duration;
use clap::{Args, Subcommand};

use super::{Failure, Outcome, account_named, say};
use crate::{
    app::App,
    audit::Action,
    auth::{
        accounts,
        token::{self, LONGEST_NAME, NewToken},
        token_text::TokenText,
    },
    db::types::TokenId,
    error::Error,
};

/// Make, list and revoke API tokens.
#[derive(Args)]
#[command(after_help = "Example:\n  kinchart token add --user ann --name \"scale in the bathroom\"")]
pub struct Token {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    Add(Add),
    List(List),
    Revoke(Revoke),
}

/// Make a token and print it, once: it is kept as a hash only.
#[derive(Args)]
#[command(after_help = "Example:\n  TOKEN=$(kinchart token add --user ann --write --name \"scale in the bathroom\" --days 365)")]
struct Add {
    /// The account whose records the token opens.
    #[arg(long, value_name = "NAME")]
    user: String,
    /// May also change records.
    #[arg(long)]
    write: bool,
    /// What the token is for.
    #[arg(long, value_name = "TEXT", default_value = "command line")]
    name: String,
    /// Days until it expires; without it, it does not.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=3660))]
    days: Option<u16>,
}

/// List all tokens: id, account, read or write, state, last use, name.
#[derive(Args)]
#[command(after_help = "Example:\n  kinchart token list")]
struct List {}

/// End a token at once.
#[derive(Args)]
#[command(after_help = "Example:\n  kinchart token revoke 0199f3a2-5b6c-7d00-8000-000000000000")]
struct Revoke {
    /// The token's id, from `kinchart token list`.
    id: String,
}

impl Token {
    pub fn run(self, app: &App) -> Outcome {
        match self.what {
            What::Add(add) => add.run(app),
            What::List(_) => list(app),
            What::Revoke(revoke) => revoke.run(app),
        }
    }
}

impl Add {
    fn run(self, app: &App) -> Outcome {
        let user = account_named(app, &self.user)?;
        let now = app.clock.now();
        let new = NewToken {
            user: user.id,
            name: self.name.trim().chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect(),
            may_write: self.write,
            expires_at: self.days.map(|days| now + Duration::days(days.into())),
        };
        let text = TokenText::generate().map_err(|error| Failure::Told(error.to_string()))?;
        app.db.write(|tx| token::create(tx, &new, &text, accounts::by_command(Action::TokenCreated, now)))?;
        say(format_args!("{}", text.as_str()))
    }
}

fn list(app: &App) -> Outcome {
    let now = app.clock.now();
    for (token, user) in app.db.read(token::list_all)? {
        let may = if token.may_write { "write" } else { "read" };
        let used = token.last_used_at.map_or_else(|| "never".to_owned(), |at| at.format("%Y-%m-%dT%H:%MZ").to_string());
        say(format_args!("{}\t{user}\t{may}\t{}\t{used}\t{}", token.id, token.state(now), token.name))?;
    }
    Ok(())
}

impl Revoke {
    fn run(self, app: &App) -> Outcome {
        let unknown = || Failure::Told(format!("There is no token {} that works.", self.id));
        let id = TokenId::parse(&self.id).ok_or_else(unknown)?;
        let now = app.clock.now();
        match app.db.write(|tx| token::revoke(tx, &id, None, accounts::by_command(Action::TokenRevoked, now))) {
            Err(Error::NotFound) => Err(unknown()),
            other => Ok(other?),
        }
    }
}
