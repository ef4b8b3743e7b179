"""What is wrong with an engine, in words for whoever runs it."""

import re
from typing import Final

_TROUBLE: Final = {
    "NOAUTH": "it wants a login: [fleet] user and password",
    "WRONGPASS": "it refuses the login: is the user there, and the password right?",
    "NOPROTO": "it speaks no RESP3: Redis 7.0, Valkey 8 or newer is needed",
    "NOPERM": "its user may not do all that a fleet does{what}: docs/fleet.md has the rule (ACL)",
    "DENIED": "it is in protected mode: it needs a user with a password for other machines",
    "OOM": "its memory is used up: maxmemory, and maxmemory-policy allkeys-lru, see docs/fleet.md",
    "READONLY": "it is a replica that takes nothing: [fleet] host has to name the first one",
    "MISCONF": 'it cannot save to its disk, and so takes nothing: save "" in its configuration',
    "LOADING": "it is still starting",
    "MASTERDOWN": "it is a replica whose first one is away",
    "MOVED": "it is a node of a cluster: a fleet needs a single engine",
    "CLUSTERDOWN": "it is a node of a cluster: a fleet needs a single engine",
    "BUSY": "a script of somebody holds it up",
}
"""What the first word of an error means, and what to do."""
_FORBIDDEN: Final = re.compile(r"NOPERM .* run the '(\w{1,20})' command")
_IN_SCRIPT: Final = "The user executing the script can't"
_FULL: Final = "max number of clients"
_OLD: Final = "unknown command"


class EngineError(Exception):
    """There is no talking to the engine now. The text is for people and holds no secret."""


def explain(said: str) -> str:
    """Say what an error of the engine means. Its own words are shown where it is none of ours to
    know, and never what we said to it."""
    word = "NOPERM" if _IN_SCRIPT in said else said.partition(" ")[0]
    if word in _TROUBLE:
        forbidden = _FORBIDDEN.search(said)
        what = f" ({forbidden[1].upper()})" if forbidden is not None else ""
        what = " (GET, SET, DEL or PEXPIRE by EVAL)" if _IN_SCRIPT in said else what
        return _TROUBLE[word].replace("{what}", what)
    if _FULL in said:
        return "it has as many clients as it takes: maxclients"
    if _OLD in said:
        return _TROUBLE["NOPROTO"]
    if "AUTH" in said:
        return "it has no password, or no such user: [fleet] user and password"
    return f"it refuses: {''.join(each if each.isprintable() else ' ' for each in said[:100])}"
