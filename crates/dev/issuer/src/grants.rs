//! What waits between two requests: logins that were begun, and codes that were given.

use std::collections::BTreeMap;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::accounts::Account;
use crate::authorize::Authorization;
use crate::error::Error;

/// Most that wait at once, of each kind: a test opens a few hundred.
const WAITING_MAX: usize = 1024;
/// How long a login page may stay open, in seconds.
const LOGIN_LIFE_S: u64 = 600;
/// How long a code lives, in seconds (RFC 6749 section 4.1.2 allows ten minutes).
pub(crate) const CODE_LIFE_S: u64 = 60;
/// How many wrong passwords a login page takes.
const ATTEMPTS_MAX: u32 = 5;

/// 32 random bytes in base64url.
pub(crate) fn token(random: &SystemRandom) -> Result<String, Error> {
    let mut bytes = [0; 32];
    random.fill(&mut bytes)?;
    Ok(Base64UrlUnpadded::encode_string(&bytes))
}

/// Things under random names, each with its end.
#[derive(Debug)]
pub(crate) struct Waiting<T> {
    life_s: u64,
    things: BTreeMap<String, (u64, T)>,
}

impl<T> Waiting<T> {
    pub(crate) const fn new(life_s: u64) -> Self {
        Self {
            life_s,
            things: BTreeMap::new(),
        }
    }

    /// Puts one in under a new name; none if there is no place.
    pub(crate) fn put(
        &mut self,
        thing: T,
        now_s: u64,
        random: &SystemRandom,
    ) -> Result<Option<String>, Error> {
        self.things.retain(|_, (end_s, _)| *end_s > now_s);
        if self.things.len() >= WAITING_MAX {
            return Ok(None);
        }
        let name = token(random)?;
        let end_s = now_s.saturating_add(self.life_s);
        self.things.insert(name.clone(), (end_s, thing));
        Ok(Some(name))
    }

    /// Looks at one.
    pub(crate) fn look(&mut self, name: &str, now_s: u64) -> Option<&mut T> {
        let (end_s, thing) = self.things.get_mut(name)?;
        (*end_s > now_s).then_some(thing)
    }

    /// Takes one out: it is there for one use.
    pub(crate) fn take(&mut self, name: &str, now_s: u64) -> Option<T> {
        let (end_s, thing) = self.things.remove(name)?;
        (end_s > now_s).then_some(thing)
    }
}

/// A login page that is open.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    /// What was asked for.
    pub(crate) authorization: Authorization,
    /// The cookie of the browser that it was shown to.
    pub(crate) browser: String,
    attempts: u32,
}

impl Login {
    pub(crate) const fn new(authorization: Authorization, browser: String) -> Self {
        Self {
            authorization,
            browser,
            attempts: 0,
        }
    }

    /// Counts a wrong password; tells whether another may be tried.
    pub(crate) const fn failed(&mut self) -> bool {
        self.attempts = self.attempts.saturating_add(1);
        self.attempts < ATTEMPTS_MAX
    }
}

/// What a code stands for.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    /// What was asked for.
    pub(crate) authorization: Authorization,
    /// Who logged in.
    pub(crate) account: Account,
    /// When, in seconds since the Unix epoch.
    pub(crate) login_s: u64,
}

/// Everything that waits.
#[derive(Debug)]
pub(crate) struct Grants {
    /// Open login pages.
    pub(crate) logins: Waiting<Login>,
    /// Codes that were not used yet.
    pub(crate) codes: Waiting<Grant>,
}

impl Grants {
    pub(crate) const fn new() -> Self {
        Self {
            logins: Waiting::new(LOGIN_LIFE_S),
            codes: Waiting::new(CODE_LIFE_S),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_taken_once_and_in_time() {
        let random = SystemRandom::new();
        let mut waiting = Waiting::new(60);
        let first = waiting.put(1, 1000, &random).unwrap().unwrap();
        let second = waiting.put(2, 1000, &random).unwrap().unwrap();
        assert_ne!(first, second);
        assert_eq!(waiting.look(&first, 1059), Some(&mut 1));
        assert_eq!(waiting.take(&first, 1059), Some(1));
        assert_eq!(waiting.take(&first, 1059), None);
        assert_eq!(waiting.look(&second, 1060), None);
        assert_eq!(waiting.take(&second, 1060), None);
    }

    #[test]
    fn there_is_place_for_so_many_until_their_time_is_over() {
        let random = SystemRandom::new();
        let mut waiting = Waiting::new(60);
        for n in 0..WAITING_MAX {
            assert!(waiting.put(n, 0, &random).unwrap().is_some());
        }
        assert_eq!(waiting.put(0, 59, &random).unwrap(), None);
        assert!(waiting.put(0, 60, &random).unwrap().is_some());
    }
}
