"""oscam.user: accounts become F-lines, and `[[account]]` tables for what these cannot say."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from cccamd.cards import Limit
from cccamd.ids import USER_LENGTH, is_host
from cccamd.setup.hours import ALL_DAYS
from cccamd.setup.oscam.conf import Conf
from cccamd.setup.oscam.filters import MOST_HOPS, Filters, read_filters
from cccamd.setup.oscam.lexer import Entry, ReadFile, Section, lower, trim
from cccamd.setup.oscam.plan import NOTHING, AccountPlan, ServiceList
from cccamd.setup.oscam.report import IGNORED_TOO, Report, SectionReport
from cccamd.setup.oscam.rules import (
    ANTI_CASCADING,
    DISGUISE,
    EXCHANGE,
    OWNERS_LIMIT,
    REWRITING,
    WRONG_WORDS,
    Lost,
    Rules,
    counting,
    family,
    keys,
    tell_of_rest,
)
from cccamd.setup.oscam.services import Denials, ServiceWish, as_denials, read_wish
from cccamd.setup.oscam.values import (
    number,
    parts,
    read_date,
    read_groups,
    read_hours,
    small_number,
)

FILE: Final = "oscam.user"
SECTION: Final = "account"
NAME_LENGTH: Final = 63
_HOPS: Final = ("cccreshare", "cccmaxhops")
DEFAULT_HOPS: Final = 10
PROTOCOLS: Final = ("cccam", "newcamd", "dvbapi")
_OTHER_PROTOCOLS: Final = keys(
    "camd33 camd35 camd35tcp cs378x cs357x gbox radegast scam ghttp pandora serial constcw mgcamd"
)
_RULES: Final = Rules(
    used=keys(
        "user pwd disabled expdate group caid ident services au hostname allowedtimeframe "
        "allowedprotocols max_connections uniq cccmaxhops cccreshare"
    ),
    silent=keys(
        "emmreassembly keepalive sleepsend monlevel suppresscmd08 description preferlocalcards "
        "no_wait_time disablecrccacheex disablecrccacheex_only_for cwc_disable"
    ),
    lost={
        "chid": Lost("cards are not chosen by CHID"),
        "class": Lost("cards are not chosen by class"),
        "failban": Lost("addresses are banned by [penalties], not by account"),
        "cccignorereshare": Lost(OWNERS_LIMIT, only=("1",)),
        "cccstealth": Lost(DISGUISE, only=("1",)),
        "betatunnel": Lost(REWRITING, ("",)),
        "cacheex": Lost(EXCHANGE),
        "fakedelay": Lost(WRONG_WORDS, ("0", "-1")),
        "penalty": Lost(WRONG_WORDS, ("0", "-1")),
        "numusers": Lost(ANTI_CASCADING),
        "sleep": Lost("accounts do not fall asleep", ("0", "-1")),
        "umaxidle": Lost("idle clients are not put out", ("0", "-1")),
    },
    patterns=(
        family("cacheex_.*", EXCHANGE, defaults=("0", "10", "")),
        family("acosc_penalty", WRONG_WORDS, defaults=("0", "-1", "4")),
        family("acosc_.*", ANTI_CASCADING, defaults=("0", "-1")),
        family("lb_.*", None),
    ),
)


@dataclass(slots=True)
class AccountReader:
    """Reads oscam.user into plans."""

    report: Report
    conf: Conf
    services: Mapping[str, ServiceList]
    labels: Collection[str]
    """Of the readers that are carried over."""
    plans: list[AccountPlan] = field(default_factory=list)
    reshares: list[int] = field(default_factory=list)
    """How far cards may go from each account."""
    names: dict[str, Entry] = field(default_factory=dict)
    """The `user` entries of accounts, by the names that they log in with."""

    def read(self, file: ReadFile | None) -> None:
        """Read all accounts."""
        for section in file.sections if file is not None else ():
            if section.line == 0:
                self._headless(section)
            elif lower(trim(section.name)) != SECTION:
                about = self.report.about(FILE, section.name)
                about.whole(section.line, f"unknown section, an empty account; {IGNORED_TOO}")
            else:
                self._account(section)

    def _headless(self, section: Section) -> None:
        if section.entries:
            about = self.report.about(FILE)
            about.ignored(section.entries[0], "there is no [account] above")

    def _account(self, section: Section) -> None:
        about, entries = self.report.about(FILE, SECTION), counting(section.entries)
        user = entries.get("user")
        if user is None or not user.value:
            about.whole(section.line, "an account without a user cannot be written")
            return
        whole = user.value[:NAME_LENGTH]
        name = whole[:USER_LENGTH]
        if name in self.names:
            first = self.names[name]
            same = first.value == user.value
            why = f"the user of line {first.line} has the same {'name' if same else '20 bytes'}"
            about.lost(user, f"{why}, which counts" + (f"; {IGNORED_TOO}" if same else ""))
            return
        self.names[name] = user
        if not _value(entries, "pwd"):
            about.lost(
                entries.get("pwd") or user,
                "an account without a password is open to everybody; it is left out",
            )
            return
        reading = _Reading(self, entries, about)
        if (plan := reading.plan(name)) is not None:
            tell_of_rest(section, _RULES, about)
            if len(whole) > USER_LENGTH and "newcamd" in reading.elsewhere(plan):
                why = "newcamd clients have to log in with the first 20 bytes of it"
                about.lost(user, f"{why}, as CCcam clients do")
            self.plans.append(plan)


@dataclass(slots=True)
class _Reading:
    """One account."""

    reader: AccountReader
    entries: Mapping[str, Entry]
    about: SectionReport

    def plan(self, name: str) -> AccountPlan | None:
        """Make the plan; None: the account is left out, and that was said."""
        plan = AccountPlan(
            user=name,
            password=self.entries["pwd"].value[:NAME_LENGTH],
            uphops=DEFAULT_HOPS,
            emm=False,
            remark=_value(self.entries, "description"),
        )
        fits = (
            self._hops(plan)
            and self._expiry(plan)
            and self._host(plan)
            and self._hours(plan)
            and self._protocols(plan)
        )
        if not fits:
            return None
        plan.enabled = not number(_value(self.entries, "disabled"))
        self._groups(plan)
        self._emm(plan)
        self._connections(plan)
        self._rights(plan)
        return plan

    def _hops(self, plan: AccountPlan) -> bool:
        entry = self.entries.get("cccmaxhops")
        if entry is None or not entry.value:
            return True
        hops = small_number(entry.value)
        if hops < -1:
            self.about.lost(entry, "below -1 OSCam refuses the login; the account is left out")
            return False
        plan.uphops = max(0, hops)
        plan.limits = NOTHING if hops < 0 else ()
        return True

    def elsewhere(self, plan: AccountPlan) -> tuple[str, ...]:
        """What else than CCcam it can speak: hops and reshare say nothing there."""
        conf = self.reader.conf
        is_open = {"newcamd": conf.opens_newcamd, "dvbapi": conf.dvbapi_user == plan.user}
        spoken = plan.protocols or PROTOCOLS
        return tuple(each for each in spoken if is_open.get(each))

    def _leave_cccam(self, plan: AccountPlan, others: tuple[str, ...]) -> None:
        """CCcam clients are shown no card there, the others are served."""
        plan.uphops, plan.limits = DEFAULT_HOPS, ()
        if "cccam" not in (plan.protocols or PROTOCOLS):
            return
        plan.protocols = others
        key = next((key for key in _HOPS if small_number(_value(self.entries, key)) < 0), "user")
        why = (
            "CCcam clients see no card of it there, newcamd and dvbapi clients do: here CCcam"
            " clients are not let in"
        )
        self.about.lost(self.entries[key], why)

    def _expiry(self, plan: AccountPlan) -> bool:
        entry = self.entries.get("expdate")
        if entry is None or not entry.value:
            return True
        plan.expires = read_date(entry.value)
        if plan.expires is None:
            why = "no date of the form Y-M-D: OSCam takes the account as expired; it is left out"
            self.about.lost(entry, why)
        return plan.expires is not None

    def _host(self, plan: AccountPlan) -> bool:
        entry = self.entries.get("hostname")
        if entry is None or not entry.value:
            return True
        plan.host = entry.value
        if not is_host(plan.host):
            self.about.lost(entry, "this is no host; the account is left out rather than opened")
            return False
        return True

    def _hours(self, plan: AccountPlan) -> bool:
        entry = self.entries.get("allowedtimeframe")
        if entry is None or not entry.value:
            return True
        hours = read_hours(entry.value)
        if not hours.days:
            why = "no hours can be read; the account is left out rather than opened"
            self.about.lost(entry, why)
            return False
        if hours.dropped:
            self.about.ignored(entry, "some of the hours cannot be read")
        if hours.only_all:
            plan.frames = hours.days[ALL_DAYS]
        else:
            plan.times = hours.days
        return True

    def _protocols(self, plan: AccountPlan) -> bool:
        entry = self.entries.get("allowedprotocols")
        if entry is None or not entry.value:
            return True
        listed = [lower(each) for each in entry.value.split(",")]
        plan.protocols = tuple(each for each in PROTOCOLS if each in listed)
        foreign = [each for each in listed if each in _OTHER_PROTOCOLS]
        unknown = [each for each in listed if each not in PROTOCOLS and each not in foreign]
        is_for_receivers = plan.user == self.reader.conf.dvbapi_user
        if foreign and not plan.protocols:
            self.about.lost(entry, "none of these protocols is spoken; the account is left out")
            return False
        if plan.protocols == ("dvbapi",) and not is_for_receivers:
            self.about.lost(entry, "it is for dvbapi alone, which is not opened; it is left out")
            return False
        if foreign:
            self.about.lost(entry, "some of these protocols are not spoken")
        elif unknown:
            all_pass = "" if plan.protocols else ", so all protocols are allowed"
            self.about.ignored(entry, f"a name in the list is no protocol{all_pass}")
        return True

    def _groups(self, plan: AccountPlan) -> None:
        plan.groups = groups_of(self.entries.get("group"), self.about)

    def _emm(self, plan: AccountPlan) -> None:
        entry = self.entries.get("au")
        if entry is None or not entry.value:
            return
        if entry.value == "1":
            plan.emm = True
            return
        labels = parts(entry.value)  # as they stand: OSCam finds no reader by a name with a blank
        plan.emm_to = tuple(each for each in labels if each in self.reader.labels)
        plan.emm = bool(plan.emm_to)
        if len(plan.emm_to) < len(labels) and entry.value != "0":
            self.about.lost(entry, "it names a reader that is not there, or not carried over")

    def _connections(self, plan: AccountPlan) -> None:
        most = self.entries.get("max_connections")
        if not number(_value(self.entries, "uniq")):
            return
        plan.max_connections = number(most.value) if most is not None and most.value else 1
        if not 1 <= plan.max_connections <= 1000:
            if most is not None:
                self.about.lost(most, "max_connections is 1 to 1000: the nearest is taken")
            plan.max_connections = min(1000, max(1, plan.max_connections))
        if number(_value(self.entries, "uniq")) not in (1, 2):
            why = "the newer login does not win: the older one goes on as long as it answers"
            self.about.lost(self.entries["uniq"], why)
        elif number(_value(self.entries, "uniq")) == 2:
            why = "logins of one address do not count as one"
            self.about.lost(self.entries["uniq"], why)

    def _rights(self, plan: AccountPlan) -> None:
        """What it may see: hops that cards may go on, CAIDs and idents, services."""
        reshare = self._reshare()
        filters = read_filters(self.entries, self.about)
        wish = read_wish(self.entries.get("services"), self.reader.services, self.about)
        shut = self._denials(wish)
        if shut is None:
            plan.services = tuple(wish.names)
        plan.denied = shut.services if shut is not None else ()
        self.reader.reshares.append(reshare)
        if reshare < 0 or plan.limits == NOTHING:
            others = self.elsewhere(plan) if plan.groups else ()
            if not others:
                plan.limits = NOTHING
                return
            self._leave_cccam(plan, others)
        if "cccam" not in (plan.protocols or PROTOCOLS):
            reshare = MOST_HOPS
        if filters.needs_idents:
            plan.idents = filters.pairs
        plan.limits = _group(filters, reshare, shut or Denials())

    def _reshare(self) -> int:
        own = self.entries.get("cccreshare")
        reshare = small_number(own.value) if own is not None and own.value else -1
        return self.reader.conf.reshare if reshare == -1 else reshare

    def _denials(self, wish: ServiceWish) -> Denials | None:
        """What an F-line can say of it; None: it needs the lists."""
        if not wish.only_shuts:
            return None
        return as_denials(self.reader.services[name[1:]] for name in wish.names)


def _group(filters: Filters, reshare: int, shut: Denials) -> tuple[Limit, ...]:
    """The first group of an F-line."""
    if filters.open:
        everything = (
            ()
            if reshare >= MOST_HOPS
            else (Limit(*(NOTHING[0].caid, NOTHING[0].ident), reshare + 1),)
        )
        return everything + shut.limits
    let = filters.limits(reshare + 1)
    kept = tuple(each for each in let if not shut.shuts(each.caid, each.ident))
    return kept + tuple(each for each in shut.limits if each.ident and not filters.idents)


def groups_of(entry: Entry | None, about: SectionReport) -> frozenset[int]:
    """Read `group`; no number: it shares with nobody."""
    if entry is None:
        return frozenset()
    found = read_groups(entry.value)
    if found.dropped:
        about.ignored(entry, "groups are numbers from 1 to 64")
    return found.numbers


def _value(entries: Mapping[str, Entry], key: str) -> str:
    entry = entries.get(key)
    return entry.value if entry is not None else ""
