"""What a form does: one address that takes them all, and who may send one there.

In this order: there is a login (the door has seen it), a page of ours sends the form (its origin,
and its token), not too often. What needs a second thought is asked back. Each thing that is done
is in the log and the journal, with who did it.
"""

import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from math import ceil
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from cccamd.acting import Answer, ChangeLink, Debug, Kick, LinkAct, Reload, Status, Unban
from cccamd.errors import NumberError
from cccamd.ids import parse_address, unwrap_address
from cccamd.net import origin_of
from cccamd.setup.accountacts import AccountAct, AccountChange
from cccamd.setup.accounts import new_password
from cccamd.setup.qrcode import code_address
from cccamd.web.context import WebContext
from cccamd.web.forms import FormError, check_origin, read_form
from cccamd.web.hands import Entry, Hands
from cccamd.web.pace import Pace
from cccamd.web.pages import render
from cccamd.web.tokens import TOKEN_LIMIT, Tokens

PATH: Final = "/manage/do"
"""Where forms are sent."""
BURST, INTERVAL = 10, 2.0
"""Of one source: so many at once, and then one each so many seconds."""
ALL_BURST, ALL_INTERVAL = 40, 0.5
"""Of the login, wherever it is used."""
NAME_LIMIT: Final = 255
"""Characters of an account, a link or an address."""
DEBUG_TIME: Final = 900.0
"""Seconds for which everything of an account is logged."""
NO_LOGIN: Final = (
    "Nothing can be done from here as long as everybody may look: set WEBINFO USERNAME and"
    " WEBINFO PASSWORD in CCcam.cfg. `cccamd account`, `cccamd link` and others do the same on"
    " the machine itself."
)
NO_HANDS: Final = "This server takes no orders from its pages."
REFERRER: Final = {"Referrer-Policy": "same-origin"}
"""With the stricter one of other pages, browsers do not say of a form which page sends it."""
_STATUS: Final = {Status.UNUSABLE: HTTPStatus.CONFLICT, Status.UNREACHABLE: HTTPStatus.BAD_GATEWAY}
"""HTTP's, of what could not be done at all."""

Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something that can be done."""

    run: Callable[[Hands, Fields, str], Awaitable[Answer]]
    fields: frozenset[str] = frozenset({"name"})
    """What its form has, besides `act`, `token` and `sure`."""
    ask: str = ""
    """What is asked back, with the name filled in; empty: nothing."""
    yes: str = ""
    """The button's word to that."""
    shows_entry: bool = False
    """What to enter for the account is shown with it."""


def _on_account(act: AccountAct) -> Callable[[Hands, Fields, str], Awaitable[Answer]]:
    async def run(hands: Hands, fields: Fields, by: str) -> Answer:
        password = ""
        if act is AccountAct.ADD:
            password = fields.get("password") or new_password()
        rest = fields.get("rights", "").strip()
        change = AccountChange(act=act, name=fields["name"], password=password, rest=rest)
        return await hands.change(change, by)

    return run


def _on_link(act: LinkAct) -> Callable[[Hands, Fields, str], Awaitable[Answer]]:
    return lambda hands, fields, by: hands.carry_out(ChangeLink(act, fields["name"]), by)


def _debug(seconds: float) -> Callable[[Hands, Fields, str], Awaitable[Answer]]:
    return lambda hands, fields, by: hands.carry_out(Debug(fields["name"], seconds), by)


async def _nothing(hands: Hands, fields: Fields, by: str) -> Answer:
    """Showing is all that is wanted."""
    return Answer()


ACTS: Final[Mapping[str, Act]] = {
    "add": Act(
        run=_on_account(AccountAct.ADD),
        fields=frozenset({"name", "password", "rights"}),
        shows_entry=True,
    ),
    "show": Act(run=_nothing, shows_entry=True),
    "enable": Act(run=_on_account(AccountAct.ENABLE)),
    "disable": Act(
        run=_on_account(AccountAct.DISABLE),
        ask="Switch the account {name} off? Its receivers are sent away, and stay out until it is"
        " switched on again. Its line stays in the file, as a remark.",
        yes="Switch it off",
    ),
    "remove": Act(
        run=_on_account(AccountAct.REMOVE),
        ask="Take the account {name} out of CCcam.cfg? Its line is gone then, with its password"
        " and its rights; its receivers are sent away.",
        yes="Remove it",
    ),
    "kick": Act(run=lambda hands, fields, by: hands.carry_out(Kick(fields["name"]), by)),
    "pause": Act(
        run=_on_link(LinkAct.PAUSE),
        ask="Log out at {name}, and stay away until you resume it? Its cards are gone meanwhile,"
        " for all who watch by them.",
        yes="Pause it",
    ),
    "restart": Act(run=_on_link(LinkAct.RESTART)),
    "resume": Act(run=_on_link(LinkAct.RESUME)),
    "unban": Act(run=lambda hands, fields, by: hands.carry_out(Unban(fields["name"]), by)),
    "reload": Act(run=lambda hands, fields, by: hands.carry_out(Reload(), by), fields=frozenset()),
    "debug": Act(run=_debug(DEBUG_TIME)),
    "undebug": Act(run=_debug(0.0)),
}
_OF_LINKS: Final = frozenset({"pause", "restart", "resume", "unban", "reload"})


