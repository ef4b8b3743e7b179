"""OSCam's keys, by what a move makes of them; for `oscam_meaning`.

Who is in none of these tables is a key that OSCam does not know.
"""

CARRIED = {
    (section, key)
    for section, keys in {
        "global": "logfile clienttimeout serverip failbantime failbancount disablecrccws",
        "cccam": "port serverip version reshare",
        "newcamd": "port key serverip allowed mgclient",
        "dvbapi": "enabled listen_port serverip user",
        "webif": "httpport httpuser httppwd httpallowed",
        "cache": "max_time",
        "account": "user pwd disabled expdate group caid ident services au hostname"
        " allowedtimeframe allowedprotocols max_connections uniq cccmaxhops cccreshare",
        "reader": "label enable protocol device user password key cccversion cccmaxhops cccmindown"
        " cccreshare cccwantemu ccchop group caid ident services fallback audisabled blockemm-u"
        " blockemm-s blockemm-g blockemm-unknown",
    }.items()
    for key in keys.split()
}
_QUIET = {
    "global": "block_same_.* dropdups preferlocalcards nice netprio maxlogsize loghistorylines"
    " pidfile usrfile usrfileflag disableuserfile mailfile disablemail cwlogdir emmlogdir ecmfmt"
    " disablelog logduplicatelines sysloghost syslogport initial_debuglevel waitforcards.*"
    " readerrestartseconds reload_.* resolvegethostbyname bindwait sleep unlockparental"
    " suppresscmd08 getblockemmauprovid lb_(?!auto_betatunnel).*",
    "cccam": "minimizecards updateinterval keepconnected recv_timeout",
    "newcamd": "keepalive",
    "dvbapi": "au pmt_mode request_mode delayer ecminfo_.* read_sdt write_sdt_prov boxtype"
    " extended_cw_api services ignore",
    "webif": "httpreadonly http.*(css|tpl|script|refresh|show|hide|piconsize|cert|locale).*"
    " httphelplang aulow hideclient_to",
    "cache": "max_hit_time cacheexenablestats",
    "anticasc": "",
    "streamrelay": "",
    "lcd": ".*",
    "account": "emmreassembly keepalive sleepsend monlevel suppresscmd08 description"
    " preferlocalcards lb_.* no_wait_time disablecrccacheex.* cwc_disable",
    "reader": "ccckeepalive keepalive cccreconnect inactivitytimeout reconnecttimeout"
    " reconnectdelay connectoninit disableserverfilter ipv4force description"
    " lb_(weight|force_fallback) saveemm-.* emmcache dropbadcws",
}
QUIET = {section: words.split() for section, words in _QUIET.items()}
FOREIGN = frozenset(
    (
        "cs357x",
        "cs378x",
        "camd33",
        "camd35",
        "radegast",
        "scam",
        "gbox",
        "pandora",
        "serial",
        "monitor",
    )
)
"""Sections of protocols that are not spoken: they are told when a port or a device is set."""
_DEFAULTS = {
    "global": {"fallbacktimeout": "2500", "clientmaxidle": "120", "lb_auto_betatunnel": "0"},
    "cccam": {"reshare_mode": "4"},
    "account": {"umaxidle": "-1", "cccignorereshare": "-1", "cccstealth": "-1"},
}


def defaults_of(section: str, key: str) -> str:
    """The value of a key that says nothing."""
    return _DEFAULTS.get(section, {}).get(key, "0")
