#!/usr/bin/env python3
"""Runs Canaille, an identity provider from PyPI, on loopback: starts it, logs in at it, administers it. See README.md beside this file."""

import argparse
import fcntl
import hashlib
import os
import secrets
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
# What is administered: a provider with a database in DATA, which pushes users and groups by SCIM to its clients. Clients at localhost
# count as the organisation's own, so that their users need not consent first. Its client side needs its server side for URLs.
CONFIGURATION = """\
SECRET_KEY = "{secret}"
SERVER_NAME = "idp.localhost:8000"
PREFERRED_URL_SCHEME = "https"

[CANAILLE]
DATABASE = "sql"

[CANAILLE.LOGGING]
version = 1
formatters = {{ plain = {{ format = "%(levelname)s %(name)s %(message)s" }} }}
handlers = {{ stderr = {{ class = "logging.StreamHandler", stream = "ext://sys.stderr", formatter = "plain" }} }}
root = {{ level = "INFO", handlers = ["stderr"] }}

[CANAILLE_SQL]
DATABASE_URI = "sqlite:///{data}/canaille.sqlite"

[CANAILLE_OIDC]
TRUSTED_DOMAINS = ["localhost"]

[CANAILLE_SCIM]
ENABLE_CLIENT = true
ENABLE_SERVER = true
"""


def environment(cache: Path) -> Path:
    """The interpreter of a virtual environment with the pinned packages, which is made the first time."""
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    cache.mkdir(parents=True, exist_ok=True)
    # Tests that run at the same time make it once.
    with open(cache / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = cache / "done"
        python = cache / "venv" / "bin" / "python"
        if not done.exists() or done.read_text(encoding="utf-8") != wanted:
            say = {"stdout": sys.stderr, "check": True}
            subprocess.run([sys.executable, "-m", "venv", "--clear", cache / "venv"], **say)
            pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
            subprocess.run([*pip, "--requirement", REQUIREMENTS], **say)
            done.write_text(wanted, encoding="utf-8")
        return python


def administer(python: Path, arguments: list) -> None:
    """Runs a command of Canaille's own on the provider in a folder."""
    parser = argparse.ArgumentParser(prog="run.py admin")
    parser.add_argument("--data", type=Path, required=True, help="folder of the provider")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="as `canaille` takes it")
    known = parser.parse_args(arguments)
    known.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    configuration = known.data.resolve() / "canaille.toml"
    if not configuration.exists():
        text = CONFIGURATION.format(secret=secrets.token_urlsafe(32), data=known.data.resolve())
        configuration.write_text(text, encoding="utf-8")
    variables = {**os.environ, "CANAILLE_CONFIG": str(configuration)}
    os.execve(python, [str(python), str(HERE / "admin.py"), *known.command], variables)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--cache",
        type=Path,
        default=HERE.parents[2] / "target" / "canaille",
        help="folder of the virtual environment",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("prepare", help="only make the virtual environment", add_help=False)
    commands.add_parser("serve", help="start the provider", add_help=False)
    commands.add_parser("login", help="log in and print where it leads back to", add_help=False)
    commands.add_parser("admin", help="run one of Canaille's own commands on a provider that pushes SCIM", add_help=False)
    arguments, rest = parser.parse_known_args()
    if arguments.command == "login":
        # It needs nothing but Python.
        os.execv(sys.executable, [sys.executable, str(HERE / "login.py"), *rest])
    python = environment(arguments.cache)
    if arguments.command == "serve":
        os.execv(python, [str(python), str(HERE / "provider.py"), *rest])
    if arguments.command == "admin":
        administer(python, rest)


if __name__ == "__main__":
    main()
