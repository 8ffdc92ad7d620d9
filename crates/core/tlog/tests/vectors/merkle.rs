//! Trees and their proofs.

use base64ct::Base64;
use base64ct::Encoding as _;
use chancery_tlog::Error;
use chancery_tlog::Hash;
use chancery_tlog::MerkleTree;
use chancery_tlog::TREE_SIZE_MAX;
use chancery_tlog::leaf_hash;
use chancery_tlog::node_hash;
use chancery_tlog::verify_consistency;
use chancery_tlog::verify_inclusion;

use crate::load;

#[test]
fn roots_are_those_of_rfc_6962() {
    for (name, case) in load::cases("rfc6962_trees.json") {
        let mut tree = MerkleTree::new();
        for leaf in case["leaf_inputs_hex"].as_array().unwrap() {
            tree.append(leaf_hash(&hex::decode(load::text(leaf)).unwrap()));
        }
        assert_eq!(tree.root(), load::hex_hash(&case["root_hex"]), "{name}");
    }
    assert_eq!(MerkleTree::new().root(), Hash::EMPTY_ROOT);
}

#[test]
fn nodes_are_those_of_rfc_6962() {
    let file = load::json("rfc6962_node_hashes.json");
    let levels = file["node_hashes_by_level_hex"].as_array().unwrap();
    let mut tree = MerkleTree::new();
    for leaf in levels[0].as_array().unwrap() {
        tree.append(load::hex_hash(leaf));
    }
    for (level, nodes) in (0..).zip(levels) {
        for (index, node) in (0..).zip(nodes.as_array().unwrap()) {
            assert_eq!(tree.subtree(level, index), Some(load::hex_hash(node)));
        }
    }
}

#[test]
fn inclusion_vectors_have_their_verdicts() {
    for (name, case) in load::cases("merkle_inclusion.json") {
        let verdict = || {
            let proof = load::hashes(&case["proof"])?;
            let (leaf, root) = (load::hash(&case["leafHash"])?, load::hash(&case["root"])?);
            let (index, size) = (
                load::number(&case["leafIdx"]),
                load::number(&case["treeSize"]),
            );
            verify_inclusion(&leaf, index, size, &proof, &root).ok()
        };
        let refused = case["wantErr"].as_bool().unwrap();
        assert_eq!(verdict().is_none(), refused, "{name}");
    }
}

#[test]
fn consistency_vectors_have_their_verdicts() {
    for (name, case) in load::cases("merkle_consistency.json") {
        let verdict = || {
            let proof = load::hashes(&case["proof"])?;
            let (old_root, new_root) = (load::hash(&case["root1"])?, load::hash(&case["root2"])?);
            let (old, new) = (load::number(&case["size1"]), load::number(&case["size2"]));
            verify_consistency(old, &old_root, new, &new_root, &proof).ok()
        };
        let refused = case["wantErr"].as_bool().unwrap();
        assert_eq!(verdict().is_none(), refused, "{name}");
    }
}

#[test]
fn sigsum_inclusion_vectors_have_their_verdicts() {
    for (name, case) in load::cases("sigsum_inclusion.json") {
        let proof = load::hashes(&case["inclusion_path"]).unwrap();
        let leaf = load::hash(&case["leaf_hash"]).unwrap();
        let root = load::hash(&case["root_hash"]).unwrap();
        let (index, size) = (
            load::number(&case["leaf_index"]),
            load::number(&case["tree_size"]),
        );
        let verdict = verify_inclusion(&leaf, index, size, &proof, &root);
        assert_eq!(verdict.is_ok(), case["valid"].as_bool().unwrap(), "{name}");
    }
}

#[test]
fn accepts_a_leaf_of_a_real_log_of_a_thousand_million() {
    let responses = load::json("ct_argon2020.json")["responses"].clone();
    let entry = &responses["get-entries-start-10000-end-10000"]["entries"][0]["leaf_input"];
    let leaf = leaf_hash(&Base64::decode_vec(load::text(entry)).unwrap());
    let (_, proof) = responses
        .as_object()
        .unwrap()
        .iter()
        .find(|(name, _)| name.starts_with("get-proof-by-hash"))
        .unwrap();
    let path = load::hashes(&proof["audit_path"]).unwrap();
    let head = &responses["get-sth"];
    let (size, root) = (
        load::number(&head["tree_size"]),
        load::hash(&head["sha256_root_hash"]),
    );
    assert_eq!(
        verify_inclusion(&leaf, 10_000, size, &path, &root.unwrap()),
        Ok(())
    );
    let next = verify_inclusion(&leaf, 10_001, size, &path, &root.unwrap());
    assert_eq!(next, Err(Error::RootMismatch));
}

