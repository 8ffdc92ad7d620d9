//! The real witness over real sockets and files: in this process, and as a process of its own.

#[cfg(test)]
mod harness;
#[cfg(test)]
mod process;
#[cfg(test)]
mod server;
#[cfg(test)]
mod storage;
