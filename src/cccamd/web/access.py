"""The door in front of all pages: who may look, by which methods, with which headers.

Source: docs/webinfo.md section 3 (H4, H5) and docs/config.md section 6.4 (half a login).
"""

import binascii
import hmac
import os
from base64 import b64decode
from collections.abc import Awaitable, Callable, Collection
from hashlib import blake2b
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cccamd.ids import unwrap_address
from cccamd.setup.cccamcfg import InfoPort
from cccamd.web import digest
from cccamd.web.hosts import is_meant
from cccamd.web.refusals import refusal

_KEY: Final = os.urandom(32)
PATH_SHOWN: Final = 80
"""Characters; whoever asks chooses them."""
CHALLENGE: Final = 'Basic realm="cccamd"'
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": (
        "accelerometer=(), camera=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(),"
        " midi=(), payment=(), usb=()"
    ),
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}
"""For every answer that says no stricter. Nothing is loaded from elsewhere, nothing runs but our
own files."""


def is_let_in(login: InfoPort, authorization: str | None) -> bool:
    """Whether this `Authorization` header is good enough. Without a login it is not looked at."""
    if not login.is_protected:
        return True
    if login.username is None or login.password is None or authorization is None:
        return False
    given = _digest(_basic(authorization))
    # The same text in both encodings that browsers and old readers use; both are always compared.
    wanted = f"{login.username}:{login.password}"
    found = [
        hmac.compare_digest(given, _digest(wanted.encode(codec, "replace")))
        for codec in ("utf-8", "latin1")
    ]
    return any(found)


def _digest(text: bytes) -> bytes:
    """A keyed hash: comparing two tells nothing of what they were made of, nor of its length."""
    return blake2b(text, key=_KEY).digest()


def _basic(authorization: str) -> bytes:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""


class Door:
    """Lets those in who may look; keeps a page's failure from being anybody's traceback."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        admits: Callable[[str], bool],
        login: Callable[[], InfoPort],
        check_login: Callable[[str, bytes, bool], Awaitable[bool]],
        hosts: Callable[[], Collection[str]],
        forms_to: str,
        on_failure: Callable[[str, BaseException], None],
    ) -> None:
        """`forms_to`: the only address to which something is sent.

        `on_failure` is told which page failed, and why.
        """
        self._forms_to = forms_to
        self._app = app
        self._admits = admits
        self._login = login
        self._check_login = check_login
        self._hosts = hosts
        self._on_failure = on_failure
        self._digest = digest.Digest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] != "http":
            return
        answer = _Answer(send)
        try:
            refused = await self._refusal(scope)
            await (refused or self._app)(scope, receive, answer)
        except Exception as error:
            self._on_failure(f"page {scope['path'][:PATH_SHOWN]}", error)
            if not answer.begun:
                await refusal(scope, 500)(scope, receive, answer)

    async def _refusal(self, scope: Scope) -> Response | None:
        client = scope.get("client")
        if client is None or not self._admits(client[0]):
            return refusal(scope, 403)
        reached_at = unwrap_address(str((scope.get("server") or ("",))[0]))
        if not is_meant(Headers(scope=scope).get("host"), reached_at, self._hosts()):
            return refusal(scope, 421)
        claim = self._claim(scope, Headers(scope=scope).get("authorization"))
        if not await self._is_let_in(client[0], claim):
            return self._ask_for_login(scope, stale=claim is not None and claim.is_stale)
        if scope["method"] not in ("GET", "HEAD") and not self._is_form(scope):
            return refusal(scope, 405, headers={"Allow": "GET, HEAD"})
        return None

    def _is_form(self, scope: Scope) -> bool:
        return bool(scope["method"] == "POST" and scope["path"] == self._forms_to)

    def _claim(self, scope: Scope, authorization: str | None) -> digest.Claim | None:
        """What a request says of who asks; None: nothing."""
        if authorization is None:
            return None
        login = self._login()
        if scope["path"] in digest.PATHS and digest.is_digest(authorization):
            method, uri = scope["method"], _target(scope)
            return self._digest.claim(login, authorization, method=method, uri=uri)
        user = _basic(authorization).partition(b":")[0]
        return digest.Claim(user, is_let_in(login, authorization))

    async def _is_let_in(self, address: str, claim: digest.Claim | None) -> bool:
        login = self._login()
        if not login.is_protected:
            return True
        if claim is None or claim.is_stale:
            return False  # who gives no password is asked for one, and guesses nothing
        return await self._check_login(unwrap_address(address), claim.user, claim.is_right)

    def _ask_for_login(self, scope: Scope, *, stale: bool) -> Response:
        answer = refusal(scope, 401)
        if scope["path"] in digest.PATHS:
            # In this order: who looks at one only takes the first, and plug-ins know no Basic.
            answer.headers.append("WWW-Authenticate", self._digest.challenge(stale=stale))
        answer.headers.append("WWW-Authenticate", CHALLENGE)
        return answer


def _target(scope: Scope) -> str:
    """What was asked for, as it was sent."""
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    return (path + b"?" + query if query else path).decode("latin-1")


class _Answer:
    """Passes an answer on with our headers, and knows whether it has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)