#[test]
fn rekor_entries_have_their_verdicts() {
    let mut checked = 0;
    for (name, case) in load::cases("rekor_entries.json") {
        let body = Base64::decode_vec(load::text(&case["canonicalizedBody"])).unwrap();
        let proof = &case["inclusionProof"];
        let Some(path) = load::hashes(&proof["hashes"]) else {
            continue;
        };
        let (index, size) = (
            load::number(&proof["logIndex"]),
            load::number(&proof["treeSize"]),
        );
        let root = load::hash(&proof["rootHash"]).unwrap();
        let verdict = verify_inclusion(&leaf_hash(&body), index, size, &path, &root);
        // The other refused cases of this file are refused for their checkpoints.
        let refused = name.contains("inclusion-proof");
        assert_eq!(verdict.is_err(), refused, "{name}: {verdict:?}");
        checked += 1;
    }
    assert!(checked > 10);
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
}

/// The definition, word by word.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

fn tree_of(leaves: &[Hash]) -> MerkleTree {
    let mut tree = MerkleTree::new();
    for leaf in leaves {
        tree.append(*leaf);
    }
    tree
}

/// Every way to spoil a proof slightly.
fn spoilt(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all = vec![
        [proof, &[Hash::EMPTY_ROOT]].concat(),
        [&[Hash::EMPTY_ROOT], proof].concat(),
    ];
    for at in 0..proof.len() {
        let mut cut = proof.to_vec();
        let mut flipped = cut.clone();
        cut.remove(at);
        flipped[at].0[at % 32] ^= 1;
        all.extend([cut, flipped]);
    }
    all
}

#[test]
fn every_small_tree_agrees_with_the_definition_and_proves_each_leaf() {
    const COUNT: u64 = 40;
    let leaves = leaves(COUNT);
    let tree = tree_of(&leaves);
    for (size, count) in (0..=COUNT).zip(0..) {
        let root = tree.root_at(size).unwrap();
        assert_eq!(root, naive_root(&leaves[..count]));
        for (index, leaf) in (0..size).zip(&leaves) {
            let proof = tree.inclusion(index, size).unwrap();
            assert_eq!(verify_inclusion(leaf, index, size, &proof, &root), Ok(()));
            for bad in spoilt(&proof) {
                assert!(verify_inclusion(leaf, index, size, &bad, &root).is_err());
            }
            let other = node_hash(leaf, leaf);
            let refused = verify_inclusion(&other, index, size, &proof, &root);
            assert_eq!(refused, Err(Error::RootMismatch));
        }
    }
}

#[test]
fn every_small_tree_proves_its_growth() {
    const COUNT: u64 = 40;
    let tree = tree_of(&leaves(COUNT));
    for new in 0..=COUNT {
        let new_root = tree.root_at(new).unwrap();
        for old in 0..=new {
            let old_root = tree.root_at(old).unwrap();
            let proof = tree.consistency(old, new).unwrap();
            assert_eq!(
                verify_consistency(old, &old_root, new, &new_root, &proof),
                Ok(())
            );
            for bad in spoilt(&proof) {
                assert!(verify_consistency(old, &old_root, new, &new_root, &bad).is_err());
            }
            let mut other = old_root;
            other.0[0] ^= 1;
            assert!(verify_consistency(old, &other, new, &new_root, &proof).is_err());
            if old != 0 {
                other = new_root;
                other.0[31] ^= 1;
                assert!(verify_consistency(old, &old_root, new, &other, &proof).is_err());
            }
        }
    }
}

#[test]
fn refuses_what_is_outside_the_tree() {
    let tree = tree_of(&leaves(7));
    assert_eq!(tree.inclusion(7, 7), Err(Error::IndexOutOfRange));
    assert_eq!(tree.inclusion(0, 8), Err(Error::SizeOutOfRange));
    assert_eq!(tree.consistency(3, 8), Err(Error::SizeOutOfRange));
    assert_eq!(tree.consistency(4, 3), Err(Error::SizeOutOfRange));
    assert_eq!(tree.root_at(8), Err(Error::SizeOutOfRange));
    assert_eq!(tree.leaf(7), None);
    assert_eq!(tree.subtree(u32::MAX, 0), None);
}

#[test]
fn refuses_sizes_above_the_limit_and_does_not_loop_at_it() {
    let (hash, above) = (Hash::EMPTY_ROOT, TREE_SIZE_MAX + 1);
    assert_eq!(
        verify_inclusion(&hash, 0, above, &[], &hash),
        Err(Error::TreeTooLarge)
    );
    assert_eq!(
        verify_consistency(1, &hash, above, &hash, &[]),
        Err(Error::TreeTooLarge)
    );
    let long = vec![hash; 64];
    let at_limit = verify_inclusion(&hash, 0, TREE_SIZE_MAX, &long, &hash);
    assert_eq!(at_limit, Err(Error::ProofLength));
    let at_limit = verify_consistency(1, &hash, TREE_SIZE_MAX, &hash, &long);
    assert_eq!(at_limit, Err(Error::ProofLength));
}

#[test]
fn an_empty_tree_has_no_other_root() {
    let root = leaf_hash(b"");
    assert_eq!(
        verify_consistency(0, &root, 5, &root, &[]),
        Err(Error::EmptyRootMismatch)
    );
    assert_eq!(
        verify_consistency(0, &root, 0, &root, &[]),
        Err(Error::EmptyRootMismatch)
    );
    assert_eq!(
        verify_consistency(0, &Hash::EMPTY_ROOT, 5, &root, &[]),
        Ok(())
    );
}
