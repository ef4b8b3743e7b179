"""oscam.conf: settings of the server."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network, summarize_address_range
from typing import Final

from cccamd.errors import NumberError
from cccamd.ids import PORT_LIMIT, bare_node_id, format_caid, parse_address
from cccamd.setup.oscam.lexer import Entry, ReadFile, Section
from cccamd.setup.oscam.plan import NewcamdPlan, Plan
from cccamd.setup.oscam.report import IGNORED_TOO, Report, SectionReport
from cccamd.setup.oscam.rules import (
    ANTI_CASCADING,
    DISGUISE,
    EMULATION,
    EXCHANGE,
    NOT_SPOKEN,
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
from cccamd.setup.oscam.values import (
    NO_KEY,
    NewcamdPort,
    number,
    parts,
    read_des_key,
    read_newcamd_ports,
    small_number,
)
from cccamd.wire.cccam import BUILDS, DEFAULT_VERSION, Version, parse_version

FILE: Final = "oscam.conf"
DEFAULT_RESHARE: Final = 10
DEFAULT_WEB_PORT: Final = 8888
"""Where the web pages are without an oscam.conf."""
EVERYWHERE: Final = ("0.0.0.0", "::")
VERSION_LENGTH: Final = 6
"""Bytes of a version that OSCam keeps."""
BELOW_SECONDS: Final = 10
"""A clienttimeout below counts seconds, from there on milliseconds."""
LOCAL_ONLY: Final = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "fc00::/7",
    "169.254.0.0/16",
    "fe80::/10",
)

LOCAL_PAGES: Final = "the web pages answer the local networks and those in [network] allow"
_PRIVATE: Final = frozenset(map(ip_network, LOCAL_ONLY[:3]))
USUAL_PAGES: Final = _PRIVATE, frozenset({ip_network("192.168.0.0/16")})
"""What httpallowed says in the usual folder: little else than what is so here."""

_GLOBAL = Rules(
    used={
        "logfile",
        "clienttimeout",
        "serverip",
        "failbantime",
        "failbancount",
        "disablecrccws",
        "cwlogdir",
    },
    silent=keys(
        "block_same_ip block_same_name dropdups preferlocalcards nice netprio maxlogsize "
        "loghistorylines pidfile usrfile usrfileflag disableuserfile mailfile disablemail "
        "emmlogdir ecmfmt disablelog logduplicatelines sysloghost syslogport initial_debuglevel "
        "waitforcards waitforcards_extra_delay readerrestartseconds resolvegethostbyname "
        "bindwait sleep unlockparental suppresscmd08 getblockemmauprovid"
    ),
    lost={
        "fallbacktimeout": Lost("cccamd asks a second card by itself ([routing] hedge)", ("2500",)),
        "fallbacktimeout_percaid": Lost("cccamd asks a second card by itself ([routing] hedge)"),
        "clientmaxidle": Lost("idle clients are not put out", ("120",)),
        "double_check": Lost("answers of two cards are not compared"),
        "double_check_caid": Lost("answers of two cards are not compared"),
        "disablecrccws_only_for": Lost("checksums of CWs are checked for all CAIDs or for none"),
        "lb_auto_betatunnel": Lost(REWRITING, only=("1",)),
        "lb_auto_betatunnel_mode": Lost(REWRITING),
    },
    patterns=(
        family("reload_.*", None),
        family("lb_.*", None),
        family("cwvote_.*", "a majority of several CWs is not formed"),
        family("emu_.*", EMULATION),
    ),
)
_CCCAM = Rules(
    used={"port", "serverip", "nodeid", "version", "reshare"},
    silent={"minimizecards", "updateinterval", "keepconnected", "recv_timeout"},
    lost={
        "ignorereshare": Lost(OWNERS_LIMIT, only=("1",)),
        "reshare_mode": Lost("cards of other servers are offered as OSCam does in mode 4", ("4",)),
        "forward_origin_card": Lost("a request goes to the best card, not always to that card"),
        "stealth": Lost(DISGUISE),
    },
)
_NEWCAMD = Rules(
    used={"port", "key", "serverip", "allowed", "mgclient"}, silent={"keepalive"}, lost={}
)
_DVBAPI = Rules(
    used={"enabled", "listen_port", "serverip", "user", "au"},
    silent=keys(
        "pmt_mode request_mode delayer ecminfo_file ecminfo_type read_sdt write_sdt_prov boxtype "
        "extended_cw_api services ignore cw_delay reopenonzap decodingstatus"
    ),
    lost={},
)
_WEBIF = Rules(
    used={"httpport", "httpuser", "httppwd", "httpallowed", "serverip"},
    silent={"httpreadonly", "aulow", "hideclient_to"},
    lost={
        "httpdyndns": Lost(LOCAL_PAGES),
    },
    patterns=(family("http.*", None),),
)
_CACHE = Rules(
    used={"max_time"},
    silent={"max_hit_time", "cacheexenablestats"},
    lost={
        "delay": Lost("answers from the cache are not delayed"),
        "wait_time": Lost(EXCHANGE),
    },
    patterns=(
        family("cacheex_.*", EXCHANGE),
        family("csp_.*", EXCHANGE),
        family("cwcycle_.*", "the order of CWs is not checked"),
    ),
)
_ANTICASC = Rules(
    lost={
        "enabled": Lost(ANTI_CASCADING),
        "acosc_enabled": Lost(ANTI_CASCADING),
        "penalty": Lost(WRONG_WORDS),
        "acosc_penalty": Lost(WRONG_WORDS, ("0", "4")),
    },
    patterns=(family(".*", None),),
)
_STREAMRELAY: Final = ("stream_relay_enabled", "enabled")
_OTHER_SERVERS: Final = keys(
    "cs357x cs378x camd33 camd35 camd35tcp radegast scam gbox pandora serial"
)
_WITHOUT_EFFECT: Final = frozenset({"lcd"})
_LISTENS: Final = ("port", "pand_port", "device")


@dataclass(slots=True)
class Conf:
    """What of oscam.conf other files need to know."""

    reshare: int = DEFAULT_RESHARE
    version: Version = DEFAULT_VERSION
    """Announced to clients, and to servers of whose readers nothing else is said."""
    dvbapi_user: str = ""
    """Whose rights receivers have that speak dvbapi; empty: none do."""
    dvbapi_entry: Entry | None = None
    opens_newcamd: bool = False
    """Whether newcamd clients can come at all."""


@dataclass(slots=True)
class ConfReader:
    """Reads oscam.conf into a plan."""

    plan: Plan
    report: Report
    conf: Conf = field(default_factory=Conf)
    _bind_of_all: tuple[str, ...] = ()
    _bind_of_cccam: Entry | None = None
    """What [cccam] alone says, of another address."""

    def read(self, file: ReadFile | None) -> Conf:
        """Read the file; None: there is none, and OSCam has its defaults."""
        sections = self._merged(file) if file is not None else {}
        self._global(sections.get("global", Section("global", 0)))
        self._cccam(sections.get("cccam", Section("cccam", 0)))
        self._newcamd(sections.get("newcamd"))
        self._dvbapi(sections.get("dvbapi"))
        self._webif(sections.get("webif", Section("webif", 0)), there=file is not None)
        self._cache(sections.get("cache"))
        for name, section in sections.items():
            self._other(name, section)
        return self.conf

    def _merged(self, file: ReadFile) -> dict[str, Section]:
        """A section that comes again goes on; what stands before any header is [global]."""
        merged: dict[str, Section] = {}
        for section in file.sections:
            name = section.name or "global"
            into = merged.setdefault(name, Section(name, section.line))
            into.entries.extend(section.entries)
            into.stray.extend(section.stray)
        return merged

    def _about(self, section: Section) -> SectionReport:
        return self.report.about(FILE, section.name)

    def _global(self, section: Section) -> None:
        about, entries = self._about(section), counting(section.entries)
        tell_of_rest(section, _GLOBAL, about)
        if (logfile := entries.get("logfile")) and logfile.value:
            self._logfile(logfile, about)
        if (timeout := entries.get("clienttimeout")) and timeout.value:
            self._client_timeout(timeout, about)
        self._bind(entries.get("serverip"), about)
        self._bind_of_all = _addresses(_value(entries, "serverip"))
        self._bans(entries, about)
        if number(_value(entries, "disablecrccws")):
            self._table("cache")["check_cw_checksums"] = False
        if _value(entries, "cwlogdir"):
            self.report.note("cwlogdir: no CWs are written to any file")

    def _table(self, name: str) -> dict[str, object]:
        return self.plan.tables.setdefault(name, {})

    def _logfile(self, entry: Entry, about: SectionReport) -> None:
        paths = [each for each in parts(entry.value, ";") if each not in ("stdout", "syslog")]
        if paths:
            self.plan.settings["LOG FILE"] = paths[0]
        if len(paths) > 1:
            about.lost(entry, "there is one log file, the first")

    def _client_timeout(self, entry: Entry, about: SectionReport) -> None:
        read = number(entry.value)
        seconds = float(read) if read < BELOW_SECONDS else read / 1000
        if not 0.5 <= seconds <= 30:
            about.lost(entry, "[limits] ecm_deadline is 0.5 to 30 s: the nearest is taken")
        self._table("limits")["ecm_deadline"] = min(30.0, max(0.5, seconds))

    def _bind(self, entry: Entry | None, about: SectionReport) -> None:
        if entry is None or not entry.value:
            return
        addresses = _addresses(entry.value)
        if not addresses:
            about.lost(entry, "[server] bind wants an address")
            return
        self._table("server")["bind"] = addresses

    def _bans(self, entries: Mapping[str, Entry], about: SectionReport) -> None:
        minutes, count = entries.get("failbantime"), entries.get("failbancount")
        if minutes is None or number(minutes.value) <= 0:
            return
        attempts = number(count.value) if count is not None else 0
        if attempts <= 0:
            return  # OSCam needs both
        if attempts > 10_000 or number(minutes.value) > 1440:
            about.lost(minutes, "[penalties] attempts goes to 10000, ban to a day")
        self.report.note(
            "failbantime: [penalties] bans addresses for failed logins of all protocols, never"
            " those of the local networks, and twice as long if it comes again"
        )
        self._table("penalties")["attempts"] = min(attempts, 10_000)
        self._table("penalties")["ban"] = min(60 * number(minutes.value), 86_400)

    def _cccam(self, section: Section) -> None:
        about, entries = self._about(section), counting(section.entries)
        tell_of_rest(section, _CCCAM, about)
        self._ports(entries.get("port"), about)
        self._bind(own := entries.get("serverip"), about)
        if own is not None and _addresses(own.value) not in ((), self._bind_of_all):
            self._bind_of_cccam = own
        version = entries.get("version")
        if version is not None and version.value:
            known = parse_version(version.value[:VERSION_LENGTH].strip())
            if known not in BUILDS:
                about.lost(version, "[server] cccversion wants a version that CCcam had")
            elif known != DEFAULT_VERSION:
                self._table("server")["cccversion"] = str(known)
                self.conf.version = known
        node_id = entries.get("nodeid")
        if node_id is not None and node_id.value and any(bare_node_id(node_id.value) or b"x"):
            why = "cccamd has a node id of its own: no two programs may have the same"
            about.lost(node_id, why)
        reshare = entries.get("reshare")
        if reshare is not None and reshare.value:
            self.conf.reshare = small_number(reshare.value)

    def _ports(self, entry: Entry | None, about: SectionReport) -> None:
        ports = [number(each) for each in parts(entry.value)] if entry is not None else []
        good = list(dict.fromkeys(each for each in ports if 0 < each <= PORT_LIMIT))
        if entry is not None and any(not 0 <= each <= PORT_LIMIT for each in ports):
            about.lost(entry, "a port is no number from 1 to 65535")
        # CCcam's own default is 12000: that no port is open has to be said.
        self.plan.settings["SERVER LISTEN PORT"] = str(good[0] if good else 0)
        if entry is not None and len(good) > 1:
            about.lost(entry, "there is one port for CCcam clients, the first")

    def _newcamd(self, section: Section | None) -> None:
        if section is None:
            return
        about, entries = self._about(section), counting(section.entries)
        tell_of_rest(section, _NEWCAMD, about)
        port = entries.get("port")
        if port is None or port.value in ("", "0"):
            return
        default = read_des_key(_value(entries, "key"))
        if default is None and _value(entries, "key"):
            why = "not 28 hex digits without blanks; zeros are taken, as OSCam does"
            about.lost(entries["key"], why)
        bind = self._newcamd_addresses(entries.get("serverip"), about)
        allow = self._newcamd_allowed(entries.get("allowed"), about)
        any_card = number(_value(entries, "mgclient")) != 0
        is_alone = ";" not in port.value.strip("; \t")
        for each in read_newcamd_ports(port.value):
            if isinstance(each, str):
                about.lost(port, each)
                continue
            if each.caid is None and not is_alone:
                about.ignored(port, f"port {each.port} is not the only one, and has no CAID")
                continue
            self._newcamd_port(each, port, about, (default or NO_KEY, bind, allow), any_card)
        self.conf.opens_newcamd = bool(self.plan.newcamd)

    def _newcamd_port(
        self,
        port: NewcamdPort,
        entry: Entry,
        about: SectionReport,
        shared: tuple[str, tuple[str, ...], tuple[str, ...]],
        any_card: bool,
    ) -> None:
        key, bind, allow = shared
        if port.key == "":
            about.lost(entry, "a key behind a port is not 28 hex digits; zeros are taken")
        if len(port.idents) > 32:
            about.lost(entry, "a port shows 32 providers at most")
        if any(each.port == port.port for each in self.plan.newcamd):
            about.lost(entry, f"port {port.port} is there twice; {IGNORED_TOO}")
            return
        self.plan.newcamd.append(
            NewcamdPlan(
                port=port.port,
                key=port.key or (NO_KEY if port.key == "" else key),
                caid=None if any_card else port.caid,
                providers=() if any_card else port.idents[:32],
                bind=bind,
                allow=allow,
            )
        )
        if any_card and port.caid is not None:
            what = f"CAID {format_caid(port.caid)}"
            self.report.note(f"newcamd port {port.port}: mgclient lets it show more than {what}")

    def _newcamd_addresses(self, entry: Entry | None, about: SectionReport) -> tuple[str, ...]:
        """Its own, or that of all servers: never that of CCcam's alone."""
        if entry is not None and entry.value:
            addresses = _addresses(entry.value)
            if not addresses:
                about.lost(entry, "bind of [[newcamd]] wants an address")
            return addresses
        of_all, of_cccam = self._bind_of_all, self.plan.tables.get("server", {}).get("bind")
        return () if of_all == (of_cccam or ()) else of_all or EVERYWHERE

    def _newcamd_allowed(self, entry: Entry | None, about: SectionReport) -> tuple[str, ...]:
        """Address ranges `a,b-c`; who is not named is turned away."""
        if entry is None or not entry.value:
            return ()
        read = [_networks(part) for part in parts(entry.value)]
        if not all(read):
            about.lost(entry, "some of the addresses cannot be read, and are left out")
        return tuple(each for networks in read for each in networks) or ("127.0.0.1",)

    def _dvbapi(self, section: Section | None) -> None:
        if section is None:
            return
        about, entries = self._about(section), counting(section.entries)
        tell_of_rest(section, _DVBAPI, about)
        enabled = entries.get("enabled")
        if enabled is None or not number(enabled.value):
            return
        port, user = number(_value(entries, "listen_port")), entries.get("user")
        if not 0 < port <= PORT_LIMIT:
            about.lost(enabled, "there is no decoder here, and no listen_port for others")
            return
        if user is None or not user.value:
            about.lost(enabled, "[dvbapi] needs an account, and no user is named")
            return
        self.conf.dvbapi_user, self.conf.dvbapi_entry = user.value, user
        listen = _addresses(_value(entries, "serverip")) or EVERYWHERE
        table = self._table("dvbapi")
        table |= {"port": port, "listen": listen, "networks": LOCAL_ONLY}
        if number(_value(entries, "au")):
            table["au"] = True
        self.report.note(
            f"dvbapi, port {port}: nobody logs in there, so only local networks are let in; see"
            " networks in [dvbapi]"
        )

    def _webif(self, section: Section, *, there: bool) -> None:
        about, entries = self._about(section), counting(section.entries)
        tell_of_rest(section, _WEBIF, about)
        settings, entry = self.plan.settings, entries.get("httpport")
        text = entry.value if entry is not None else ""
        port = number(text.removeprefix("+")) if there else DEFAULT_WEB_PORT
        if entry is not None and text.startswith("+") and port:
            about.lost(entry, "the web pages speak no TLS: the port is opened without it")
        settings["ALLOW TELNETINFO"] = "no"
        if not 0 < port <= PORT_LIMIT:
            settings["ALLOW WEBINFO"] = "no"
            return
        self._who_sees_pages(entries, about)
        settings["ALLOW WEBINFO"] = "yes"
        settings["WEBINFO LISTEN PORT"] = str(port)
        self._web_login(entries, about)

    def _web_login(self, entries: Mapping[str, Entry], about: SectionReport) -> None:
        user, password = _value(entries, "httpuser"), _value(entries, "httppwd")
        if password and not user:
            about.ignored(entries["httppwd"], "without httpuser no login is asked")
            return
        if user and not password:
            why = "a login without a password cannot be written: nobody gets in before you set"
            about.lost(entries["httpuser"], f"{why} WEBINFO PASSWORD")
        for name, value in (("WEBINFO USERNAME", user), ("WEBINFO PASSWORD", password)):
            if value:
                self.plan.settings[name] = value

    def _who_sees_pages(self, entries: Mapping[str, Entry], about: SectionReport) -> None:
        """Say where they are open to others than there, or shut."""
        allowed = entries.get("httpallowed")
        if allowed is not None and allowed.value:
            read = [_networks(each) for each in parts(allowed.value)]
            networks = {ip_network(each) for found in read for each in found}
            others = networks - set(map(ip_network, LOCAL_ONLY[3:]))
            others = {each for each in others if not each.is_loopback}
            if not all(read) or others not in USUAL_PAGES:
                about.lost(allowed, LOCAL_PAGES)
        own, of_cccam = entries.get("serverip"), self._bind_of_cccam
        bind = self.plan.tables.get("server", {}).get("bind")
        if own is not None and own.value:
            if _addresses(own.value) != bind:
                about.lost(own, "the web pages listen on the addresses of [server] bind")
        elif of_cccam is not None:
            why = "the web pages, which were open elsewhere, too, listen there only"
            self.report.about(FILE, "cccam").lost(of_cccam, why)

    def _cache(self, section: Section | None) -> None:
        if section is None:
            return
        about, entries = self._about(section), counting(section.entries)
        tell_of_rest(section, _CACHE, about)
        entry = entries.get("max_time")
        if entry is not None and entry.value:
            seconds = number(entry.value)
            if not 1 <= seconds <= 600:
                about.lost(entry, "[cache] seconds is 1 to 600: the nearest is taken")
            self._table("cache")["seconds"] = min(600, max(1, seconds))

    def _other(self, name: str, section: Section) -> None:
        about, entries = self._about(section), counting(section.entries)
        if name in _READ or name in _WITHOUT_EFFECT:
            return
        if name == "anticasc":
            tell_of_rest(section, _ANTICASC, about)
        elif name == "streamrelay":
            for key in _STREAMRELAY:
                if number(_value(entries, key)):
                    about.lost(entries[key], EMULATION)
        elif name in _OTHER_SERVERS:
            listens = [entries[key] for key in _LISTENS if _value(entries, key) not in ("", "0")]
            if listens:
                about.lost(listens[0], NOT_SPOKEN)
        elif name == "monitor":
            if number(_value(entries, "port")):
                why = "this protocol is not spoken: use the web pages or telnet"
                about.lost(entries["port"], why)
        elif section.entries:
            about.whole(section.line, f"unknown section; {IGNORED_TOO}")


_READ: Final = frozenset({"global", "cccam", "newcamd", "dvbapi", "webif", "cache"})


def _value(entries: Mapping[str, Entry], key: str) -> str:
    entry = entries.get(key)
    return entry.value if entry is not None else ""


def _addresses(text: str) -> tuple[str, ...]:
    """The address of a text, if it is one."""
    try:
        parse_address(text)
    except NumberError:
        return ()
    return (text,)


def _networks(text: str) -> tuple[str, ...]:
    """The networks of an address or of a range `a-b`; none: it cannot be read."""
    first, _, last = (each.strip() for each in text.partition("-"))
    if not _addresses(first) or (last and not _addresses(last)):
        return ()
    try:
        begin, end = ip_address(first), ip_address(last or first)
        return tuple(str(each) for each in summarize_address_range(begin, end))
    except (TypeError, ValueError):
        return ()
