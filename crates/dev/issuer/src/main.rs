//! The issuer as a process: arguments, the clock, the ready line, the end.
//!
//! Zone: dev.

#![forbid(unsafe_code)]

use std::future::pending;
use std::io;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use chancery_issuer::{Account, CLIENT_ID, Config, Error, start};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// An OpenID provider for tests and demonstrations. It protects nothing.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    /// Data folder: authority, signing keys, port, accounts.
    #[arg(long)]
    data: PathBuf,
    /// Loopback address to listen on; port 0 takes the folder's own port.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The one client.
    #[arg(long, default_value = CLIENT_ID)]
    client_id: String,
    /// An account beside those in the folder; repeatable.
    #[arg(long, value_name = "USER,PASSWORD,SUB,EMAIL", value_parser = account)]
    account: Vec<Account>,
    /// Lets everybody else log in with this password and the user name as sub.
    #[arg(long, value_name = "PASSWORD")]
    any_user_password: Option<String>,
    /// Open a control port: keys can be changed and tokens spoiled.
    #[arg(long)]
    control: bool,
    /// End, as on SIGTERM, when standard input ends: whoever holds the other end can then not be
    /// outlived.
    #[arg(long)]
    watch_stdin: bool,
}

fn account(text: &str) -> Result<Account, String> {
    let parts: Vec<&str> = text.split(',').collect();
    let [user_name, password, sub, email] = parts.as_slice() else {
        return Err("four parts with commas between them".to_owned());
    };
    let text = |part: &str| part.to_owned();
    Ok(Account {
        user_name: text(user_name),
        password: text(password),
        sub: text(sub),
        email: text(email),
        oid: text(sub),
    })
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let config = Config {
        data: arguments.data,
        listen: arguments.listen,
        client_id: arguments.client_id,
        accounts: arguments.account,
        any_user_password: arguments.any_user_password,
        control: arguments.control,
        clock: Arc::new(now_s),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(run(config, arguments.watch_stdin)),
        Err(error) => Err(Error::System("threads", error)),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(io::stderr(), "chancery-issuer: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(config: Config, watch_stdin: bool) -> Result<(), Error> {
    // Before the ready line, so that a parent that has read it can end the process.
    let watch = |kind| signal(kind).map_err(|error| Error::System("signals", error));
    let (mut terminate, mut interrupt) = (
        watch(SignalKind::terminate())?,
        watch(SignalKind::interrupt())?,
    );
    let input_ended = if watch_stdin {
        Some(stdin_end().map_err(|error| Error::System("standard input", error))?)
    } else {
        None
    };
    let issuer = start(config).await?;
    let mut line = issuer.ready().to_bytes();
    line.push(b'\n');
    let mut out = io::stdout();
    out.write_all(&line)
        .and_then(|()| out.flush())
        .map_err(|error| Error::System("ready line", error))?;
    tokio::select! {
        _signal = terminate.recv() => {}
        _signal = interrupt.recv() => {}
        () = ended(input_ended) => {}
    }
    issuer.stop().await;
    Ok(())
}

/// Tells when standard input has ended.
fn stdin_end() -> io::Result<oneshot::Receiver<()>> {
    let (sender, receiver) = oneshot::channel();
    std::thread::Builder::new()
        .name("watch-stdin".to_owned())
        .spawn(move || {
            // An error is an end, too, and so is a sender that is dropped.
            io::copy(&mut io::stdin().lock(), &mut io::sink()).unwrap_or_default();
            drop(sender);
        })?;
    Ok(receiver)
}

/// Waits for the end of standard input if it is watched, and for ever if not.
async fn ended(input: Option<oneshot::Receiver<()>>) {
    match input {
        Some(input) => drop(input.await),
        None => pending().await,
    }
}

/// The one clock of this process: seconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "the shell's one clock")]
fn now_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_four_parts() {
        let ada = account("ada,p,00u1,ada@demo.example").unwrap();
        assert_eq!((ada.sub.as_str(), ada.oid.as_str()), ("00u1", "00u1"));
        assert_eq!(ada.email, "ada@demo.example");
        assert!(account("ada,p,00u1").is_err());
        assert!(account("ada,p,00u1,a@b,more").is_err());
    }
}
