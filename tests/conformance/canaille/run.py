#!/usr/bin/env python3
"""Runs Canaille, an OpenID provider from PyPI, on loopback, or logs in at it. See README.md beside this file."""

import argparse
import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"


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
    arguments, rest = parser.parse_known_args()
    if arguments.command == "login":
        # It needs nothing but Python.
        os.execv(sys.executable, [sys.executable, str(HERE / "login.py"), *rest])
    python = environment(arguments.cache)
    if arguments.command == "serve":
        os.execv(python, [str(python), str(HERE / "provider.py"), *rest])


if __name__ == "__main__":
    main()
