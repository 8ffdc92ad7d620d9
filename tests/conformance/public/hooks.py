"""Loaded by schemathesis: names that must be unique are, errors have SCIM's form, and each kind of answer is counted."""

import atexit
import json
import os
import re
import threading
import uuid

import schemathesis

import openapi

PLAIN = re.compile("[a-z]{6,12}")
counted: dict = {}
lock = threading.Lock()


@schemathesis.hook
def before_call(context, case, kwargs) -> None:
    """Makes plain names unique: otherwise most creations after the first would only be told that the name is taken."""
    names = case.operation.schema.raw_schema.get("x-unique", [])
    if case.method in ("POST", "PUT") and isinstance(case.body, dict):
        for name in names:
            value = case.body.get(name)
            if isinstance(value, str) and PLAIN.fullmatch(value):
                case.body[name] = f"{value}-{uuid.uuid4()}"


@schemathesis.check
def scim_error_form(context, response, case) -> None:
    """RFC 7644 section 3.12, whatever was asked: also for methods and paths that the document does not know."""
    operation = f"{case.method} {case.operation.path}"
    with lock:
        by_status = counted.setdefault(operation, {})
        status = str(response.status_code)
        by_status[status] = by_status.get(status, 0) + 1
    if response.status_code < 400 or case.method == "HEAD":
        return
    media_type = response.headers.get("content-type", [""])[0]
    assert media_type.partition(";")[0] == openapi.SCIM, f"an error as {media_type!r}"
    error = response.json()
    assert error["schemas"] == [openapi.ERROR_URN], f"schemas {error['schemas']}"
    assert error["status"] == status, f"status {error['status']!r} in an answer {status}"
    assert error.get("detail"), "an error without detail"
    assert error.get("scimType", "tooMany") in openapi.SCIM_TYPES, f"scimType {error['scimType']!r}"


@atexit.register
def tell() -> None:
    with open(os.environ["CHANCERY_TALLY"], "w", encoding="utf-8") as file:
        json.dump(counted, file)
