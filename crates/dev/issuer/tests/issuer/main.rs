//! The issuer as a client meets it: over TLS, in this process and as a program.

#[cfg(test)]
mod flow;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod process;
