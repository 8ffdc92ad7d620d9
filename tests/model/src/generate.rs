//! Random resources and random filters that have a chance to match them.

mod bodies;
mod filters;
mod patches;
mod words;

pub use bodies::{entry, group_body, user_body, value};
pub use filters::{inner_filter, tree};
pub use patches::{member_list, operation, patch_body};
pub use words::{EMAILS, IDS, INSTANTS, LINKS, NAMES, TEXTS};
