"""Logs in at Canaille as a browser would: pages, forms with their tokens, cookies, redirects."""

import argparse
import html.parser
import http.cookiejar
import json
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request

# Login name, password and consent are three pages, each with a redirect or two.
STEPS_MAX = 20
# Largest page, in bytes.
PAGE_SIZE_MAX = 1 << 20
# Longest wait for an answer, in seconds.
TIMEOUT_S = 30


class LoginError(Exception):
    """The provider did not lead back."""


class Forms(html.parser.HTMLParser):
    """The forms of a page that are sent by POST: where they go and what they hold."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict] = []
        self.inside = False

    def handle_starttag(self, tag: str, attributes: list) -> None:
        attributes = dict(attributes)
        if tag == "form":
            self.inside = (attributes.get("method") or "get").lower() == "post"
            if self.inside:
                self.forms.append({"action": attributes.get("action") or "", "fields": {}, "buttons": []})
        elif self.inside and tag in ("input", "button") and attributes.get("name"):
            form = self.forms[-1]
            pair = (attributes["name"], attributes.get("value") or "")
            kind = attributes.get("type") or ("submit" if tag == "button" else "text")
            if kind == "submit":
                form["buttons"].append(pair)
            elif kind not in ("checkbox", "radio") or "checked" in attributes:
                form["fields"][pair[0]] = pair[1]

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = False


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Redirects are looked at one by one."""

    def redirect_request(self, *_arguments):
        return None


def origin(url: str) -> tuple:
    parts = urllib.parse.urlsplit(url)
    return (parts.scheme, parts.hostname, parts.port)


def filled(form: dict, user: str, password: str) -> dict:
    """What a person would send: the names of the fields are Canaille's."""
    fields = dict(form["fields"])
    if "login" in fields:
        fields["login"] = user
    elif "password" in fields:
        fields["password"] = password
    elif ("answer", "accept") in form["buttons"]:
        fields["answer"] = "accept"
    else:
        raise LoginError("a page that is no step of a login")
    return fields


def login(ca_file: str, authorization_url: str, user: str, password: str) -> str:
    """The address that the browser is led back to, with the code or an error in its query."""
    home = origin(authorization_url)
    context = ssl.create_default_context(cafile=ca_file)
    opener = urllib.request.build_opener(
        NoRedirect,
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=context),
        urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
    )
    url, body, sent, before = authorization_url, None, set(), None
    for _step in range(STEPS_MAX):
        request = urllib.request.Request(url, data=body)
        if before:
            # Canaille wants to see that a form was sent from one of its own pages.
            request.add_header("Referer", before)
        try:
            answer = opener.open(request, timeout=TIMEOUT_S)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            status, location = answer.status, answer.headers.get("Location")
            page = answer.read(PAGE_SIZE_MAX).decode("utf-8", "replace")
        before = url
        if status in (301, 302, 303, 307, 308) and location:
            url, body = urllib.parse.urljoin(url, location), None
            if origin(url) != home:
                return url
            continue
        if status != 200:
            raise LoginError(f"status {status} at {urllib.parse.urlsplit(url).path}")
        parser = Forms()
        parser.feed(page)
        if not parser.forms:
            raise LoginError(f"no form at {urllib.parse.urlsplit(url).path}")
        form = parser.forms[0]
        fields = filled(form, user, password)
        kind = next(name for name in ("login", "password", "answer") if name in fields)
        if kind in sent:
            raise LoginError(f"the provider refused the {kind}")
        sent.add(kind)
        url = urllib.parse.urljoin(url, form["action"])
        body = urllib.parse.urlencode(fields).encode()
    raise LoginError("too many steps")


def main() -> int:
    parser = argparse.ArgumentParser(prog="run.py login", description=__doc__)
    parser.add_argument("--ca-file", required=True)
    parser.add_argument("--url", required=True, help="the authorization URL")
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    arguments = parser.parse_args()
    try:
        back = login(arguments.ca_file, arguments.url, arguments.user, arguments.password)
    except (LoginError, OSError) as error:
        print(f"login: {error}", file=sys.stderr)
        return 1
    print(json.dumps({"redirect": back}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
