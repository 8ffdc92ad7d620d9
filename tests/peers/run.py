#!/usr/bin/env python3
"""Starts SCIM servers that others wrote on loopback, and runs a command beside them. See README.md beside this file."""

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
NODE_PACKAGES = [HERE / name for name in ("package.json", "package-lock.json")]
# Longest wait until a server answers, in seconds.
START_S_MAX = 60
# Threads of the Python server's one process.
THREADS = 8


def made_once(folder: Path, wanted: str, make) -> None:
    """Fills a folder unless it was filled for the same wish before."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / "done"
        if not done.exists() or done.read_text(encoding="utf-8") != wanted:
            make()
            done.write_text(wanted, encoding="utf-8")


def digest(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def python_environment(cache: Path) -> Path:
    """The folder of programs of a virtual environment with the pinned packages."""
    venv = cache / "python" / "venv"

    def make() -> None:
        say = {"stdout": sys.stderr, "check": True}
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], **say)
        pip = [venv / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        subprocess.run([*pip, "--requirement", REQUIREMENTS], **say)

    made_once(cache / "python", digest(REQUIREMENTS), make)
    return venv / "bin"


def node_environment(cache: Path) -> Path:
    """A folder with the script and the pinned packages beside it."""
    folder = cache / "node"

    def make() -> None:
        for file in NODE_PACKAGES:
            shutil.copy(file, folder)
        npm = ["npm", "ci", "--no-audit", "--no-fund"]
        subprocess.run(npm, cwd=folder, stdout=sys.stderr, check=True)

    made_once(folder, digest(*NODE_PACKAGES), make)
    # Node looks for packages beside the script.
    shutil.copy(HERE / "scimmy.mjs", folder)
    return folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_it_answers(url: str, token: str, process: subprocess.Popen) -> None:
    request = urllib.request.Request(f"{url}/Users?count=1", headers={"Authorization": f"Bearer {token}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + START_S_MAX
    while True:
        try:
            with opener.open(request, timeout=5) as answer:
                answer.read()
                return
        except OSError as error:
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"{url} does not answer: {error}") from error
            time.sleep(0.1)


@contextlib.contextmanager
def running(command: list, **options):
    process = subprocess.Popen([str(word) for word in command], **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def children_of(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(word) for word in text.split()]


@contextlib.contextmanager
def scim2_server(cache: Path, token: str):
    """scim2-server (PyPI) under gunicorn: one process, and in memory alone."""
    programs, port = python_environment(cache), free_port()
    command = [programs / "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "1", "--threads", THREADS]
    command += ["--keep-alive", "600", "--log-level", "error", "--chdir", HERE, "scim2_app:application"]
    environment = {**os.environ, "PEER_TOKEN": token, "PYTHONDONTWRITEBYTECODE": "1"}
    with running(command, env=environment, stdout=sys.stderr) as process:
        url = f"http://127.0.0.1:{port}/v2"
        wait_until_it_answers(url, token, process)
        # The process that was started only watches over the one that works.
        (worker,) = children_of(process.pid)
        yield {"name": "scim2-server", "url": url, "pid": worker}


@contextlib.contextmanager
def scimmy(cache: Path, token: str):
    """scimmy with scimmy-routers (npm) over SQLite, where every write is synchronised."""
    folder = node_environment(cache)
    with tempfile.TemporaryDirectory(dir=cache) as data:
        command = ["node", folder / "scimmy.mjs", Path(data) / "users.sqlite3", token]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        environment = {**os.environ, "NODE_ENV": "production"}
        with running(command, env=environment, text=True, **pipes) as process:
            line = process.stdout.readline()
            if not line:
                raise SystemExit("scimmy did not start")
            url = json.loads(line)["url"]
            wait_until_it_answers(url, token, process)
            yield {"name": "scimmy", "url": url, "pid": process.pid}


PEERS = {"scim2-server": scim2_server, "scimmy": scimmy}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--cache",
        type=Path,
        default=HERE.parents[1] / "target" / "peers",
        help="folder of the packages",
    )
    parser.add_argument(
        "--only",
        choices=sorted(PEERS),
        action="append",
        help="start this peer alone; repeat for more",
    )
    parser.add_argument(
        "command",
        nargs=argparse.REMAINDER,
        help="what runs beside them, after `--`; --peer, --peer-pid and --peer-token are added to it",
    )
    arguments = parser.parse_args()
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    cache, token = arguments.cache.resolve(), secrets.token_urlsafe(24)
    with contextlib.ExitStack() as stack:
        wanted = arguments.only or sorted(PEERS)
        peers = [stack.enter_context(PEERS[name](cache, token)) for name in wanted]
        if not command:
            print(json.dumps({"peers": peers, "token": token}), flush=True)
            sys.stdin.read()
            return 0
        for peer in peers:
            command += ["--peer", f"{peer['name']}={peer['url']}", "--peer-pid", f"{peer['name']}={peer['pid']}"]
        command += ["--peer-token", token]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
