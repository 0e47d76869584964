//! `concord account`: add people, list them, set passwords, issue tokens. Secrets are printed once, to
//! standard output, and stored hashed.

use super::{Outcome, Run};
use crate::compose;
use crate::terminal::plain;
use anyhow::{Context, Result, bail};
use clap::{Args as ClapArgs, Subcommand};
use concord_domain::{Account, Capability, NewInvitation, NewToken, Role, Token};
use concord_service::accounts::AccountsService;
use serde_json::json;
use std::io::Read;
use uuid::Uuid;

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
        /// What the token may be used for, e.g. --scope import; more than once for more. All that the role may if not given.
        #[arg(long = "scope", requires = "token", value_name = "SCOPE")]
        scopes: Vec<Capability>,
        /// After how many days the token ends.
        #[arg(long, requires = "token", default_value_t = 365)]
        days: u32,
        /// What the token is for.
        #[arg(long, requires = "token", default_value = "command")]
        name: String,
        /// Read the password from standard input instead of making one.
        #[arg(long)]
        password_stdin: bool,
    },
    /// List every account.
    List,
    /// Print a link by which a new person chooses a password and joins; it works once, for seven days.
    Invite {
        /// E-mail address.
        email: String,
        /// annotator, lead or admin.
        #[arg(long)]
        role: Role,
    },
    /// List an account's tokens; their secrets are not kept.
    Tokens {
        /// E-mail address.
        email: String,
    },
    /// Take a token back, by its id.
    Revoke {
        /// The id, as `tokens` lists it.
        token: Uuid,
    },
    /// End every session of an account.
    SignOut {
        /// E-mail address.
        email: String,
    },
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
        Action::Add { email, role, token, scopes, days, name, password_stdin } => {
            let token = token.then_some(NewToken { name, scopes, days: Some(days) });
            let wanted = Wanted { role, token, password_stdin };
            add(service, &email, wanted).await?.print(json);
        }
        Action::List => list(&service.list().await?, json),
        Action::Invite { email, role } => {
            let made = service.new_invitation(None, NewInvitation { email, role }).await?;
            if json {
                println!("{}", json!(made));
            } else {
                eprintln!("invited: {} ({}); put the server's address in front", made.email, role.as_str());
                println!("{}", made.link.unwrap_or_default());
            }
        }
        Action::Tokens { email } => {
            let tokens = service.tokens_of(known(service, &email).await?.id).await?;
            list_tokens(&tokens, json);
        }
        Action::Revoke { token } => {
            service.take_token_back(token, None).await?;
            eprintln!("taken back: {token}");
        }
        Action::SignOut { email } => {
            let ended = service.end_sessions(known(service, &email).await?.id, None).await?;
            eprintln!("{ended} sessions ended");
        }
        Action::Password { email, password_stdin } => {
            let (password, shown) = choose_password(password_stdin)?;
            let account = service.set_password(&email, password).await?;
            Printed { account, password: shown, token: None, done: "password set" }.print(json);
        }
    }
    Ok(())
}

async fn known(service: &AccountsService, email: &str) -> Result<Account> {
    service.find(email).await?.with_context(|| format!("no account has the address {}", plain(email)))
}

struct Wanted {
    role: Role,
    token: Option<NewToken>,
    password_stdin: bool,
}

async fn add(service: &AccountsService, email: &str, wanted: Wanted) -> Result<Printed> {
    if let Some(account) = service.find(email).await? {
        let Some(token) = wanted.token.filter(|_| !wanted.password_stdin) else {
            bail!(
                "{} is there already; `concord account password` sets a new password, --token prints another token",
                account.email
            );
        };
        if account.role != wanted.role {
            bail!("{} is there already, with the role {}", account.email, account.role.as_str());
        }
        let token = service.new_token(account.id, None, token).await?.secret;
        return Ok(Printed { account, password: None, token, done: "token issued" });
    }
    let (password, shown) = match (wanted.token.is_some(), wanted.password_stdin) {
        (true, false) => (None, None),
        (_, from_stdin) => {
            let (password, shown) = choose_password(from_stdin)?;
            (Some(password), shown)
        }
    };
    let account = service.add_account(email, wanted.role, password).await?;
    let token = match wanted.token {
        Some(token) => service.new_token(account.id, None, token).await?.secret,
        None => None,
    };
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
        println!("{:<10} {}", account.role.as_str(), plain(&account.email));
    }
}

fn list_tokens(tokens: &[Token], json: bool) {
    if json {
        println!("{}", json!({ "tokens": tokens }));
        return;
    }
    for token in tokens {
        let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
        let scopes = if scopes.is_empty() { "all".to_owned() } else { scopes.join(",") };
        let ends = token.expires_at.map_or_else(|| "never ends".to_owned(), |at| format!("ends {at:.0}"));
        println!("{}  {}  {scopes}  {ends}", token.id, plain(&token.name));
    }
}