@dataclass(slots=True)
class Doing:
    """Takes forms, and makes the tokens that they have to hold."""

    context: WebContext
    _tokens: Tokens = field(default_factory=lambda: Tokens(os.urandom(32)))
    _of_source: Pace = field(default_factory=lambda: Pace(burst=BURST, interval=INTERVAL))
    _of_all: Pace = field(default_factory=lambda: Pace(burst=ALL_BURST, interval=ALL_INTERVAL))

    def token(self) -> str:
        """What the forms of one page hold."""
        return self._tokens.make(self.context.login(), time.monotonic())

    async def take(self, request: Request) -> Response:
        """Do what a form says, or say why not."""
        if (refused := refuse(self.context, request)) is not None:
            return refused
        hands = self.context.hands()
        assert hands is not None  # looked at just now
        if request.method != "POST":
            text = "Nothing was done: what is to be done is sent by the buttons of these pages."
            return say(self.context, request, 405, text, headers={"Allow": "POST"})
        try:
            check_origin(request.headers)
            fields = await read_form(request)
            self._check_token(fields.get("token", ""))
            act = _act_of(fields)
        except FormError as error:
            hands.refused(_address(request), str(error))
            text, unread = f"Nothing was done: {error}.", {"Connection": "close"}
            return say(self.context, request, error.status, text, headers=unread)
        wait = self._wait(request)
        if wait:
            text = f"Nothing was done: that was too often. Try again in {wait} s."
            return say(self.context, request, 429, text, headers={"Retry-After": str(wait)})
        if act.ask and fields.get("sure") != "yes":
            return self._ask_back(act, fields)
        return await self._do(hands, act, fields, request)

    def _check_token(self, token: str) -> None:
        known = len(token) <= TOKEN_LIMIT
        if not (known and self._tokens.holds(token, self.context.login(), time.monotonic())):
            raise FormError(
                403,
                "this form is too old, or was drawn before the server started anew; open the page"
                " again, and repeat it there",
            )

    def _wait(self, request: Request) -> int:
        """Seconds, rounded up; 0: go on."""
        now, source = time.monotonic(), origin_of(_address(request)).source
        wait = self._of_source.wait(source, now) or self._of_all.wait("", now)
        return ceil(wait)

    def _ask_back(self, act: Act, fields: Fields) -> Response:
        page = render(
            self.context,
            "confirm.html",
            question=act.ask.format(name=fields.get("name", "")),
            yes=act.yes,
            fields={key: value for key, value in fields.items() if key != "token"},
            token=self.token(),
            back=back_of(fields),
        )
        return HTMLResponse(page, headers=REFERRER)

    async def _do(self, hands: Hands, act: Act, fields: Fields, request: Request) -> Response:
        by = f"{self.context.login().username} from {_address(request)} (pages)"
        answer, entry = await act.run(hands, fields, by), None
        if act.shows_entry and answer.status is Status.DONE:
            found = await hands.entry(fields["name"], _host(request), by)
            if isinstance(found, Entry):
                entry = found
            else:
                answer = found
        remark, problems = _said(answer)
        page = render(
            self.context,
            "told.html",
            answer=answer,
            is_done=answer.status is Status.DONE,
            remark=remark,
            problems=problems,
            entry=entry,
            code=code_address(entry.code) if entry is not None and entry.code else "",
            name=fields.get("name", "") if fields["act"] not in _OF_LINKS else "",
            back=back_of(fields),
            is_gone=fields["act"] == "remove" and answer.status is Status.DONE,
        )
        return HTMLResponse(page, _STATUS.get(answer.status, HTTPStatus.OK), headers=REFERRER)


def refuse(context: WebContext, request: Request) -> Response | None:
    """Why nothing can be done here at all; None: it can."""
    if context.is_managed:
        return None
    return say(context, request, 403, NO_HANDS if context.login().is_complete else NO_LOGIN)


def say(
    context: WebContext,
    request: Request,
    status: int,
    text: str,
    *,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Answer with one sentence: as a page for people, else as a line."""
    if "text/html" not in request.headers.get("accept", ""):
        return PlainTextResponse(f"{text}\n", status, headers=headers)
    page = render(context, "refused.html", text=text, title=HTTPStatus(status).phrase)
    return HTMLResponse(page, status, headers=headers)


def back_of(fields: Fields) -> str:
    """The page that a form belongs to."""
    act = fields.get("act", "")
    if act in _OF_LINKS:
        return "/manage/server"
    if act in ("add", "remove"):
        return "/manage"
    return "/manage/account?" + urlencode({"name": fields.get("name", "")})


def is_address(who: str) -> bool:
    """Whether this is an address or a network, so that it can be forgiven."""
    try:
        parse_address(who.partition("/")[0])
    except NumberError:
        return False
    return True


def _act_of(fields: Fields) -> Act:
    act = ACTS.get(fields.get("act", ""))
    if act is None:
        raise FormError(400, "there is no such thing to do")
    known = act.fields | {"act", "token", "sure"}
    if surplus := fields.keys() - known:
        raise FormError(400, f"it has nothing to do with {sorted(surplus)[0][:20]}")
    if "name" in act.fields and not fields.get("name", "").strip():
        raise FormError(400, "a name is missing")
    if len(fields.get("name", "")) > NAME_LIMIT:
        raise FormError(400, f"the name is longer than {NAME_LIMIT} characters")
    return act


def _said(answer: Answer) -> tuple[str, list[str]]:
    """Of an account that was changed: a remark, and what is wrong with the files. Of a reload the
    text says it all."""
    remark, problems = answer.data.get("remark"), answer.data.get("problems")
    if not isinstance(remark, str) or not isinstance(problems, list):
        return "", []
    return remark, [str(each) for each in problems]


def _address(request: Request) -> str:
    return unwrap_address(request.client.host) if request.client is not None else ""


def _host(request: Request) -> str:
    """Where this person reached us, which receivers beside him reach as well; empty: only this
    machine does."""
    reached_at = str((request.scope.get("server") or ("",))[0])
    try:
        address = parse_address(unwrap_address(reached_at))
    except NumberError:
        return ""
    return "" if address.is_loopback else str(address)
