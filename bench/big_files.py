"""How long `cccamd check` takes for files of 4 MB, each full of lines of one kind.

    .venv/bin/python bench/big_files.py [MEGABYTES]

Whole processes; what counts is their processor time, and what they hold of memory at most.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

Line = Callable[[int], str]

CCCAM_CFG: Final[dict[str, Line]] = {
    "F-lines": lambda n: f"F: user{n} secret{n}\n",
    "F-lines with groups": lambda n: (
        f"F: user{n} secret{n} 3 1 0 {{ 0100:000080:2, 0B00:000000:1 }} "
        "{ 0100:000080:15E0, 0100:000080:15E1 } { 09:00-17:00, 20:00-23:30 }\n"
    ),
    "C-lines": lambda n: f"C: host{n}.example 12000 user{n} secret{n} no {{ 0:0:2 }}\n",
    "N-lines": lambda n: (
        f"N: host{n}.example 15000 user{n} secret{n} 01 02 03 04 05 06 07 08 09 10 11 12 13 14\n"
    ),
    "F-lines, each with limits of its own": lambda n: (
        f"F: user{n} secret{n} 3 1 0 {{ 0100:{n % 65536:06x}:2, 0B00:{n // 7 % 65536:06x}:1 }}\n"
    ),
    "F-lines with odd blanks": lambda n: f"f:\tuser{n}\u00a0secret{n}  # of {n}\n",
    "F-lines with letters": lambda n: f"F: üser{n} sécret{n}\r\n",
    "C-lines, each of another form": lambda n: (
        f"C : host{n}.example 12000 user{n} secret{n} {'yes' if n % 2 else 'no'} "
        f"{{ 0:0:{n % 9}, 0100:{n % 65536:x}:1 }}\n"
    ),
    "nodes to ignore": lambda n: f"IGNORE NODE : {n:016x}\n",
    "old names of settings": lambda n: f"html info listen port = {n % 65535 + 1}\n",
    "settings with wrong values": lambda n: f"SERVER LISTEN PORT : port {n}\n",
    "settings without effect": lambda n: f"SMARTCARD SID ASSIGN : /dev/sci{n}\n",
    "settings without a colon": lambda n: f"SERVER LISTEN PORT {n}\n",
    "lines of CCcam.prio": lambda n: f"P: {n % 65535 + 1:x}\n",
    "lines of other protocols": lambda n: f"L: host{n}.example {n}\n",
    "lines without values": lambda n: "F:\n",
    "settings": lambda n: f"EXTRA EMM LEVEL : {'yes' if n % 2 else 'no'}\n",
    "the same F-line": lambda n: "F: anna secret\n",
    "the same C-line": lambda n: "C: host.example 12000 anna secret\n",
    "errors": lambda n: f"F: user{n} secret{n} 300\n",
    "unknown keys": lambda n: f"SOME KEY {n} : value\n",
    "not understood": lambda n: f"this line {n} says nothing\n",
    "remarks": lambda n: f"# user{n}\n",
}
COMPANIONS: Final[dict[str, Line]] = {
    "CCcam.providers": lambda n: f'{n:08x} "provider {n}"\n',
    "CCcam.channelinfo": lambda n: (
        f'{n % 65536:04x}:{n % 4096:06x}:{n % 65535:04x} "channel {n}"\n'
    ),
    "CCcam.prio": lambda n: f"P: {n % 65535 + 1:04x}:{n % 4096:06x}\n",
    "CCcam.prio, I-lines": lambda n: f"I: {n % 65535 + 1:04x}:{n % 4096:06x}, {n % 4099 + 1:x}\n",
    "CCcam.prio, orders": lambda n: (
        f"P: {', '.join(f'{n + 9 * i & 65535 or 1:x}' for i in range(99))}\n"
    ),
    "CCcam.prio, short entries": lambda n: f"I: {','.join('123456789abcdef' * 3)}\n",
    "CCcam.prio, errors": lambda n: f"P: what is {n}\n",
    "CCcam.providers, errors": lambda n: f"what is {n}\n",
    "CCcam.channelinfo, errors": lambda n: f"what is {n}\n",
    "CCcam.channelinfo, products": lambda n: (
        f'{",".join(f"{n + i & 65535:x}" for i in range(16))}:{",".join("123456789abcdef")}:1 "a"\n'
    ),
    "CCcam.channelinfo, the same": lambda n: '0100:000080:15e0 "channel"\n',
}
"""Each is read with a CCcam.cfg that names it."""
NAMED_BY: Final = {
    "CCcam.providers": "PROVIDERINFO FILE",
    "CCcam.channelinfo": "CHANNELINFO FILE",
    "CCcam.prio": "CAID PRIO FILE",
}
CCCAMD_TOML: Final[dict[str, Line]] = {
    "[[account]]": lambda n: f'[[account]]\nuser = "user{n}"\nlogins = 2\n',
    "[[upstream]]": lambda n: (
        f'[[upstream]]\nhost = "host{n}.example"\nport = 12000\nuser = "u"\ngroup = "g"\n'
    ),
    "[[newcamd]]": lambda n: f"[[newcamd]]\nport = {n % 65535 + 1}\n",
    "[[card]]": lambda n: f'[[card]]\nkind = "test"\ncaid = "0B00"\nname = "card {n}"\n',
    "[[account]] with rights": lambda n: (
        f'[[account]]\nuser = "user{n}"\npassword = "p"\ncaids = ["0500", "0B00"]\n'
        'services = ["news", "!late"]\ntimes = { ALL = ["18:00-23:30"] }  # at home\n'
    ),
    "[[account]] with wrong lists": lambda n: (
        f'[[account]]\nuser = "user{n}"\ngroups = [{"0," * 60}]\n'
    ),
    "[services.NAME] with long lists": lambda n: f"[services.list{n}]\nsids = [{'1,' * 9000}]\n",
    "[[card]] with providers": lambda n: (
        f'[[card]]\nkind = "test"\ncaid = 1702\nproviders = ["{n % 4096:06X}", 1_23456]\n'
    ),
    "[[card]] of no kind": lambda n: f'[[card]]\nkind = "no{n}"\ncaid = "0B00"\n',
    "[services.NAME]": lambda n: f'[services.list{n}]\nsids = ["{n % 65535 + 1:04X}"]\n',
    "a long list": lambda n: "[network]\nallow = [\n" if not n else f'  "10.{n % 256}.0.0/16",\n',
    "a long list of errors": lambda n: "[network]\nallow = [\n" if not n else f'  "10.{n}",\n',
    "a list of lists": lambda n: "[network]\nallow = [\n" if not n else "[[[[[]]]]],\n",
    "a list of tables": lambda n: (
        "account = [\n" if not n else f'{{ user = "user{n}", logins = 2 }},\n'
    ),
    "the same [[account]]": lambda n: '[[account]]\nuser = "anna"\nlogins = 2\n',
    "errors": lambda n: f"[[account]]\nuser = {n}\nlogin = 2\n",
    "unknown tables": lambda n: f"[table{n}]\n",
    "deep tables": lambda n: f"[a.b.c.d.e.f.g.h.table{n}]\n",
    "unknown keys": lambda n: "[server]\n" if not n else f"key{n} = {n}\n",
    "keys of no table": lambda n: f"key{n} = {n}\n",
    "dotted keys": lambda n: f"server.a.b.c.key{n} = {n}\n",
    "quoted keys": lambda n: "[server]\n" if not n else f'\'key {n}\' = """\n{n}"""\n',
    "remarks": lambda n: f"# user{n}\n",
    "an error far down": lambda n: f"[[account]]\nuser = {'' if n == 120_000 else n}\n",
}


def text_of(line: Line, size: int) -> str:
    """So many bytes of such lines."""
    lines, length, number = [], 0, 0
    while length < size - 200:
        lines.append(line(number))
        length += len(lines[-1].encode())
        number += 1
    return "".join(lines) + ("]\n" if lines[0].endswith("[\n") else "")


def check(path: Path) -> tuple[float, float]:
    """Seconds of processor that a check takes, and MiB of memory at most."""
    child = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "cccamd", "check", str(path)],
        {**os.environ},
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
    _, _, used = os.wait4(child, 0)
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    """Print a row for each kind of file."""
    size = int(1_000_000 * float(sys.argv[1] if len(sys.argv) > 1 else "4"))
    print(f"{'file of ' + format(size, ',') + ' bytes':40} {'processor':>10} {'memory':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for name, kinds in {"CCcam.cfg": CCCAM_CFG, "cccamd.toml": CCCAMD_TOML}.items():
            for kind, line in kinds.items():
                path = Path(folder) / name
                path.write_text(text_of(line, size))
                seconds, memory = check(path)
                print(f"{name + ', ' + kind:40} {seconds:8.2f} s {memory:6.0f} MiB")
        for name, line in COMPANIONS.items():
            kind = name.split(",")[0]
            path, config = Path(folder) / kind, Path(folder) / "CCcam.cfg"
            path.write_text(text_of(line, size))
            config.write_text(f"{NAMED_BY[kind]} : {path}\n")
            seconds, memory = check(config)
            print(f"{name:40} {seconds:8.2f} s {memory:6.0f} MiB")


if __name__ == "__main__":
    main()
