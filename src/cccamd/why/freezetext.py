"""A freeze as lines of text; and the same with every name and address replaced, for strangers.

What is replaced: accounts, sources, channel names, service ids, host names, addresses, node ids,
ports of sources. Each keeps its new name throughout, so the story can still be followed. CAIDs
and providers stay: without them nobody could tell anything.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import IPv6Address
from typing import Final

from cccamd.facts import Freeze
from cccamd.ids import format_service

_KEPT_NAMES: Final = frozenset({"cccamd.toml", "CCcam.cfg", "CCcam.prio", "CCcam.channelinfo"})
_IPV6: Final = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){1,7}:?[0-9A-Fa-f]{0,4}(?![\w:])")
_IPV4: Final = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\w)")
_HOST: Final = re.compile(r"(?<![\w.-])(?:[\w-]+\.)+[A-Za-z][\w-]*\.?(?::\d{1,5})?(?!\w)")
_NODE_ID: Final = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{16}(?![0-9A-Za-z])")
_SERVICE: Final = re.compile(r"(?<![0-9A-Za-z:])([0-9A-F]{4}:[0-9A-F]{6}):([0-9A-F]{4})(?![\w:])")


def freeze_lines(freeze: Freeze, *, when: Callable[[float], str]) -> Iterator[str]:
    """Tell a freeze: what, whose fault, what that rests on, what to do, what else happened."""
    service = format_service(freeze.caid, freeze.ident, freeze.sid)
    channel = f"{freeze.name} ({service})" if freeze.name else service
    what = "dark from the start" if freeze.from_start else "frozen"
    state = f"for {freeze.seconds:.1f} s" if freeze.over else f"for {freeze.seconds:.1f} s now"
    yield f"freeze {freeze.number}: {freeze.account} on {channel}"
    yield f"{what} since {when(freeze.at)}, {state}"
    yield ""
    yield f"verdict: {freeze.verdict.value}"
    yield f"  {freeze.cause}"
    if freeze.source:
        yield f"  asked last: {freeze.source}"
    if freeze.change:
        yield f"  what to do: {freeze.change}"
    for heading, lines in (("what it rests on", freeze.evidence), ("around it", freeze.around)):
        if lines:
            yield ""
            yield f"{heading} (times from when the key was needed):"
            yield from (f"  {line}" for line in lines)


class Disguise:
    """Replaces what tells who somebody is; the same thing by the same word each time."""

    def __init__(self, *, accounts: Iterable[str], sources: Iterable[str]) -> None:
        """`accounts` and `sources` are all names that may occur."""
        self._words: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}
        known = {name: self._new("account", name) for name in dict.fromkeys(accounts) if name}
        for name in dict.fromkeys(sources):
            if name:
                known[name] = self._new("source", name)
                host = name.rpartition(":")[0].strip("[]")
                if host:
                    known.setdefault(host, self._new("host", host))
        self._known: Mapping[str, str] = known
        # The longest first: a name may be the beginning of another one.
        names = sorted(known, key=len, reverse=True)
        words = "|".join(re.escape(name) for name in names)
        self._names = re.compile(rf"(?<![\w.-])(?:{words})(?![\w-])") if names else None

    def text(self, text: str) -> str:
        """The text without what would tell."""
        kept: list[str] = []

        def keep(word: str) -> str:
            """What was replaced is not looked at again."""
            kept.append(word)
            return f"\0{len(kept) - 1}\0"

        if self._names is not None:
            text = self._names.sub(lambda found: keep(self._known[found[0]]), text)
        text = _SERVICE.sub(lambda found: keep(f"{found[1]}:{self._new('sid', found[2])}"), text)
        text = _NODE_ID.sub(lambda found: keep(self._new("node", found[0].lower())), text)
        text = _IPV4.sub(lambda found: keep(self._new("192.0.2", found[0], ".")), text)
        text = _IPV6.sub(lambda found: keep(self._address(found[0])), text)
        text = _HOST.sub(lambda found: keep(self._host(found[0])), text)
        return re.sub(r"\0(\d+)\0", lambda found: kept[int(found[1])], text)

    def channel(self, name: str) -> str:
        """The word for a channel's name."""
        return self._new("channel", name)

    def _address(self, text: str) -> str:
        """The word for an IPv6 address; a time of day is none."""
        try:
            IPv6Address(text)
        except ValueError:
            return text
        return self._new("2001:db8:", text, ":")

    def _host(self, name: str) -> str:
        return name if name in _KEPT_NAMES else self._new("host", name)

    def _new(self, kind: str, name: str, joint: str = "-") -> str:
        word = self._words.get((kind, name))
        if word is None:
            number = self._counts[kind] = self._counts.get(kind, 0) + 1
            word = self._words[kind, name] = f"{kind}{joint}{number}"
        return word


def disguised_lines(
    freeze: Freeze, *, accounts: Iterable[str], sources: Iterable[str], when: Callable[[float], str]
) -> Iterator[str]:
    """The same lines as `freeze_lines`, fit to be shown to anybody."""
    disguise = Disguise(accounts=(freeze.account, *accounts), sources=(freeze.source, *sources))
    for line in freeze_lines(freeze, when=when):
        if freeze.name:
            line = line.replace(freeze.name, disguise.channel(freeze.name))
        yield disguise.text(line)
