//! One tree, many legal texts: case of names and operators, URNs, spaces, parentheses, escapes.

use crate::filter::{Literal, Test, Tree};
use crate::random::Dice;
use crate::schema::{Attribute, ENTERPRISE, Kind, Place};

/// Writes filters and paths for one kind of resource, each in another spelling.
#[derive(Debug)]
pub struct Speller<'d> {
    dice: &'d mut Dice,
    kind: Kind,
    out: String,
    /// Whether names have no URN: those of sub-attributes, and where one schema would not do.
    bare: bool,
}

impl<'d> Speller<'d> {
    /// A filter as text.
    pub fn filter(dice: &'d mut Dice, kind: Kind, tree: &Tree) -> String {
        let mut speller = Self::new(dice, kind);
        speller.padding(8);
        speller.tree(tree);
        speller.padding(8);
        speller.out
    }

    /// A filter over several kinds as text: none of its names is qualified.
    pub fn unqualified(dice: &'d mut Dice, kind: Kind, tree: &Tree) -> String {
        let mut speller = Self::new(dice, kind);
        speller.bare = true;
        speller.tree(tree);
        speller.out
    }

    /// A PATCH path as text: an attribute, a filter of its values, a sub-attribute behind it.
    pub fn path(dice: &'d mut Dice, kind: Kind, place: Place, filter: Option<&Tree>) -> String {
        let mut speller = Self::new(dice, kind);
        match filter {
            None => speller.place(place),
            Some(filter) => {
                speller.place(Place { sub: None, ..place });
                speller.bracket(filter);
                if let Some(sub) = place.sub {
                    speller.out.push('.');
                    speller.word(sub.name);
                }
            }
        }
        speller.out
    }

    /// The URN of the extension as a path.
    pub fn extension(dice: &'d mut Dice) -> String {
        let mut speller = Self::new(dice, Kind::User);
        speller.word(ENTERPRISE);
        speller.out
    }

    const fn new(dice: &'d mut Dice, kind: Kind) -> Self {
        Self {
            dice,
            kind,
            out: String::new(),
            bare: false,
        }
    }

    fn tree(&mut self, tree: &Tree) {
        if self.dice.chance(12) {
            self.parenthesis(tree);
            return;
        }
        match tree {
            Tree::And(trees) => self.joined(trees, "and"),
            Tree::Or(trees) => self.joined(trees, "or"),
            Tree::Not(tree) => {
                self.word("not");
                self.padding(60);
                self.parenthesis(tree);
            }
            Tree::Test(place, test) => {
                self.place(*place);
                self.test(test);
            }
            Tree::Within(place, tree) => {
                self.place(*place);
                self.bracket(tree);
            }
            Tree::WithinThen(place, tree, sub, test) => {
                self.place(*place);
                self.bracket(tree);
                self.out.push('.');
                self.word(sub.name);
                self.test(test);
            }
        }
    }

    /// Without parentheses, `and` binds closer than `or`.
    fn joined(&mut self, trees: &[Tree], operator: &str) {
        for (index, tree) in trees.iter().enumerate() {
            if index > 0 {
                self.space();
                self.word(operator);
                self.space();
            }
            if operator == "and" && matches!(tree, Tree::Or(_)) {
                self.parenthesis(tree);
            } else {
                self.tree(tree);
            }
        }
    }

    fn parenthesis(&mut self, tree: &Tree) {
        self.out.push('(');
        self.padding(15);
        self.tree(tree);
        self.padding(15);
        self.out.push(')');
    }

    fn bracket(&mut self, tree: &Tree) {
        self.out.push('[');
        self.padding(10);
        let bare = std::mem::replace(&mut self.bare, true);
        self.tree(tree);
        self.bare = bare;
        self.padding(10);
        self.out.push(']');
    }

    fn place(&mut self, place: Place) {
        // Attributes of the extension are found without its URN too, as Entra ID sends `manager`.
        let urn = if self.bare {
            None
        } else if place.extension {
            self.dice.chance(70).then_some(ENTERPRISE)
        } else {
            self.dice.chance(12).then_some(self.kind.urn())
        };
        if let Some(urn) = urn {
            self.word(urn);
            self.out.push(':');
        }
        self.attribute(place.attribute);
        if let Some(sub) = place.sub {
            self.out.push('.');
            self.word(sub.name);
        }
    }

    fn attribute(&mut self, attribute: &Attribute) {
        self.word(attribute.name);
    }

    fn test(&mut self, test: &Test) {
        self.space();
        match test {
            Test::Present => self.word("pr"),
            Test::Compare(operator, literal) => {
                self.word(operator.name());
                self.space();
                self.literal(literal);
            }
        }
    }

    fn literal(&mut self, literal: &Literal) {
        match literal {
            Literal::Text(text) => self.string(text),
            Literal::Flag(flag) => self.out.push_str(if *flag { "true" } else { "false" }),
            Literal::FlagText(flag) => {
                self.out.push('"');
                self.word(if *flag { "true" } else { "false" });
                self.out.push('"');
            }
            Literal::Null => self.out.push_str("null"),
        }
    }

    /// A JSON string in which any character may be escaped.
    fn string(&mut self, text: &str) {
        let share = *self.dice.pick(&[0, 0, 10, 100]);
        self.out.push('"');
        for character in text.chars() {
            match character {
                '"' | '\\' if self.dice.chance(70) => {
                    self.out.push('\\');
                    self.out.push(character);
                }
                '/' if self.dice.chance(share) => self.out.push_str("\\/"),
                _ if character < ' '
                    || matches!(character, '"' | '\\')
                    || self.dice.chance(share) =>
                {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        let code = if self.dice.chance(50) {
                            format!("\\u{unit:04x}")
                        } else {
                            format!("\\u{unit:04X}")
                        };
                        self.out.push_str(&code);
                    }
                }
                plain => self.out.push(plain),
            }
        }
        self.out.push('"');
    }

    /// A word whose case does not count.
    fn word(&mut self, word: &str) {
        match self.dice.below(8) {
            0 => self.out.push_str(&word.to_ascii_uppercase()),
            1 => self.out.push_str(&word.to_ascii_lowercase()),
            2 => {
                for character in word.chars() {
                    let turned = if self.dice.chance(50) {
                        character.to_ascii_uppercase()
                    } else {
                        character.to_ascii_lowercase()
                    };
                    self.out.push(turned);
                }
            }
            _ => self.out.push_str(word),
        }
    }

    fn space(&mut self) {
        self.out.push(' ');
        self.padding(8);
    }

    fn padding(&mut self, percent: usize) {
        while self.dice.chance(percent.min(60)) {
            self.out.push(' ');
        }
    }
}
