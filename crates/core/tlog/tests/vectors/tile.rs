//! Tiles, entry bundles and a real tiled log.

use std::fs;

use chancery_tlog::Error;
use chancery_tlog::Hash;
use chancery_tlog::MerkleTree;
use chancery_tlog::UnverifiedCheckpoint;
use chancery_tlog::VerifierKey;
use chancery_tlog::leaf_hash;
use chancery_tlog::tile::TileCoordinate;
use chancery_tlog::tile::TileKind;
use chancery_tlog::tile::encode_entry_bundle;
use chancery_tlog::tile::new_tiles;
use chancery_tlog::tile::parse_entry_bundle;
use chancery_tlog::tile::tile_width;

use crate::load;

#[test]
fn a_real_tiled_log_is_rebuilt_from_its_files() {
    let vkey = String::from_utf8(load::bytes("tessera_log/VKEY.txt")).unwrap();
    let key = VerifierKey::parse(vkey.trim_end()).unwrap();
    let mut checked = 0;
    for size in 1..=15_u16 {
        let Ok(bundle) = fs::read(load::path(&format!(
            "tessera_log/tile/entries/000.p/{size}"
        ))) else {
            continue;
        };
        let entries = parse_entry_bundle(&bundle, size).unwrap();
        assert_eq!(
            encode_entry_bundle(entries.iter().copied()).unwrap(),
            bundle
        );
        let mut tree = MerkleTree::new();
        for entry in entries {
            tree.append(leaf_hash(entry));
        }
        let tile = TileCoordinate::parse(&format!("tile/0/000.p/{size}")).unwrap();
        let expected = load::bytes(&format!("tessera_log/{tile}"));
        assert_eq!(tree.tile(&tile).unwrap(), expected);
        let note = load::bytes(&format!("tessera_log/checkpoint.{size}"));
        let head = UnverifiedCheckpoint::parse(&note).unwrap();
        let head = head.verify("example.com/log/testdata", &key).unwrap();
        assert_eq!((head.size(), *head.root()), (u64::from(size), tree.root()));
        checked += 1;
    }
    assert!(checked >= 9, "{checked}");
}

#[test]
fn layout_vectors_hold() {
    let cases = load::json("tile_layout.json")["cases"].clone();
    let index = load::number(&cases["index-1234067"]["n"]);
    let tile = TileCoordinate::new(TileKind::Entries, index, 256).unwrap();
    let element = load::text(&cases["index-1234067"]["path_element"]);
    assert_eq!(tile.to_string(), format!("tile/entries/{element}"));
    let c2sp = &cases["c2sp-256"];
    let size = load::number(&c2sp["size"]);
    assert_eq!(tile_width(0, 0, size), Some(256));
    assert_eq!(tile_width(0, 1, size), None);
    let width = load::number(&c2sp["partial_level1_width"]);
    assert_eq!(tile_width(1, 0, size).map(u64::from), Some(width));
}

#[test]
fn a_tree_of_seventy_thousand_has_the_tiles_of_the_specification() {
    let tiles = new_tiles(0, 70_000);
    let count = |level, full| {
        let of = |t: &&TileCoordinate| t.kind() == TileKind::Hashes(level);
        tiles
            .iter()
            .filter(of)
            .filter(|t| (t.width() == 256) == full)
            .count()
    };
    assert_eq!((count(0, true), count(0, false)), (273, 1));
    assert_eq!((count(1, true), count(1, false)), (1, 1));
    assert_eq!((count(2, true), count(2, false)), (0, 1));
    assert_eq!(tiles.len(), 277);
    assert_eq!(tile_width(0, 273, 70_000), Some(112));
    assert_eq!(tile_width(1, 1, 70_000), Some(17));
    assert_eq!(new_tiles(70_000, 70_000), []);
    let grown: Vec<String> = new_tiles(70_000, 70_001)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(grown, ["tile/0/273.p/113"]);
}

#[test]
fn tiles_hold_the_roots_of_full_tiles_below() {
    let mut tree = MerkleTree::new();
    for n in 0..600_u64 {
        tree.append(leaf_hash(&n.to_be_bytes()));
    }
    for tile in new_tiles(0, 600) {
        let bytes = tree.tile(&tile).unwrap();
        assert_eq!(bytes.len(), usize::from(tile.width()) * 32, "{tile}");
        if tile.kind() == TileKind::Hashes(1) {
            let mut below = MerkleTree::new();
            let full = TileCoordinate::new(TileKind::Hashes(0), 0, 256).unwrap();
            for leaf in tree.tile(&full).unwrap().chunks_exact(32) {
                below.append(Hash(leaf.try_into().unwrap()));
            }
            assert_eq!(bytes[..32], below.root().0);
        }
    }
    let absent = TileCoordinate::new(TileKind::Hashes(0), 2, 89).unwrap();
    assert_eq!(tree.tile(&absent), None);
    let entries = TileCoordinate::new(TileKind::Entries, 0, 1).unwrap();
    assert_eq!(tree.tile(&entries), None);
}

#[test]
fn refuses_every_other_spelling_of_a_path() {
    for path in [
        "tile/0/x001/x234/067.p/8",
        "tile/7/000",
        "tile/entries/255.p/255",
        "tile/0/x001/000",
    ] {
        assert_eq!(TileCoordinate::parse(path).unwrap().to_string(), path);
    }
    for path in [
        "",
        "tile/",
        "tile/0",
        "tile/0/",
        "/tile/0/000",
        "tile/8/000",
        "tile/00/000",
        "tile/-1/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/0/x000",
        "tile/0/001/000",
        "tile/0/x001/x000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/08",
        "tile/0/000.p/+8",
        "tile/0/000.p/",
        "tile/0/000.p/8/",
        "tile/0/000/",
        "tile/0/00a",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
    ] {
        assert_eq!(TileCoordinate::parse(path), Err(Error::Tile), "{path}");
    }
}

#[test]
fn refuses_bundles_that_are_cut_or_too_long() {
    let bundle = encode_entry_bundle([&b"one"[..], b"", b"three"]).unwrap();
    assert_eq!(
        parse_entry_bundle(&bundle, 3).unwrap(),
        [&b"one"[..], b"", b"three"]
    );
    for at in 0..bundle.len() {
        assert_eq!(
            parse_entry_bundle(&bundle[..at], 3),
            Err(Error::Entry),
            "cut at {at}"
        );
    }
    assert_eq!(parse_entry_bundle(&bundle, 2), Err(Error::Entry));
    assert_eq!(parse_entry_bundle(&bundle, 4), Err(Error::Entry));
    assert_eq!(
        encode_entry_bundle([&[0_u8; 65_536][..]]),
        Err(Error::Entry)
    );
    assert_eq!(encode_entry_bundle([&b""[..]; 257]), Err(Error::Entry));
    assert!(encode_entry_bundle([&b""[..]; 256]).is_ok());
}
