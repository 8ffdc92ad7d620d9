//! Seeded randomness and a world in memory for tests of the sealed engine.
//!
//! Zone: dev.
//!
//! A [`World`] is one deployment without processes: the engine, a store that is a map, and one tenant
//! whose admin key the test holds. Everything in it follows from one seed.

#![forbid(unsafe_code)]
#![expect(
    clippy::expect_used,
    reason = "a test that cannot build its world must stop at the place where it cannot"
)]

mod in_memory;
mod member;
mod requests;
mod seed;
mod world;

pub use in_memory::{InMemory, Sent};
pub use member::Member;
pub use requests::{member_json, user_json};
pub use seed::Seeded;
pub use world::World;
