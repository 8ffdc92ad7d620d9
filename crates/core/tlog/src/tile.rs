//! Tiles and entry bundles, by [c2sp.org/tlog-tiles](https://c2sp.org/tlog-tiles).
//!
//! A tile is 256 consecutive hashes of one level, a level being eight levels of the tree.

use alloc::format;
use alloc::string::ToString as _;
use alloc::vec::Vec;
use core::fmt;

use crate::Error;
use crate::HASH_BYTES;
use crate::MerkleTree;
use crate::TREE_SIZE_MAX;

/// Hashes of a full tile, and entries of a full bundle.
pub const TILE_WIDTH: u16 = 256;

/// Levels of the tree that one tile level spans.
const TILE_HEIGHT: u32 = 8;

/// Highest tile level of a tree of at most [`TREE_SIZE_MAX`] leaves.
pub const TILE_LEVEL_MAX: u8 = 7;

/// Longest entry in bytes: its length has 16 bits.
pub const ENTRY_BYTES_MAX: usize = 65_535;

/// Where a tile stands: level, number in the level, and how many hashes it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TileCoordinate {
    kind: TileKind,
    index: u64,
    width: u16,
}

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the specification has these two kinds"
)]
pub enum TileKind {
    /// Hashes of this tile level.
    Hashes(u8),
    /// Log entries; beside level 0.
    Entries,
}

impl TileKind {
    const fn level(self) -> u8 {
        match self {
            Self::Hashes(level) => level,
            Self::Entries => 0,
        }
    }
}

impl TileCoordinate {
    /// Makes a coordinate.
    ///
    /// # Errors
    /// [`Error::Tile`] if level, index or width is out of range.
    pub const fn new(kind: TileKind, index: u64, width: u16) -> Result<Self, Error> {
        let valid = kind.level() <= TILE_LEVEL_MAX
            && index <= TREE_SIZE_MAX >> TILE_HEIGHT
            && width >= 1
            && width <= TILE_WIDTH;
        if valid {
            Ok(Self { kind, index, width })
        } else {
            Err(Error::Tile)
        }
    }

    /// Level or entries.
    #[must_use]
    pub const fn kind(&self) -> TileKind {
        self.kind
    }

    /// Number of the tile in its level.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes or entries, 1 to 256.
    #[must_use]
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Number of the first hash or entry within the level.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.index.saturating_mul(u64::from(TILE_WIDTH))
    }

    /// Reads a path such as `tile/0/x001/x234/067.p/8`; each tile has one spelling.
    ///
    /// # Errors
    /// [`Error::Tile`].
    pub fn parse(path: &str) -> Result<Self, Error> {
        let rest = path.strip_prefix("tile/").ok_or(Error::Tile)?;
        let (level, rest) = rest.split_once('/').ok_or(Error::Tile)?;
        let kind = match level.as_bytes() {
            b"entries" => TileKind::Entries,
            [digit @ b'0'..=b'7'] => TileKind::Hashes(digit.wrapping_sub(b'0')),
            _ => return Err(Error::Tile),
        };
        let (digits, width) = match rest.split_once(".p/") {
            None => (rest, TILE_WIDTH),
            Some((digits, width)) => (digits, parse_number(width)?),
        };
        let mut index = 0_u64;
        for element in digits.split('/') {
            let element = element.strip_prefix('x').unwrap_or(element);
            if element.len() != 3 || !element.bytes().all(|b| b.is_ascii_digit()) {
                return Err(Error::Tile);
            }
            let part: u64 = parse_number(element)?;
            index = index
                .checked_mul(1000)
                .and_then(|i| i.checked_add(part))
                .ok_or(Error::Tile)?;
        }
        let tile = Self::new(kind, index, width)?;
        // Leading zero elements, misplaced `x` and a written full width end here.
        if tile.to_string() == path {
            Ok(tile)
        } else {
            Err(Error::Tile)
        }
    }
}

fn parse_number<N: core::str::FromStr>(text: &str) -> Result<N, Error> {
    match text.parse() {
        Ok(number) => Ok(number),
        Err(_) => Err(Error::Tile),
    }
}

