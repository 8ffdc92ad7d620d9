#!/usr/bin/env python3
"""Second implementation of docs/spec/trust-log.md, apart from the Rust code.

Prints structures.json: `python3 structures.py > structures.json`. Standard library only.
"""
import hashlib
import hmac
import json


def H(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def u(n, size):
    return n.to_bytes(size, "big")


def commit(d, o, x):
    return hmac.new(b"atl/v1 " + d, o + x, hashlib.sha256).digest()


def b(n, size=32):
    return bytes([n]) * size


def entry(kind, index, time, actor, subject, prev, seq, state, key, obj, body, authz):
    return b"".join([u(1, 1), u(kind, 1), u(0, 2), u(index, 8), u(time, 8), actor, subject,
                     u(prev, 8), u(seq, 4), u(state, 1), key, obj, body, authz])


def dir_state(handle, kind, state, version, key, first, last, seq, chain):
    return b"".join([handle, u(kind, 1), u(state, 1), u(version, 4), key, u(first, 8), u(last, 8),
                     u(seq, 4), chain])


def bit(key, depth):
    return key[depth // 8] >> (7 - depth % 8) & 1


def tree(leaves, depth=0):
    """Root of the prefix tree over a list of (key, value)."""
    if not leaves:
        return bytes(32)
    if len(leaves) == 1:
        return H(b"\x02", *leaves[0])
    left = [leaf for leaf in leaves if not bit(leaf[0], depth)]
    right = [leaf for leaf in leaves if bit(leaf[0], depth)]
    return H(b"\x03", tree(left, depth + 1), tree(right, depth + 1))


out = {}

# --- single structures
e = entry(0x06, 7, 1_700_000_000_123, b(1), b(2), 2**64 - 1, 1, 1, b(3), b(4), b(5), b(6))
out["entry"] = e.hex()
out["entry_leaf_hash"] = H(b"\x00", e).hex()
out["state_root"] = b"".join([u(1, 1), u(0xFF, 1), u(0, 2), u(8, 8), u(1_700_000_000_200, 8),
                              u(3, 8), u(1, 4), u(1_699_999_999_000, 8), b(7), b(8)]).hex()
out["validity"] = (u(1000, 8) + u(2000, 8) + bytes(16)).hex()
record = b"".join([b(9, 16), b(2), u(1, 4), u(0, 1), u(5, 2), b(10, 5), u(3, 2), b(11, 3),
                   u(1_700_000_000_000, 8), b(12)])
out["key_record"] = record.hex()
out["key_commit"] = commit(b"key", b(13), record).hex()
state = dir_state(b(2), 2, 1, 1, b(3), 7, 7, 1, b(14))
out["dir_state"] = state.hex()
out["dir_state_value"] = H(b"\x21", state).hex()
out["handle_key"] = H(b"atl/h", b(2)).hex()
name = b(2) + u(1, 4) + u(7, 8)
out["dir_name"] = name.hex()
out["dir_name_value"] = commit(b"name", b(15), name).hex()
out["group_commit"] = H(b"\x25", b(16), b(17)).hex()
out["member_key"] = H(b"atl/m", b(2)).hex()
out["member_value"] = H(b"\x26", b(2)).hex()
chain = H(b"\x22", bytes(32), u(5, 8), b(18))
chain = H(b"\x22", chain, u(9, 8), b(19))
head = b(9, 16) + u(2, 8) + u(9, 8) + b(19) + chain
out["tenant_head"] = head.hex()
out["map_key"] = H(b"atl/t", b(9, 16)).hex()
opening = hmac.new(b(20), u(2, 8), hashlib.sha256).digest()
out["map_value"] = commit(b"head", opening, head).hex()
out["updates"] = H(b"\x24", u(2, 4), b(1), b(21), b(2), b(22)).hex()
leaf = b"".join([u(1, 1), u(2, 1), u(4, 8), u(1_700_000_000_300, 8), b(23), b(24), u(2, 4), b(25),
                 b(26), u(3, 2), b"abc"])
out["epoch_leaf"] = leaf.hex()
out["epoch_leaf_hash"] = H(b"\x00", leaf).hex()
purpose, service = b"chancery deployment genesis", b"demo.chancery.example"
origin = b"demo.chancery.example/atl/root/v1"
key = b"demo.chancery.example/atl/root/v1+00000000+AQ=="
genesis = b"".join([u(len(purpose), 1), purpose, u(1, 1), u(len(service), 1), service,
                    u(len(origin), 1), origin, u(len(key), 2), key, b(27), b(28)])
out["deployment_genesis"] = genesis.hex()
out["deployment_id"] = H(genesis).hex()

# --- private parts
delta = b"".join([b(31), u(2, 4), b(32), b(33), u(1, 4), b(34)])
details = b"".join([u(1, 1), u(1, 1), b(35), b(36), b(37), b(38), b(39), u(2, 2), delta,
                    b(40), u(0, 4), u(0, 4)])
out["details"] = details.hex()
out["authz_hash"] = H(b"\x27", u(1, 1), b(35), b(36), b(37)).hex()


def opening_of(secret, what, subject):
    label = b"chancery/opening/" + what + b"/v1"
    return hmac.new(secret, u(len(label), 1) + label + b"opening" + subject + b"\x01",
                    hashlib.sha256).digest()


out["openings"] = {what: opening_of(b(41), what.encode(), b(2) if per_subject else b"").hex()
                   for what, per_subject in [("body", 0), ("vrf", 0), ("key", 1), ("name", 1),
                                             ("members", 1), ("object", 1)]}
out["body_commit"] = commit(b"body", opening_of(b(41), b"body", b""), details).hex()
exhibit = b"".join([u(1, 1), u(0, 1), u(7, 8), u(2, 4), b(41), u(len(details), 4), details,
                    u(2, 4), b"{}", u(3, 4), b"act", u(4, 4), b"body", u(1, 4),
                    u(len(record), 2), record, u(2, 4), b(42), u(1, 1), b(43), b(44), u(0, 1),
                    bytes(32)])
out["exhibit"] = exhibit.hex()
out["exhibit_withheld"] = b"".join([u(1, 1), u(1, 1), u(7, 8), u(2, 4), bytes(32), bytes(16),
                                    bytes(4), u(1, 4), b(42), u(1, 1), b(43)]).hex()

# --- a tree of 50 keys
leaves = [(H(b"key", u(i, 4)), H(b"value", u(i, 4))) for i in range(50)]
out["tree_roots"] = {str(n): tree(leaves[:n]).hex() for n in (0, 1, 2, 3, 10, 50)}

# --- a log of three batches, replayed blind
NONE = 2**64 - 1
tenant, instance, delegation, user, held = b(0x41), b(0x42), b(0x43), b(0x44), b(0x47)
label, name_value = b(0x45), b(0x46)
valid = u(1000, 8) + u(9000, 8) + bytes(16)
acts = [
    (0x01, instance, tenant, 7, b(0x50), bytes(32)),
    (0x02, tenant, delegation, 7, bytes(32), valid),
    (0x06, delegation, user, 1, b(0x51), bytes(32)),
    None,
    (0x0C, delegation, user, 3, bytes(32), bytes(32)),
    None,
    (0x0D, delegation, user, 1, bytes(32), bytes(32)),
    (0x07, tenant, user, 2, b(0x52), bytes(32)),
    (0x14, user, user, 2, bytes(32), b(0x53)),
    (0x25, delegation, tenant, 7, bytes(32), b(0x54)),
    (0x26, delegation, held, 11, bytes(32), b(0x55)),
    (0x20, tenant, held, 11, bytes(32), b(0x56)),
    None,
]
log, states, names, changes = [], {}, {}, {}
first_of, kinds = {}, {tenant: 1, delegation: 4, user: 2, held: 7}
batch = entries = 0
for index, act in enumerate(acts):
    time = 1000 + index
    if act is None:
        listed = b"".join(k + v for k, v in sorted(changes.items()))
        update = H(b"\x23", u(len(changes), 4), listed)
        root = tree([(H(b"atl/h", h), H(b"\x21", dir_state(h, *s))) for h, s in states.items()]
                    + list(names.items()))
        log.append(b"".join([u(1, 1), u(0xFF, 1), u(0, 2), u(index, 8), u(time, 8), u(batch, 8),
                             u(entries, 4), u(500, 8), root, update]))
        batch, entries, changes = batch + 1, 0, {}
        continue
    kind, actor, subject, new_state, key_commit, obj = act
    _, _, version, old_key, first, last, seq, chain = states.get(
        subject, (0, 0, 0, bytes(32), index, NONE, 0, bytes(32)))
    leaf = entry(kind, index, time, actor, subject, last, seq + 1, new_state, key_commit, obj,
                 b(0x60), b(0x61))
    log.append(leaf)
    entries += 1
    if any(key_commit):
        version, old_key = version + 1, key_commit
    chain = H(b"\x20", chain, H(b"\x00", leaf))
    states[subject] = (kinds[subject], new_state, version, old_key, first, index, seq + 1, chain)
    if kind == 0x06:
        names[label] = changes[label] = name_value
    if kind == 0x0C:
        del names[label]
        changes[label] = bytes(32)
out["log"] = [leaf.hex() for leaf in log]
out["log_user_state"] = dir_state(user, *states[user]).hex()

print(json.dumps(out, indent=1))
