use std::collections::BTreeMap;
use std::vec::Vec;

use super::*;
use crate::testing::{Seeded, check_strict, vector};

type Leaves = BTreeMap<[u8; 32], Digest>;

/// The definition, word for word and recursive: what the arena tree must agree with.
fn naive_root(leaves: &[([u8; 32], Digest)], depth: usize) -> Digest {
    match leaves {
        [] => Digest::ZERO,
        [(key, value)] => leaf_hash(key, value),
        _ => {
            let (right, left): (Vec<_>, Vec<_>) = leaves
                .iter()
                .copied()
                .partition(|(key, _)| key_bit(key, depth));
            parent_hash(
                &naive_root(&left, depth + 1),
                &naive_root(&right, depth + 1),
            )
        }
    }
}

fn naive_proof(leaves: &[([u8; 32], Digest)], key: &[u8; 32]) -> PrefixProof {
    let mut siblings = Vec::new();
    let mut here = leaves.to_vec();
    loop {
        let terminal = match here.as_slice() {
            [] => Terminal::Missing,
            [(found, value)] if found == key => Terminal::Present { value: *value },
            [(found, value)] => Terminal::OtherLeaf {
                key: *found,
                value: *value,
            },
            _ => {
                let depth = siblings.len();
                let side = key_bit(key, depth);
                let (same, other): (Vec<_>, Vec<_>) = here
                    .iter()
                    .copied()
                    .partition(|(other, _)| key_bit(other, depth) == side);
                siblings.push(naive_root(&other, depth + 1));
                here = same;
                continue;
            }
        };
        return PrefixProof { terminal, siblings };
    }
}

fn pairs(model: &Leaves) -> Vec<([u8; 32], Digest)> {
    model.iter().map(|(key, value)| (*key, *value)).collect()
}

/// Keys that share long prefixes, so that splits and lifts run over many levels.
fn key(seeded: &mut Seeded) -> [u8; 32] {
    let mut key = [0; 32];
    match seeded.below(3) {
        0 => key[0] = u8::try_from(seeded.below(256)).unwrap(),
        1 => key[31] = u8::try_from(seeded.below(256)).unwrap(),
        _ => {
            key[usize::try_from(seeded.below(32)).unwrap()] = 1 << seeded.below(8);
        }
    }
    key
}

#[test]
fn agrees_with_the_definition_over_seeded_programs() {
    for seed in 0..25 {
        let mut seeded = Seeded(seed);
        let mut tree = PrefixTree::new();
        let mut model = Leaves::new();
        for _ in 0..150 {
            let key = key(&mut seeded);
            if seeded.below(3) == 0 {
                assert_eq!(tree.remove(&key), model.remove(&key), "seed {seed}");
            } else {
                let value = Digest(seeded.bytes32());
                assert_eq!(
                    tree.set(key, value),
                    Ok(model.insert(key, value)),
                    "seed {seed}"
                );
            }
            assert_eq!(tree.len(), model.len(), "seed {seed}");
            if seeded.below(4) == 0 {
                assert_eq!(tree.root(), naive_root(&pairs(&model), 0), "seed {seed}");
            }
        }
        assert_eq!(tree.to_vec(), pairs(&model), "seed {seed}");
        let root = tree.root();
        for _ in 0..60 {
            let key = key(&mut seeded);
            let proof = tree.prove(&key);
            assert_eq!(proof, naive_proof(&pairs(&model), &key), "seed {seed}");
            let expected = model
                .get(&key)
                .map_or(Lookup::Absent, |value| Lookup::Present(*value));
            assert_eq!(proof.verify(&root, &key), Ok(expected), "seed {seed}");
            assert_eq!(tree.get(&key), model.get(&key).copied(), "seed {seed}");
        }
    }
}

#[test]
fn has_the_roots_of_the_second_implementation() {
    let roots = vector("tree_roots");
    for (count, root) in roots.as_object().unwrap() {
        let mut tree = PrefixTree::new();
        for index in 0..count.parse::<u32>().unwrap() {
            let number = index.to_be_bytes();
            tree.set(sha256(&[b"key", &number]).0, sha256(&[b"value", &number]))
                .unwrap();
        }
        assert_eq!(std::format!("{}", tree.root()), root.as_str().unwrap());
    }
}

#[test]
fn root_does_not_depend_on_order_or_history() {
    let mut seeded = Seeded(3);
    let leaves: Vec<_> = (0..300)
        .map(|_| (seeded.bytes32(), Digest(seeded.bytes32())))
        .collect();
    let mut forward = PrefixTree::new();
    let mut backward = PrefixTree::new();
    for (key, value) in &leaves {
        forward.set(*key, *value).unwrap();
        forward.root();
    }
    for (key, _) in &leaves {
        backward.set(*key, Digest([1; 32])).unwrap();
    }
    for (key, value) in leaves.iter().rev() {
        backward.remove(key);
        backward.set(*key, *value).unwrap();
    }
    assert_eq!(forward.root(), backward.root());
}