impl fmt::Display for TileCoordinate {
    /// The path below the log's prefix, without a leading slash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut elements = format!("{:03}", self.index % 1000);
        let mut rest = self.index / 1000;
        while rest != 0 {
            elements = format!("x{:03}/{elements}", rest % 1000);
            rest /= 1000;
        }
        match self.kind {
            TileKind::Hashes(level) => write!(f, "tile/{level}/{elements}")?,
            TileKind::Entries => write!(f, "tile/entries/{elements}")?,
        }
        if self.width < TILE_WIDTH {
            write!(f, ".p/{}", self.width)
        } else {
            Ok(())
        }
    }
}

/// Width of tile `index` at a level of the tree of `size` leaves; none if it would be empty.
#[must_use]
pub fn tile_width(level: u8, index: u64, size: u64) -> Option<u16> {
    let hashes = size.checked_shr(TILE_HEIGHT.checked_mul(level.into())?)?;
    let start = index.checked_mul(TILE_WIDTH.into())?;
    let width = hashes.checked_sub(start)?.min(TILE_WIDTH.into());
    u16::try_from(width).ok().filter(|width| *width > 0)
}

/// The hash tiles that the tree of `size` leaves has and the tree of `old` leaves has not, with
/// the partial ones of `size` only.
#[must_use]
pub fn new_tiles(old: u64, size: u64) -> Vec<TileCoordinate> {
    let mut tiles = Vec::new();
    for level in 0..=TILE_LEVEL_MAX {
        let shift = TILE_HEIGHT.saturating_mul(level.into());
        let first = old.checked_shr(shift).unwrap_or(0) >> TILE_HEIGHT;
        for index in first.. {
            let Some(width) = tile_width(level, index, size) else {
                break;
            };
            if tile_width(level, index, old) != Some(width) {
                tiles.extend(TileCoordinate::new(TileKind::Hashes(level), index, width));
            }
        }
    }
    tiles
}

impl MerkleTree {
    /// The bytes of a hash tile; none if the tree does not have it, or for [`TileKind::Entries`].
    #[must_use]
    pub fn tile(&self, tile: &TileCoordinate) -> Option<Vec<u8>> {
        let TileKind::Hashes(level) = tile.kind() else {
            return None;
        };
        let level = TILE_HEIGHT.checked_mul(level.into())?;
        let width = usize::from(tile.width());
        let mut bytes = Vec::with_capacity(width.checked_mul(HASH_BYTES)?);
        for index in (tile.start()..).take(width) {
            bytes.extend_from_slice(self.subtree(level, index)?.as_bytes());
        }
        Some(bytes)
    }
}

/// Writes entries as a bundle: each with its length in two bytes, big-endian.
///
/// # Errors
/// [`Error::Entry`] for more than 256 entries or one above [`ENTRY_BYTES_MAX`].
pub fn encode_entry_bundle<'a>(
    entries: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, Error> {
    let mut bundle = Vec::new();
    for (count, entry) in entries.into_iter().enumerate() {
        let Ok(length) = u16::try_from(entry.len()) else {
            return Err(Error::Entry);
        };
        if count >= usize::from(TILE_WIDTH) {
            return Err(Error::Entry);
        }
        bundle.extend_from_slice(&length.to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    Ok(bundle)
}

/// Reads a bundle that must hold exactly `width` entries.
///
/// # Errors
/// [`Error::Entry`] if it is cut, or holds another number of entries.
pub fn parse_entry_bundle(mut bundle: &[u8], width: u16) -> Result<Vec<&[u8]>, Error> {
    let mut entries = Vec::new();
    for _ in 0..width {
        let (length, rest) = bundle.split_first_chunk().ok_or(Error::Entry)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, rest) = rest.split_at_checked(length).ok_or(Error::Entry)?;
        entries.push(entry);
        bundle = rest;
    }
    if bundle.is_empty() {
        Ok(entries)
    } else {
        Err(Error::Entry)
    }
}
