"""oscam.server: readers become C-lines, N-lines and cards of fixed control words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from cccamd.ids import USER_LENGTH, Caid, LoginKey, login_key
from cccamd.setup.oscam.accounts import groups_of
from cccamd.setup.oscam.conf import Conf
from cccamd.setup.oscam.constants import read_constants
from cccamd.setup.oscam.filters import Filters, read_filters, up_to
from cccamd.setup.oscam.lexer import Entry, ReadFile, Section, lower, trim
from cccamd.setup.oscam.plan import CardPlan, Plan, ServiceList, UpstreamPlan
from cccamd.setup.oscam.report import IGNORED_TOO, Report, SectionReport
from cccamd.setup.oscam.rules import (
    CARD_SECRETS,
    EMULATION,
    EXCHANGE,
    LOCAL_READER,
    NOT_SPOKEN,
    Lost,
    Rules,
    counting,
    family,
    keys,
    tell_of_rest,
)
from cccamd.setup.oscam.services import chosen, read_wish
from cccamd.setup.oscam.values import NO_KEY, number, read_des_key, read_device, small_number
from cccamd.wire.cccam import BUILDS, parse_version

FILE: Final = "oscam.server"
SECTION: Final = "reader"
TEXT_LENGTH: Final = 63
DEFAULT_HOPS: Final = 10

_CCCAM: Final = frozenset({"cccam", "cccam_ext", "cccam_mcs"})
_NEWCAMD: Final = frozenset({"newcamd", "newcamd525", "newcamd524"})
_CONSTANT: Final = "constcw"
_EMULATED: Final = frozenset({"emu"})
_FOREIGN: Final = keys("camd35 cs357x cs378x camd33 radegast scam gbox ghttp pandora serial")
_LOCAL: Final = keys(
    "mouse mouse_test smartreader smart smargo pcsc internal intern stapi stapi5 stinger sc8in1 "
    "mp35 drecas pcmcia"
)
_CARD_KEYS: Final = (
    r"box_?id|boxkey|rsakey|deskey|des_key|ins7e.*|ins42|ins2e.*|k1_.*|cak.*|cwekey.*|cwpk.*|nuid"
    r"|mod.*|data\d+|aeskeys?|pincode|atr|detect|mhz|cardmhz|nagra_read|emu_.*|force_irdeto|fix.*"
    r"|smargopatch|sc8in1_.*|autospeed|use_ssc|ssc_.*|irdguess.*|tiers_.*|evensa|forceemmg"
    r"|dropbadcws_.*|reader_?restart.*|card_.*|.*_?startup.*|ird_?ident.*|userm35card|use_gpio"
    r"|device_out_endpoint|needsemmfirst|needsglobalfirst|headermode|idents_.*|cnxlastecm|typecard"
)
_GLOBAL: Final = "blockemm-g"
_BLOCKED: Final = (_GLOBAL, "blockemm-u", "blockemm-s", "blockemm-unknown")
"""Kinds of EMMs that a reader may block; all of them are all EMMs."""
_KINDS_OF_EMM: Final = "EMMs to a source are not chosen by their kind"
_RULES: Final = Rules(
    used=keys(
        "label enable protocol device user password key cccversion cccmaxhops cccmindown "
        "cccreshare cccwantemu ccchop group caid ident services fallback audisabled "
        "blockemm-g blockemm-u blockemm-s blockemm-unknown"
    ),
    silent=keys(
        "ccckeepalive keepalive cccreconnect inactivitytimeout reconnecttimeout reconnectdelay "
        "connectoninit disableserverfilter ipv4force description lb_weight emmcache dropbadcws "
        "disablecrccws cccwantemu resetcycle port"
    ),
    lost={
        "chid": Lost("cards are not chosen by CHID"),
        "class": Lost("cards are not chosen by class"),
        "ecmwhitelist": Lost("ECMs are not chosen by their length"),
        "ecmheaderwhitelist": Lost("ECMs are not chosen by their header"),
        "auprovid": Lost("EMMs are not chosen by a provider"),
        "lb_whitelist_services": Lost("sources are not chosen by service"),
        "fallback_percaid": Lost("a stand-by is for all that a source has"),
        "lb_force_fallback": Lost("a stand-by is asked when those before it are away"),
        "blockemm-bylen": Lost("EMMs are not chosen by their length"),
        "ratelimitecm": Lost("ECMs to a source are not counted"),
        "ratelimittime": Lost("ECMs to a source are not counted"),
        "srvidholdtime": Lost("ECMs to a source are not counted"),
        "ecmunique": Lost("ECMs to a source are not counted"),
        "cooldown": Lost("ECMs to a source are not counted"),
        "maxparallel": Lost("services at a source are not counted"),
        "parallelfactor": Lost("services at a source are not counted", ("0", "1.5")),
        "ecmnotfoundlimit": Lost("a source that has no answers is asked less by itself"),
        "disablecrccws_only_for": Lost("checksums of CWs are checked for all CAIDs or for none"),
        "cacheex": Lost(EXCHANGE),
        "account": Lost("write user and password: this key is not known to OSCam any more"),
    },
    patterns=(
        family("cacheex_.*", EXCHANGE),
        family("blockemm-.*", _KINDS_OF_EMM),
        family("saveemm-.*", None),
        family("lb_.*", None),
        family("cc[cs]_.*", None),
        family(_CARD_KEYS, CARD_SECRETS),
    ),
)


@dataclass(slots=True)
class _Links:
    """What is told of all readers together."""

    mindown: list[tuple[int, UpstreamPlan]] = field(default_factory=list)
    blocked: list[tuple[UpstreamPlan, Entry | None, SectionReport]] = field(default_factory=list)
    """Who takes no global EMMs, and who does."""
    fallbacks: list[tuple[UpstreamPlan, Entry, SectionReport]] = field(default_factory=list)


@dataclass(slots=True)
class ServerReader:
    """Reads oscam.server into plans."""

    plan: Plan
    report: Report
    conf: Conf
    services: Mapping[str, ServiceList]
    find: Callable[[str], bytes | None]
    """Reads a file that a reader names."""
    _labels: dict[str, int] = field(default_factory=dict)
    """Labels that are taken, and their lines."""
    _numbers: dict[str, int] = field(default_factory=dict)
    """By labels that stood there before, the number that the last other one got."""
    _by_login: dict[LoginKey, UpstreamPlan] = field(default_factory=dict)
    """Links by what no two share."""
    _links: _Links = field(default_factory=_Links)

    def read(self, file: ReadFile | None) -> None:
        """Read all readers."""
        for section in file.sections if file is not None else ():
            if section.line == 0:
                if section.entries:
                    about = self.report.about(FILE)
                    about.ignored(section.entries[0], "there is no [reader] above")
            elif lower(trim(section.name)) != SECTION:
                about = self.report.about(FILE, section.name)
                about.whole(section.line, f"unknown section; {IGNORED_TOO}")
            else:
                self._reader(section)
        self._minimum_downhops()
        self._global_emms()
        self._standbys()

    def _reader(self, section: Section) -> None:
        about, entries = self.report.about(FILE, SECTION), counting(section.entries)
        label, protocol = entries.get("label"), entries.get("protocol")
        if label is None or not label.value:
            about.whole(section.line, f"a reader without a label; {IGNORED_TOO}")
            return
        if protocol is None or not protocol.value:
            about.lost(label, f"a reader without a protocol; {IGNORED_TOO}")
            return
        name = label.value[:TEXT_LENGTH].replace(" ", "_")
        if (trouble := _protocol_trouble(protocol.value)) is not None:
            about.lost(protocol, trouble)
            return
        if (enable := entries.get("enable")) and enable.value and not number(enable.value):
            about.lost(enable, "it is switched off, and left out")
            return
        if name in self._labels:
            why = f"the label of line {self._labels[name]}: the reader gets another"
            about.lost(label, why)
            name = self._fresh_label(name)
        if protocol.value == _CONSTANT:
            made = self._constant(name, entries, about)
        else:
            made = self._link(name, entries, about)
        if made:
            self._labels[name] = label.line
            tell_of_rest(section, _RULES, about)

    def _fresh_label(self, name: str) -> str:
        stem = name[: TEXT_LENGTH - 4]
        for free in range(self._numbers.get(stem, 2), 10_000):
            self._numbers[stem] = free
            if (label := f"{stem}_{free}") not in self._labels:
                return label
        return name

    # Links.

    def _link(self, label: str, entries: Mapping[str, Entry], about: SectionReport) -> bool:
        device = entries.get("device")
        if device is None or not device.value:
            about.lost(entries["label"], f"a reader without a device; {IGNORED_TOO}")
            return False
        where = read_device(device.value)
        if isinstance(where, str):
            about.lost(device, f"{where}; the reader is left out")
            return False
        user, password = _value(entries, "user"), _value(entries, "password")
        if not user or not password:
            about.lost(entries["label"], "a reader without user or password is left out")
            return False
        if len(user) > USER_LENGTH:
            about.lost(entries["user"], "the user has more than 20 bytes; the reader is left out")
            return False
        plan = UpstreamPlan(
            label=label,
            line=entries["password"].line,
            host=where.host,
            port=where.port,
            user=user,
            password=password[:TEXT_LENGTH],
        )
        is_newcamd = entries["protocol"].value in _NEWCAMD
        if is_newcamd and not self._newcamd(plan, entries, about):
            return False
        if self._is_there(plan, entries, about):
            return False
        self._rights(plan, entries, about)
        if not is_newcamd:
            self._cccam(plan, entries, about)
        self.plan.upstreams.append(plan)
        return True

    def _is_there(
        self, plan: UpstreamPlan, entries: Mapping[str, Entry], about: SectionReport
    ) -> bool:
        key = login_key(plan.host, plan.port, plan.user)
        first = self._by_login.setdefault(key, plan)
        if first is not plan:
            why = f"host, port and user are those of {first.label}, which counts"
            other = (first.key is None) != (plan.key is None)
            about.lost(entries["label"], f"{why}: one port, one protocol" if other else why)
        return first is not plan

    def _newcamd(
        self, plan: UpstreamPlan, entries: Mapping[str, Entry], about: SectionReport
    ) -> bool:
        key = entries.get("key")
        plan.key = read_des_key(key.value) if key is not None and key.value else NO_KEY
        if plan.key is None and key is not None:
            about.lost(key, "the DES key is not 28 hex digits; the reader is left out")
            return False
        plan.hops = max(0, small_number(_value(entries, "ccchop")))
        if entries["protocol"].value == "newcamd524":
            why = "the older message format is not spoken: the N-line is tried with the newer one"
            about.lost(entries["protocol"], why)
        return True

    def _rights(
        self, plan: UpstreamPlan, entries: Mapping[str, Entry], about: SectionReport
    ) -> None:
        plan.groups = groups_of(entries.get("group"), about)
        plan.emm = not number(_value(entries, "audisabled"))
        self._blocked_emms(plan, entries, about)
        plan.services = self._services(entries, about)
        plan.reshare = self._reshare(entries)
        fallback = entries.get("fallback")
        if fallback is not None and number(fallback.value):
            self._links.fallbacks.append((plan, fallback, about))
        filters = read_filters(entries, about)
        if plan.key is not None:
            _allow(plan, filters)
            return
        hops = entries.get("cccmaxhops")
        most = small_number(hops.value) if hops is not None and hops.value else DEFAULT_HOPS
        if filters.open:
            if most < DEFAULT_HOPS:
                plan.limits = up_to(max(0, most + 1))
        else:
            plan.limits = filters.limits(max(0, most + 1))
            if filters.needs_idents:
                _allow(plan, filters)

    def _services(self, entries: Mapping[str, Entry], about: SectionReport) -> tuple[str, ...]:
        return tuple(read_wish(entries.get("services"), self.services, about).names)

    def _reshare(self, entries: Mapping[str, Entry]) -> int:
        own = _value(entries, "cccreshare")
        reshare = small_number(own) if own else -1
        return self.conf.reshare if reshare == -1 else reshare

    def _cccam(
        self, plan: UpstreamPlan, entries: Mapping[str, Entry], about: SectionReport
    ) -> None:
        plan.wantemus = number(_value(entries, "cccwantemu")) == 1
        version = entries.get("cccversion")
        if version is not None and version.value:
            known = next((v for v in BUILDS if version.value.startswith(str(v))), None)
            if known is None:
                about.lost(version, "cccversion wants a version that CCcam had")
            else:
                plan.version = "" if known == self.conf.version else str(known)
                if parse_version(version.value) is None:
                    about.lost(version, f"it is {known}, without what stands behind")
        mindown = entries.get("cccmindown")
        least = max(0, small_number(mindown.value)) if mindown is not None else 0
        self._links.mindown.append((least, plan))

    def _minimum_downhops(self) -> None:
        found = {least for least, _ in self._links.mindown}
        if len(found) == 1 and (least := found.pop()):
            self.plan.settings["MINIMUM DOWNHOPS"] = str(least)
            return
        for least, plan in self._links.mindown:
            plan.minimum_downhops = least or None

    def _blocked_emms(
        self, plan: UpstreamPlan, entries: Mapping[str, Entry], about: SectionReport
    ) -> None:
        """What of EMMs a reader blocks: all kinds, only global ones, or others."""
        blocked = {key: number(_value(entries, key)) != 0 for key in _BLOCKED}
        if all(blocked.values()):
            plan.emm = False
        if not plan.emm:
            return
        self._links.blocked.append(
            (plan, entries.get(_GLOBAL) if blocked[_GLOBAL] else None, about)
        )
        for key in _BLOCKED[1:]:
            if blocked[key]:
                about.lost(entries[key], _KINDS_OF_EMM)

    def _global_emms(self) -> None:
        """There is one setting for global EMMs; those that are sent none at all do not count."""
        entries = [entry for _, entry, _ in self._links.blocked]
        if entries and all(entries):
            self.plan.settings["GLOBAL EMM"] = "0"
            return
        for _, entry, about in self._links.blocked:
            if entry is not None:
                about.lost(entry, _KINDS_OF_EMM)

    def _standbys(self) -> None:
        """Who shares a group stands in for the others; the last of them are the fallbacks."""
        if not self._links.fallbacks:
            return
        owners: dict[int, frozenset[int]] = {}
        sets = [frozenset(each.groups or ()) for each in self.plan.upstreams]
        if not all(owners.setdefault(group, each) == each for each in sets for group in each):
            for _, entry, about in self._links.fallbacks:
                about.lost(entry, "group and rank want readers whose groups are equal or disjoint")
            return
        fallbacks = {id(plan) for plan, _, _ in self._links.fallbacks}
        shared = {plan.groups for plan, _, _ in self._links.fallbacks}
        for each in self.plan.upstreams:
            if each.groups in shared:
                each.standby = f"group-{'-'.join(map(str, sorted(each.groups or ()))) or '0'}"
                each.rank = 2 if id(each) in fallbacks else 1

    # Fixed control words.

    def _constant(self, label: str, entries: Mapping[str, Entry], about: SectionReport) -> bool:
        device = entries.get("device")
        if device is None or not device.value:
            about.lost(entries["label"], f"a reader without a device; {IGNORED_TOO}")
            return False
        data = self.find(device.value)
        if data is None:
            about.lost(device, "the file with the control words cannot be read")
            return False
        file = device.value.rpartition("/")[2]
        filters = read_filters(entries, about)
        found = read_constants(data, self.report.about(file))
        reshare = self._reshare(entries)
        wish = read_wish(entries.get("services"), self.services, about)
        for caid, lines in found.items():
            if filters.caids is not None and caid not in filters.caids:
                continue
            if filters.idents is not None and caid not in {pair[0] for pair in filters.pairs}:
                continue
            words, is_exact = chosen(lines.words, Caid(caid), lines.providers, wish, self.services)
            if not is_exact:
                about.lost(
                    entries["services"], "the card gives a service for all its providers or none"
                )
            if not words:
                continue
            self.plan.cards.append(
                CardPlan(
                    name=label if len(found) == 1 else f"{label}_{caid:04X}",
                    caid=Caid(caid),
                    providers=lines.providers,
                    words=words,
                    reshare=reshare,
                    groups=groups_of(entries.get("group"), about),
                    idents=tuple(pair for pair in filters.pairs if pair[0] == caid),
                    line=entries["label"].line,
                )
            )
        return True


def _protocol_trouble(protocol: str) -> str | None:
    """Why a reader of a protocol is left out; None: it is carried over."""
    if protocol in _CCCAM or protocol in _NEWCAMD or protocol == _CONSTANT:
        return None
    if protocol in _EMULATED:
        return EMULATION
    if protocol in _FOREIGN:
        return NOT_SPOKEN
    if protocol in _LOCAL or protocol.startswith("stapi"):
        return LOCAL_READER
    if lower(protocol) != protocol and _protocol_trouble(lower(protocol)) is None:
        return f"protocols are written in small letters; {IGNORED_TOO}"
    return f"there is no such protocol; {IGNORED_TOO}"


def _allow(plan: UpstreamPlan, filters: Filters) -> None:
    """Lists of cccamd.toml, for what a group cannot say or has no room for."""
    if filters.shut:
        plan.groups = frozenset()  # an empty list would open it
    elif filters.idents is not None:
        plan.idents = filters.pairs
        plan.caids = ()
    elif filters.caids is not None:
        plan.caids = filters.caids


def _value(entries: Mapping[str, Entry], key: str) -> str:
    entry = entries.get(key)
    return entry.value if entry is not None else ""
