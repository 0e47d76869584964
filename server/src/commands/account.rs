//! `concord account`: add people, list them, set passwords, issue tokens. Secrets are printed once, to
//! standard output, and stored hashed.

use super::{Outcome, Run};
use crate::compose;
use anyhow::{Context, Result, bail};
use clap::{Args as ClapArgs, Subcommand};
use concord_domain::{Account, Role};
use concord_service::accounts::AccountsService;
use serde_json::json;
use std::io::Read;

/// Accounts of the people who sign in and the programs that use the API.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add an account and print its password, or a bearer token; with --token for an account that is there, print another token.
    Add {
        /// E-mail address.
        email: String,
        /// annotator, lead or admin.
        #[arg(long)]
        role: Role,
        /// Print a bearer token; no password is made unless one is given.
        #[arg(long)]
        token: bool,
        /// Read the password from standard input instead of making one.
        #[arg(long)]
        password_stdin: bool,
    },
    /// List every account.
    List,
    /// Set a new password, print it, and sign the account out everywhere.
    Password {
        /// E-mail address.
        email: String,
        /// Read the password from standard input instead of making one.
        #[arg(long)]
        password_stdin: bool,
    },
}

pub(super) async fn run(run: &Run, args: Args) -> Result<Outcome> {
    run.with_database(async |database| {
        let pool = compose::connect(&run.config, database).await?;
        compose::prepare(&pool, &run.config, database).await?;
        act(&AccountsService::new(pool), args.action, run.json).await?;
        Ok(Outcome::Done)
    })
    .await
}

async fn act(service: &AccountsService, action: Action, json: bool) -> Result<()> {
    match action {
        Action::Add { email, role, token, password_stdin } => {
            let wanted = Wanted { role, token, password_stdin };
            add(service, &email, wanted).await?.print(json);
        }
        Action::List => list(&service.list().await?, json),
        Action::Password { email, password_stdin } => {
            let (password, shown) = choose_password(password_stdin)?;
            let account = service.set_password(&email, password).await?;
            Printed { account, password: shown, token: None, done: "password set" }.print(json);
        }
    }
    Ok(())
}

struct Wanted {
    role: Role,
    token: bool,
    password_stdin: bool,
}

async fn add(service: &AccountsService, email: &str, wanted: Wanted) -> Result<Printed> {
    if let Some(account) = service.find(email).await? {
        if !wanted.token || wanted.password_stdin {
            bail!(
                "{} is there already; `concord account password` sets a new password, --token prints another token",
                account.email
            );
        }
        if account.role != wanted.role {
            bail!("{} is there already, with the role {}", account.email, account.role.as_str());
        }
        let token = service.issue_token(account.id).await?;
        return Ok(Printed { account, password: None, token: Some(token), done: "token issued" });
    }
    let (password, shown) = match (wanted.token, wanted.password_stdin) {
        (true, false) => (None, None),
        (_, from_stdin) => {
            let (password, shown) = choose_password(from_stdin)?;
            (Some(password), shown)
        }
    };
    let account = service.add_account(email, wanted.role, password).await?;
    let token = if wanted.token { Some(service.issue_token(account.id).await?) } else { None };
    Ok(Printed { account, password: shown, token, done: "account added" })
}

/// The password to set, and the same again if it has to be shown because nobody knows it yet.
fn choose_password(from_stdin: bool) -> Result<(String, Option<String>)> {
    if !from_stdin {
        let password = AccountsService::new_password();
        return Ok((password.clone(), Some(password)));
    }
    let mut typed = String::new();
    // Bounded: the longest password is 200 characters.
    std::io::stdin().take(4096).read_to_string(&mut typed).context("cannot read the password")?;
    Ok((typed.trim_end_matches(['\r', '\n']).to_owned(), None))
}

/// What is told of an account, secrets included, this once.
struct Printed {
    account: Account,
    password: Option<String>,
    token: Option<String>,
    done: &'static str,
}

impl Printed {
    fn print(&self, json: bool) {
        let Account { id, email, role } = &self.account;
        if json {
            let (password, token) = (&self.password, &self.token);
            println!(
                "{}",
                json!({ "id": id, "email": email, "role": role, "password": password, "token": token })
            );
            return;
        }
        // What was done goes beside the secret, not before it: `concord account … --token` may be piped.
        eprintln!("{}: {email} ({})", self.done, role.as_str());
        for secret in [&self.password, &self.token].into_iter().flatten() {
            println!("{secret}");
        }
    }
}

fn list(accounts: &[Account], json: bool) {
    if json {
        println!("{}", json!({ "accounts": accounts }));
        return;
    }
    for account in accounts {
        println!("{:<10} {}", account.role.as_str(), account.email);
    }
}