#[test]
fn emptied_tree_has_the_root_of_an_empty_one() {
    let mut tree = PrefixTree::new();
    assert_eq!(tree.root(), Digest::ZERO);
    let mut seeded = Seeded(4);
    let keys: Vec<_> = (0..100).map(|_| seeded.bytes32()).collect();
    for key in &keys {
        tree.set(*key, Digest([1; 32])).unwrap();
    }
    for key in &keys {
        assert_eq!(tree.remove(key), Some(Digest([1; 32])));
        assert_eq!(tree.remove(key), None);
    }
    assert!(tree.is_empty());
    assert_eq!(tree.root(), Digest::ZERO);
    assert!(tree.parents.len() == 0, "every parent was given back");
}

fn seeded_tree(count: usize) -> (PrefixTree, Vec<[u8; 32]>, Seeded) {
    let mut seeded = Seeded(5);
    let mut tree = PrefixTree::new();
    let keys: Vec<_> = (0..count).map(|_| seeded.bytes32()).collect();
    for key in &keys {
        tree.set(*key, Digest(seeded.bytes32())).unwrap();
    }
    (tree, keys, seeded)
}

#[test]
fn refuses_every_mutated_proof() {
    let (mut tree, keys, mut seeded) = seeded_tree(64);
    let root = tree.root();
    let absent: Vec<_> = (0..64).map(|_| seeded.bytes32()).collect();
    for key in keys.iter().chain(&absent) {
        let proof = tree.prove(key);
        let expected = proof.verify(&root, key).unwrap();
        let bytes = proof.encode();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            if let Ok(changed) = PrefixProof::decode(&changed) {
                assert!(changed.verify(&root, key).is_err(), "byte {at} of a proof");
            }
        }
        let mut shorter = proof.clone();
        shorter.siblings.pop();
        assert!(shorter.verify(&root, key).is_err());
        let mut longer = proof.clone();
        longer.siblings.push(Digest::ZERO);
        assert!(longer.verify(&root, key).is_err());
        assert_eq!(
            proof.verify(&Digest([9; 32]), key),
            Err(ProofError::RootMismatch)
        );
        let other = absent[0];
        if *key != other {
            let moved = proof.verify(&root, &other);
            assert!(moved != Ok(expected) || expected == Lookup::Absent);
        }
    }
}

#[test]
fn presence_cannot_be_shown_as_absence() {
    let (mut tree, keys, _) = seeded_tree(64);
    let root = tree.root();
    for key in &keys {
        let mut proof = tree.prove(key);
        let Terminal::Present { value } = proof.terminal else {
            panic!("key is in the tree")
        };
        proof.terminal = Terminal::OtherLeaf { key: *key, value };
        assert_eq!(proof.verify(&root, key), Err(ProofError::OtherLeafIsKey));
        proof.terminal = Terminal::Missing;
        assert_eq!(proof.verify(&root, key), Err(ProofError::RootMismatch));
        // The true path of another leaf, offered as what stands on this key's path.
        let elsewhere = keys
            .iter()
            .find(|other| shared_bits(other, key) == 0)
            .unwrap();
        let mut proof = tree.prove(elsewhere);
        let Terminal::Present { value } = proof.terminal else {
            panic!("key is in the tree")
        };
        proof.terminal = Terminal::OtherLeaf {
            key: *elsewhere,
            value,
        };
        assert_eq!(
            proof.verify(&root, key),
            Err(ProofError::OtherLeafElsewhere)
        );
    }
}

#[test]
fn refuses_a_path_longer_than_a_key() {
    let deep = PrefixProof {
        terminal: Terminal::Missing,
        siblings: std::vec![Digest::ZERO; 257],
    };
    assert_eq!(
        deep.verify(&Digest::ZERO, &[0; 32]),
        Err(ProofError::TooDeep)
    );
    let refusal = crate::DecodeError::LengthOutOfRange {
        field: "siblings",
        length: DEPTH_MAX + 1,
    };
    assert_eq!(PrefixProof::decode(&deep.encode()), Err(refusal));
}

#[test]
fn proofs_have_one_encoding() {
    let (mut tree, keys, mut seeded) = seeded_tree(20);
    let absent: Vec<_> = (0..20).map(|_| seeded.bytes32()).collect();
    for key in keys.iter().chain(&absent) {
        check_strict(
            &tree.prove(key).encode(),
            PrefixProof::decode,
            PrefixProof::encode,
        );
    }
    let refusal = crate::DecodeError::UnknownCode {
        field: "terminal",
        code: 3,
    };
    assert_eq!(PrefixProof::decode(&[3, 0, 0]), Err(refusal));
}

#[test]
fn keys_that_differ_in_the_last_bit_make_the_deepest_path() {
    let mut tree = PrefixTree::new();
    let mut last = [0; 32];
    last[31] = 1;
    tree.set([0; 32], Digest([1; 32])).unwrap();
    tree.set(last, Digest([2; 32])).unwrap();
    let root = tree.root();
    let proof = tree.prove(&last);
    assert_eq!(proof.siblings.len(), DEPTH_MAX);
    assert_eq!(
        proof.verify(&root, &last),
        Ok(Lookup::Present(Digest([2; 32])))
    );
    assert_eq!(tree.remove(&[0; 32]), Some(Digest([1; 32])));
    assert_eq!(tree.root(), leaf_hash(&last, &Digest([2; 32])));
}

#[test]
fn a_leaf_costs_less_than_150_bytes() {
    let (tree, keys, _) = seeded_tree(20_000);
    assert!(
        tree.memory_bytes() < keys.len() * 150,
        "{} bytes",
        tree.memory_bytes()
    );
}
