#!/usr/bin/env python3
"""Runs public SCIM suites from PyPI against a running service. See README.md in the folder above.

Each suite ends with one line of JSON on standard output: what it checked and how each check ended. Whether that is enough is for
the caller to say. What a suite printed goes to standard error.
"""

import argparse
import fcntl
import hashlib
import json
import os
import re
import ssl
import subprocess
import sys
import tempfile
import urllib.request
import uuid
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
# The tree of sources stays as it is.
sys.dont_write_bytecode = True

import openapi  # noqa: E402

REQUIREMENTS = HERE / "requirements.txt"
# Longest that a suite may take, in seconds.
TIMEOUT_S = 1800
# Longest reason that is passed on.
REASON_MAX = 600
# What schemathesis checks of each answer. Not `negative_data_rejection` and `positive_data_acceptance`: a SCIM service must take more than
# its schema says (attributes that it does not know, "True" for true) and may refuse what fits it (a name that is taken).
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "use_after_free",
    "ensure_resource_availability",
    "ignored_auth",
    "scim_error_form",
]


def environment(cache: Path) -> Path:
    """The programs of a virtual environment with the pinned packages, which is made the first time."""
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    cache.mkdir(parents=True, exist_ok=True)
    # Tests that run at the same time make it once.
    with open(cache / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = cache / "done"
        programs = cache / "venv" / "bin"
        if not done.exists() or done.read_text(encoding="utf-8") != wanted:
            say = {"stdout": sys.stderr, "check": True}
            subprocess.run([sys.executable, "-m", "venv", "--clear", cache / "venv"], **say)
            pip = [programs / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
            subprocess.run([*pip, "--requirement", REQUIREMENTS], **say)
            done.write_text(wanted, encoding="utf-8")
        return programs


class Service:
    """What a ready file of `up` says of a service, and requests to it."""

    def __init__(self, ready_file: Path) -> None:
        ready = json.loads(ready_file.read_text(encoding="utf-8"))
        self.base = ready["scim_base"]
        self.token = ready["scim_token"]
        self.ca_file = ready["ca_file"]

    def variables(self) -> dict:
        """How Python's clients learn of the authority, and scim2 of everything: a token is no command line argument."""
        return {
            **os.environ,
            "SSL_CERT_FILE": self.ca_file,
            "SCIM_CLI_URL": self.base,
            "SCIM_CLI_HEADERS": f"Authorization: Bearer {self.token}",
            "NO_COLOR": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def ask(self, path: str, body: dict | None = None) -> dict:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": openapi.SCIM}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data, headers=headers)
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=self.ca_file)) as answer:
            return json.load(answer)


def run(command: list, service: Service, folder: Path | None = None, **variables: str) -> subprocess.CompletedProcess:
    """Runs a suite to its end, in a folder if it writes something, and passes on what it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**service.variables(), **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        timeout=TIMEOUT_S,
        check=False,
    )
    for text in (done.stdout, done.stderr):
        sys.stderr.write(text.replace(service.token, "[token]"))
    return done


def tester(programs: Path, service: Service, _arguments: argparse.Namespace) -> dict:
    """scim2-tester, by the command of scim2-cli."""
    done = run([programs / "scim2", "test"], service)
    checks = []
    for line in done.stdout.splitlines():
        if title := re.fullmatch(r"([A-Z]+) (\w+)", line):
            checks.append({"name": title[2], "status": title[1], "reason": ""})
        elif checks and line.startswith("  "):
            checks[-1]["reason"] = (checks[-1]["reason"] + " " + line.strip()).strip()[:REASON_MAX]
    return {"exit": done.returncode, "checks": checks}


def sanity(programs: Path, service: Service, _arguments: argparse.Namespace) -> dict:
    """scim-sanity, strict: as it is, and with the fields that it sends to Entra ID."""
    checks, codes = [], []
    for profile in ([], ["--profile", "entra"]):
        command = [programs / "scim-sanity", "probe", service.base, "--token", service.token, *profile]
        # It has no variable for the token; the service is a test's own and ends with it.
        done = run([*command, "--strict", "--i-accept-side-effects", "--json-output", "--ca-bundle", service.ca_file], service)
        codes.append(done.returncode)
        for each in json.loads(done.stdout)["results"]:
            checks.append(
                {
                    "name": each["name"],
                    "status": each["status"].upper(),
                    "reason": each.get("message", "")[:REASON_MAX],
                    "profile": profile[-1] if profile else "none",
                }
            )
    return {"exit": max(codes), "checks": checks}


def fuzz(programs: Path, service: Service, arguments: argparse.Namespace) -> dict:
    """schemathesis over what the service advertises of itself."""
    advertised = {name: service.ask(f"/{name}") for name in ("Schemas", "ResourceTypes", "ServiceProviderConfig")}
    by_urn = {schema["id"]: schema for schema in advertised["Schemas"]["Resources"]}
    ids = {}
    for kind in advertised["ResourceTypes"]["Resources"]:
        core = by_urn[kind["schema"]]
        required = [each["name"] for each in core["attributes"] if each["required"] and each["type"] == "string"]
        # A few of each type to begin with, so that identifiers lead somewhere.
        ids[kind["name"]] = [
            service.ask(kind["endpoint"], {"schemas": [core["id"]], **{name: str(uuid.uuid4()) for name in required}})["id"]
            for _ in range(3)
        ]
    with tempfile.TemporaryDirectory(prefix="chancery-fuzz-") as folder:
        folder = Path(folder)
        document = openapi.document(service.base, advertised, ids, arguments.full)
        (folder / "openapi.json").write_text(json.dumps(document), encoding="utf-8")
        report, tally = folder / "report.json", folder / "tally.json"
        done = run(
            [
                programs / "schemathesis", "run", folder / "openapi.json", "--url", service.base,
                "--tls-verify", service.ca_file, "--header", f"Authorization: Bearer {service.token}",
                "--checks", ",".join(CHECKS), "--max-examples", arguments.examples, "--seed", arguments.seed,
                # One worker: the generator's own caches are not made for threads.
                "--workers", "1", "--continue-on-failure", "--generation-database", "none", "--no-shrink",
                "--warnings", "off", "--report", "json", "--report-json-path", report,
            ],  # fmt: skip
            service,
            folder,
            SCHEMATHESIS_HOOKS="hooks",
            PYTHONPATH=str(HERE),
            CHANCERY_TALLY=str(tally),
        )
        told = json.loads(report.read_text(encoding="utf-8"))
        answers = json.loads(tally.read_text(encoding="utf-8"))
    return {
        "exit": done.returncode,
        "complete": told["complete"],
        "operations": told["operations"],
        "cases": told["test_cases"],
        "failures": told["failures"],
        "errors": told["errors"],
        "answers": answers,
    }


SUITES = {"tester": tester, "sanity": sanity, "fuzz": fuzz}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--cache",
        type=Path,
        default=HERE.parents[2] / "target" / "public-suites",
        help="folder of the virtual environment",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("prepare", help="only make the virtual environment")
    for name, suite in SUITES.items():
        command = commands.add_parser(name, help=suite.__doc__)
        command.add_argument("--ready-file", type=Path, required=True, help="what `up` wrote")
        if suite is fuzz:
            command.add_argument("--examples", type=int, default=20, help="generated requests for each operation")
            command.add_argument("--seed", type=int, default=1)
            command.add_argument("--full", action="store_true", help="each operator of filters for each attribute")
    arguments = parser.parse_args()
    programs = environment(arguments.cache)
    if arguments.command != "prepare":
        result = SUITES[arguments.command](programs, Service(arguments.ready_file), arguments)
        print(json.dumps(result), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
