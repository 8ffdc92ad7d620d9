"""Starts Canaille with one client, users and keys in memory, behind TLS on loopback."""

import argparse
import asyncio
import datetime
import json
import os
import secrets
import signal
import socket
import sys
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypercorn.asyncio import serve
from hypercorn.config import Config

import canaille
from canaille.app import models
from canaille.backends import Backend
from canaille.oidc.jose import make_default_rsa_jwk

# Life of the certificates: a test does not take a day.
LIFE = datetime.timedelta(days=1)
# How far the beginning of validity lies in the past.
BACKDATE = datetime.timedelta(hours=1)


def certificates(folder: Path) -> dict:
    """An authority and a certificate for localhost under it, as PEM files."""
    now = datetime.datetime.now(datetime.timezone.utc)

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    def builder(subject: str, key) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("canaille test authority"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - BACKDATE)
            .not_valid_after(now + LIFE)
        )

    def usage(**set_bits) -> x509.KeyUsage:
        names = (
            "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
            "key_cert_sign crl_sign encipher_only decipher_only"
        )
        return x509.KeyUsage(**{bit: set_bits.get(bit, False) for bit in names.split()})

    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = (
        builder("canaille test authority", authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(key_cert_sign=True), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    server_auth = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH])
    certificate = (
        builder("canaille test server", key)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(usage(digital_signature=True), critical=True)
        .add_extension(server_auth, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    files = {
        "ca": (folder / "ca.pem", authority.public_bytes(pem)),
        "chain": (folder / "server.pem", certificate.public_bytes(pem) + authority.public_bytes(pem)),
        "key": (
            folder / "server.key",
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        ),
    }
    for path, content in files.values():
        path.write_bytes(content)
        path.chmod(0o600)
    return {name: path for name, (path, _content) in files.items()}


def application(port: int, arguments: argparse.Namespace, users: list) -> object:
    """Canaille as a WSGI application. Its issuer is https://localhost:port, its only key an RSA key."""
    app = canaille.create_app(
        config={
            "SECRET_KEY": secrets.token_urlsafe(32),
            "SERVER_NAME": f"localhost:{port}",
            "PREFERRED_URL_SCHEME": "https",
            "CANAILLE": {"DATABASE": "memory", "JAVASCRIPT": False},
            "CANAILLE_OIDC": {"ACTIVE_JWKS": [make_default_rsa_jwk().as_dict(private=True)]},
        }
    )
    with app.app_context(), Backend.instance.session():
        for user_name, password, email in users:
            user = models.User(
                user_name=user_name,
                password=password,
                family_name=user_name,
                formatted_name=user_name,
                emails=[email],
            )
            Backend.instance.save(user)
        client = models.Client(
            client_id=arguments.client_id,
            client_name="chancery member",
            redirect_uris=redirect_uris(arguments.redirect_uri),
            # A native application: public, with PKCE, and people must consent.
            token_endpoint_auth_method="none",
            grant_types=["authorization_code"],
            response_types=["code"],
            scope=["openid", "email", "profile"],
            # Otherwise Canaille chooses the strongest that the key can do, RS512.
            id_token_signed_response_alg="RS256",
        )
        Backend.instance.save(client)
        # Otherwise nobody is the audience of its tokens; Canaille's own page for new clients does the same.
        client.audience = [client]
        Backend.instance.save(client)
    return app


async def run(app: object, listener: int, files: dict, ready: dict) -> None:
    config = Config()
    config.bind = [f"fd://{listener}"]
    config.certfile = str(files["chain"])
    config.keyfile = str(files["key"])
    config.alpn_protocols = ["http/1.1"]
    config.loglevel = "WARNING"
    config.graceful_timeout = 1
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def watch() -> None:
        # Whoever holds the other end is not outlived.
        while os.read(0, 4096):
            pass
        loop.call_soon_threadsafe(stop.set)

    if ready.pop("watch_stdin"):
        threading.Thread(target=watch, daemon=True).start()
    # The socket listens already, so who reads this can connect.
    print(json.dumps(ready), flush=True)
    await serve(app, config, shutdown_trigger=stop.wait, mode="wsgi")


def redirect_uris(patterns: list) -> list:
    """Every address that a client of this machine may ask to be led back to, written out."""
    first, last = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()
    uris = []
    for pattern in patterns:
        if "{port}" in pattern:
            ports = range(int(first), int(last) + 1)
            uris.extend(pattern.replace("{port}", str(port)) for port in ports)
        else:
            uris.append(pattern)
    return uris


def user(text: str) -> tuple:
    parts = text.split(",")
    if len(parts) != 3:
        raise argparse.ArgumentTypeError("three parts with commas between them")
    return tuple(parts)


def main() -> int:
    parser = argparse.ArgumentParser(prog="run.py serve", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder for the certificates")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--client-id", default="chancery-member")
    parser.add_argument(
        "--redirect-uri",
        action="append",
        required=True,
        help="compared exactly; {port} stands for each port that the system gives out; repeatable",
    )
    parser.add_argument(
        "--user", action="append", type=user, required=True, metavar="NAME,PASSWORD,EMAIL", help="repeatable"
    )
    parser.add_argument("--watch-stdin", action="store_true", help="end when standard input ends")
    arguments = parser.parse_args()
    arguments.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = certificates(arguments.data.resolve())
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", arguments.port))
    listener.listen(64)
    port = listener.getsockname()[1]
    ready = {
        "issuer": f"https://localhost:{port}",
        "client_id": arguments.client_id,
        "ca_file": str(files["ca"]),
        "pid": os.getpid(),
        "watch_stdin": arguments.watch_stdin,
    }
    app = application(port, arguments, arguments.user)
    # The server closes the descriptor at its end.
    asyncio.run(run(app, listener.detach(), files, ready))
    return 0


if __name__ == "__main__":
    sys.exit(main())
