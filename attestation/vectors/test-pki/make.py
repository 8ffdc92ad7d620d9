#!/usr/bin/env python3
"""Makes the test PKI and its spoiled siblings: python3 make.py (needs the PyPI package cryptography, made with 48.0.0).

The keys are made anew at each run, so every file changes; the tests do not depend on their values. The DER is written
by hand, because no library writes what AMD writes: serial number 0, raw hardware ids, two forms of PSS parameters.
"""
import json
import pathlib
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

HERE = pathlib.Path(__file__).parent
INFIX = "Test-"
HWID = bytes(range(0xC0, 0x100))
TURIN_HWID = bytes(range(0x02, 0x0A))


def tlv(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    if size < 0x80:
        length = bytes([size])
    elif size < 0x100:
        length = bytes([0x81, size])
    else:
        length = bytes([0x82]) + size.to_bytes(2, "big")
    return bytes([tag]) + length + body


def integer(value):
    return tlv(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(text):
    first, second, *rest = map(int, text.split("."))
    out = bytes([first * 40 + second])
    for arc in rest:
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.insert(0, 0x80 | arc & 0x7F)
        out += bytes(digits)
    return tlv(6, out)


SHA384 = tlv(0x30, oid("2.16.840.1.101.3.4.2.2"), tlv(5))
SHA256 = tlv(0x30, oid("2.16.840.1.101.3.4.2.1"), tlv(5))


def pss(trailer=True, digest=SHA384, salt=48):
    mgf = tlv(0x30, oid("1.2.840.113549.1.1.8"), digest)
    parts = [tlv(0xA0, digest), tlv(0xA1, mgf), tlv(0xA2, integer(salt))]
    if trailer:
        parts.append(tlv(0xA3, integer(1)))
    return tlv(0x30, oid("1.2.840.113549.1.1.10"), tlv(0x30, *parts))


def name(common_name):
    attributes = [("2.5.4.11", "Engineering"), ("2.5.4.6", "US"), ("2.5.4.7", "Santa Clara"), ("2.5.4.8", "CA"),
                  ("2.5.4.10", "Chancery test, not AMD"), ("2.5.4.3", common_name)]
    sets = [tlv(0x31, tlv(0x30, oid(o), tlv(0x13 if o == "2.5.4.6" else 0x0C, v.encode()))) for o, v in attributes]
    return tlv(0x30, *sets)


def extension(identifier, value, critical=False):
    return tlv(0x30, oid(identifier), tlv(1, b"\xff") if critical else b"", tlv(4, value))


def authority(path_length, usage, extra=b"", ca=True):
    constraints = tlv(1, b"\xff" if ca else b"\x00") + (b"" if path_length is None else integer(path_length))
    return [extension("2.5.29.15", usage, True), extension("2.5.29.19", tlv(0x30, constraints), True)] + (
        [extra] if extra else [])


ROOT_USAGE = tlv(3, b"\x01\x06")
ASK_USAGE = tlv(3, b"\x02\x04")
AMD = "1.3.6.1.4.1.3704.1."


def leaf_extensions(line="Genoa", tcb=(0, 10, 0, 23, 84), drop=(), extra=(), critical=False, identity=None):
    turin = line == "Turin"
    fmc, bootloader, tee, snp, microcode = tcb
    items = [("1", integer(1 if turin else 0)), ("2", tlv(0x16, line.encode())), ("3.1", integer(bootloader)),
             ("3.2", integer(tee)), ("3.3", integer(snp)), ("3.5", integer(0)), ("3.6", integer(0)),
             ("3.7", integer(0)), ("3.8", integer(microcode))]
    items.append(("3.9", integer(fmc)) if turin else ("3.4", integer(0)))
    items.append(identity or ("4", TURIN_HWID if turin else HWID))
    items = [(key, value) for key, value in items if key not in drop] + list(extra)
    return [extension(AMD + key, value, critical) for key, value in items]


def rsa_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=4096)


def spki(key):
    return key.public_key().public_bytes(serialization.Encoding.DER,
                                         serialization.PublicFormat.SubjectPublicKeyInfo)


def sign(key, tbs, salt=48, algorithm=hashes.SHA384()):
    signature = key.sign(tbs, padding.PSS(padding.MGF1(algorithm), salt), algorithm)
    return tlv(3, b"\x00" + signature)


DATES = ("240101000000Z", "491231235959Z")


def certificate(signer, issuer, subject, key, extensions, serial=0, dates=DATES, trailer=True, algorithm=None):
    algorithm = algorithm or pss(trailer)
    validity = tlv(0x30, *(tlv(0x17, date.encode()) for date in dates))
    tbs = tlv(0x30, tlv(0xA0, integer(2)), integer(serial), algorithm, name(issuer), validity, name(subject), spki(key),
              tlv(0xA3, tlv(0x30, *extensions)))
    return tlv(0x30, tbs, algorithm, sign(signer, tbs))


def crl(signer, issuer, revoked=(), dates=DATES, extra=b""):
    entries = [tlv(0x30, integer(serial), tlv(0x17, b"240601000000Z")) for serial in revoked]
    tbs = tlv(0x30, integer(1), pss(False), name(issuer), *(tlv(0x17, date.encode()) for date in dates),
              tlv(0x30, *entries) if entries else b"",
              tlv(0xA0, tlv(0x30, extension("2.5.29.20", integer(7)), extra)))
    return tlv(0x30, tbs, pss(False), sign(signer, tbs))


def main():
    for old in list(HERE.glob("*.der")):
        old.unlink()
    write = lambda file, data: (HERE / f"{file}.der").write_bytes(data)
    keys = {line: (rsa_key(), rsa_key()) for line in ("Genoa", "Turin")}
    other = rsa_key()
    leaf_key = ec.generate_private_key(ec.SECP384R1())
    p256 = ec.generate_private_key(ec.SECP256R1())
    write("vcek-key", leaf_key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8,
                                             serialization.NoEncryption()))
    for line, (ark_key, ask_key) in keys.items():
        word = line.lower()
        ark, ask = f"ARK-{INFIX}{line}", f"SEV-{INFIX}{line}"
        tcb = (1, 1, 1, 4, 81) if line == "Turin" else (0, 10, 0, 23, 84)
        write(f"{word}-ark", certificate(ark_key, ark, ark, ark_key, authority(None, ROOT_USAGE), 1))
        write(f"{word}-ask", certificate(ark_key, ark, ask, ask_key, authority(0, ASK_USAGE), 2))
        write(f"{word}-vcek", certificate(ask_key, ask, "SEV-VCEK", leaf_key, leaf_extensions(line, tcb), trailer=False))
        write(f"{word}-crl", crl(ark_key, ark))

    ark_key, ask_key = keys["Genoa"]
    ark, ask, vlek_ca = f"ARK-{INFIX}Genoa", f"SEV-{INFIX}Genoa", f"SEV-VLEK-{INFIX}Genoa"
    cases = []

    def spoil(part, case, check, data):
        write(f"spoiled-{part}-{case}", data)
        cases.append({"id": f"{part}-{case}", "part": part, "file": f"spoiled-{part}-{case}.der", "fails": check})

    def bad_ask(case, check, **change):
        arguments = dict(signer=ark_key, issuer=ark, subject=ask, key=ask_key, extensions=authority(0, ASK_USAGE), serial=2)
        spoil("ask", case, check, certificate(**(arguments | change)))

    def bad_leaf(case, check, **change):
        arguments = dict(signer=ask_key, issuer=ask, subject="SEV-VCEK", key=leaf_key, extensions=leaf_extensions())
        spoil("vcek", case, check, certificate(**(arguments | change)))

    # Root: only pinned bytes pass, so any other root fails the pin first.
    spoil("ark", "same-key-other-serial", "root_pinned",
          certificate(ark_key, ark, ark, ark_key, authority(None, ROOT_USAGE), 9))
    spoil("ark", "other-key", "root_pinned", certificate(other, ark, ark, other, authority(None, ROOT_USAGE), 1))

    # A root that is pinned must still be a root: the test pins each of these.
    def bad_root(case, check, **change):
        arguments = dict(signer=ark_key, issuer=ark, subject=ark, key=ark_key, extensions=authority(None, ROOT_USAGE), serial=1)
        spoil("pinned-ark", case, check, certificate(**(arguments | change)))

    bad_root("name-of-amd", "root_profile", issuer="ARK-Genoa", subject="ARK-Genoa")
    bad_root("name-of-other-line", "root_profile", issuer=f"ARK-{INFIX}Turin", subject=f"ARK-{INFIX}Turin")
    bad_root("not-self-issued", "root_profile", issuer=ask)
    bad_root("path-length-0", "root_profile", extensions=authority(0, ROOT_USAGE))
    bad_root("usage-of-an-intermediate", "root_profile", extensions=authority(None, ASK_USAGE))
    bad_root("p384-key", "root_profile", key=leaf_key)
    bad_root("expired", "root_validity", dates=("240101000000Z", "250101000000Z"))
    bad_root("not-yet-valid", "root_validity", dates=("300101000000Z", "491231235959Z"))
    bad_root("other-signer", "root_signature", signer=other)

    bad_ask("no-path-length", "intermediate_profile", extensions=authority(None, ASK_USAGE))
    bad_ask("path-length-1", "intermediate_profile", extensions=authority(1, ASK_USAGE))
    bad_ask("not-a-ca", "intermediate_profile", extensions=authority(None, ASK_USAGE, ca=False))
    bad_ask("usage-of-a-root", "intermediate_profile", extensions=authority(0, ROOT_USAGE))
    bad_ask("no-extensions-but-usage", "intermediate_profile", extensions=authority(0, ASK_USAGE)[:1])
    bad_ask("unknown-critical-extension", "intermediate_profile",
            extensions=authority(0, ASK_USAGE, extension("2.5.29.36", b"\x30\x00", True)))
    bad_ask("unknown-extension", "intermediate_profile",
            extensions=authority(0, ASK_USAGE, extension("2.5.29.37", b"\x30\x00")))
    bad_ask("name-of-amd", "intermediate_profile", subject="SEV-Genoa")
    bad_ask("name-of-other-line", "intermediate_profile", subject=f"SEV-{INFIX}Turin")
    bad_ask("issuer-name", "intermediate_profile", issuer=f"ARK-{INFIX}Turin")
    bad_ask("p384-key", "intermediate_profile", key=leaf_key)
    bad_ask("expired", "intermediate_validity", dates=("240101000000Z", "250101000000Z"))
    bad_ask("not-yet-valid", "intermediate_validity", dates=("300101000000Z", "491231235959Z"))
    bad_ask("other-signer", "intermediate_signature", signer=other)
    bad_ask("self-signed", "intermediate_signature", signer=ask_key)
    bad_ask("sha256", "intermediate_encoding", algorithm=pss(digest=SHA256))
    bad_ask("salt-32", "intermediate_encoding", algorithm=pss(salt=32))
    bad_ask("as-vlek-ca", "leaf_profile", subject=vlek_ca)

    bad_leaf("name", "leaf_profile", subject="SEV-VLEK")
    bad_leaf("issuer-name", "leaf_profile", issuer=ark)
    bad_leaf("rsa-key", "leaf_profile", key=other)
    bad_leaf("p256-key", "leaf_encoding", key=p256)
    bad_leaf("expired", "leaf_validity", dates=("240101000000Z", "250101000000Z"))
    bad_leaf("not-yet-valid", "leaf_validity", dates=("300101000000Z", "491231235959Z"))
    bad_leaf("by-root-key", "leaf_signature", signer=ark_key)
    bad_leaf("other-signer", "leaf_signature", signer=other)
    bad_leaf("critical", "leaf_extensions", extensions=leaf_extensions(critical=True))
    for item in ("1", "2", "3.1", "3.2", "3.3", "3.4", "3.5", "3.6", "3.7", "3.8", "4"):
        bad_leaf(f"without-{item}", "leaf_extensions", extensions=leaf_extensions(drop=(item,)))
    bad_leaf("fmc-on-genoa", "leaf_extensions", extensions=leaf_extensions(extra=(("3.9", integer(1)),)))
    bad_leaf("provider-too", "leaf_extensions", extensions=leaf_extensions(extra=(("5", tlv(0x16, b"x")),)))
    bad_leaf("unknown-amd-extension", "leaf_extensions", extensions=leaf_extensions(extra=(("9", integer(0)),)))
    bad_leaf("key-usage", "leaf_extensions",
             extensions=leaf_extensions() + [extension("2.5.29.15", tlv(3, b"\x07\x80"))])
    bad_leaf("provider-instead", "leaf_extensions", extensions=leaf_extensions(identity=("5", tlv(0x16, b"CN=x"))))
    bad_leaf("hwid-in-octet-string", "leaf_extensions", extensions=leaf_extensions(identity=("4", tlv(4, HWID))))
    bad_leaf("hwid-short", "leaf_extensions", extensions=leaf_extensions(identity=("4", HWID[:8])))
    bad_leaf("struct-version-1", "leaf_extensions",
             extensions=leaf_extensions(drop=("1",), extra=(("1", integer(1)),)))
    bad_leaf("product-turin", "leaf_extensions",
             extensions=leaf_extensions(drop=("2",), extra=(("2", tlv(0x16, b"Turin")),)))
    bad_leaf("level-not-minimal", "leaf_extensions",
             extensions=leaf_extensions(drop=("3.8",), extra=(("3.8", b"\x02\x02\x00\x54"),)))
    bad_leaf("level-256", "leaf_extensions",
             extensions=leaf_extensions(drop=("3.8",), extra=(("3.8", integer(256)),)))
    bad_leaf("reserved-level", "leaf_extensions",
             extensions=leaf_extensions(drop=("3.5",), extra=(("3.5", integer(1)),)))
    bad_leaf("twice", "leaf_encoding", extensions=leaf_extensions(extra=(("3.8", integer(84)),)))
    bad_leaf("of-another-chip", "chip_id", extensions=leaf_extensions(identity=("4", bytes(64 * [1]))))
    bad_leaf("of-another-tcb", "reported_tcb", extensions=leaf_extensions(tcb=(0, 10, 0, 23, 83)))

    other_leaf = ec.generate_private_key(ec.SECP384R1())
    bad_leaf("of-another-key", "report_signature", key=other_leaf)

    spoil("crl", "revokes-intermediate", "intermediate_revoked", crl(ark_key, ark, (2,)))
    spoil("crl", "revokes-root", "intermediate_revoked", crl(ark_key, ark, (1,)))
    spoil("crl", "expired", "revocation_freshness", crl(ark_key, ark, dates=("240101000000Z", "250101000000Z")))
    spoil("crl", "not-yet-valid", "revocation_freshness", crl(ark_key, ark, dates=("300101000000Z", "491231235959Z")))
    spoil("crl", "by-intermediate", "revocation_issuer", crl(ask_key, ask))
    spoil("crl", "by-intermediate-in-the-root-s-name", "revocation_signature", crl(ask_key, ark))
    spoil("crl", "partial", "revocation_encoding", crl(ark_key, ark, extra=extension("2.5.29.28", b"\x30\x00", True)))
    write("good-crl-revokes-leaf-serial", crl(ark_key, ark, (0, 3)))
    (HERE / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")


main()
