//! Ids of a whole directory, in sixteen bytes each: a million of them must not be what is measured.

/// Ids of one server, which are all UUIDs, with hyphens or without.
#[derive(Clone, Debug, Default)]
pub(super) struct Ids {
    numbers: Vec<u128>,
    is_hyphenated: bool,
}

/// Bytes that one id takes.
pub(super) const ID_BYTES: u64 = 16;

impl Ids {
    /// Adds an id. None if it is no UUID.
    pub(super) fn push(&mut self, id: &str) -> Option<()> {
        let digits: String = id.chars().filter(|char| *char != '-').collect();
        if digits.len() != 32 {
            return None;
        }
        self.numbers.push(u128::from_str_radix(&digits, 16).ok()?);
        self.is_hyphenated = id.contains('-');
        Some(())
    }

    /// The id of a user, as the server wrote it.
    pub(super) fn get(&self, number: u64) -> Option<String> {
        let id = self.numbers.get(usize::try_from(number).ok()?)?;
        let digits = format!("{id:032x}");
        if !self.is_hyphenated {
            return Some(digits);
        }
        let part = |from, to| digits.get(from..to);
        let parts = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)];
        let parts: Option<Vec<&str>> = parts.iter().map(|(from, to)| part(*from, *to)).collect();
        Some(parts?.join("-"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_ids_back_as_they_came() {
        let hyphenated = "0036f8c2-b8f0-4155-a2ea-1ca797877886";
        for id in [hyphenated.to_owned(), hyphenated.replace('-', "")] {
            let mut ids = Ids::default();
            ids.push(&id).unwrap();
            assert_eq!(ids.get(0), Some(id));
            assert_eq!(ids.get(1), None);
        }
        assert_eq!(Ids::default().push("17"), None);
        assert_eq!(Ids::default().push(&"x".repeat(32)), None);
    }
}
