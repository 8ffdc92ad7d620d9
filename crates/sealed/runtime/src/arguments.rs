//! The runtime's command line: where its host is. Nothing on it decides anything (I6).

use std::path::PathBuf;
use std::sync::Arc;

use crate::transport::{Transport, Unix};

/// How the runtime is started.
pub const USAGE: &str = "usage: --host-socket PATH --ingress-socket PATH";

/// Reads the arguments after the program's name.
///
/// # Errors
/// [`USAGE`] for anything but the two sockets, each once.
pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Arc<dyn Transport>, &'static str> {
    let (mut host, mut ingress) = (None, None);
    let mut arguments = arguments;
    while let Some(name) = arguments.next() {
        let slot: &mut Option<PathBuf> = match name.as_str() {
            "--host-socket" => &mut host,
            "--ingress-socket" => &mut ingress,
            _ => return Err(USAGE),
        };
        let value = arguments.next().ok_or(USAGE)?;
        if slot.replace(PathBuf::from(value)).is_some() {
            return Err(USAGE);
        }
    }
    match (host, ingress) {
        (Some(host), Some(ingress)) => Ok(Arc::new(Unix { host, ingress })),
        _ => Err(USAGE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> bool {
        parse(text.split_whitespace().map(String::from)).is_ok()
    }

    #[test]
    fn takes_each_socket_once_and_nothing_else() {
        assert!(parsed("--host-socket a --ingress-socket b"));
        for text in [
            "",
            "--host-socket a",
            "--host-socket a --host-socket b --ingress-socket c",
            "--host-socket a --ingress-socket b --emulated",
            "--host-socket a --ingress-socket",
        ] {
            assert!(!parsed(text), "{text}");
        }
    }
}
