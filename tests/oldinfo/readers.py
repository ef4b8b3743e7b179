"""The tools that read the old pages, boiled down to how each of them parses.

Every reader takes a whole document, as its tool does, and fails where its tool fails.
"""

import re
from dataclasses import dataclass, field


class Vix:
    """The Enigma2 plugin "CCcam Info", in its strictest version of each step (v1.3c to V3)."""

    @staticmethod
    def version(document: str) -> str:
        begin = document.index("Welcome to CCcam") + 17
        return document[begin : document.index(" ", begin)]

    @staticmethod
    def home(document: str) -> list[str]:
        begin = document.index("<BR><BR>") + 8
        return document[begin : document.index("<BR></BODY>", begin)].split("<BR>")

    @staticmethod
    def available_shares(document: str) -> int:
        begin = document.index("Available shares") + 18
        return int(document[begin : document.index("\n", begin)])

    @staticmethod
    def rows(document: str, *, more_than: int) -> list[list[str]]:
        """All lines with a `|` but the document's first; blanks inside cells are deleted."""
        lines = [line for line in document.split("\n") if "|" in line][1:]
        pieces = [[piece.replace(" ", "") for piece in line.split("|")] for line in lines]
        return [row[1:-1] for row in pieces if len(row) > more_than]

    @staticmethod
    def hops(document: str) -> list[tuple[int, int]]:
        """Version v1.3c wants at least two blanks between the two numbers."""
        lines = [line for line in document.split("\n") if line.count("|") > 7]
        found = []
        for line in lines:
            if line.split("|")[1].strip() in ("", "Host"):
                continue
            cell = line.split("|")[6]
            up, down = cell[: cell.index("  ")], cell[cell.index("  ") :]
            found.append((int(up), int(down)))
        return found

    @staticmethod
    def entitlements(document: str) -> str:
        begin = document.index("<PRE>") + 5
        return document[begin : document.index("</PRE>")].replace("\n\n", "\n")


@dataclass
class Ts2Server:
    """What ts2 keeps of one server."""

    connected: str
    cards: str
    idents: list[str] = field(default_factory=list)


class Ts2:
    """CCcamOscamInfo, the strictest of all."""

    @staticmethod
    def heading(document: str) -> str:
        begin = document.index("Welcome")
        end = document.index("server")
        assert document.endswith("</BODY></HTML>")
        return document[begin : end + 6]

    @staticmethod
    def home(document: str) -> list[str]:
        begin = document.index("Current") - 8
        text = document[begin : document.index("</BODY></HTML>")]
        assert text.startswith("<BR><BR>")
        return [line for line in text.split("<BR>") if line]

    @classmethod
    def clients(cls, document: str) -> tuple[dict[str, list[str]], list[tuple[str, str, str]]]:
        """The clients by name, and each share with its user; the second table must be there."""
        cls.heading(document)
        first, _, second = document.partition("| Shareinfo")
        assert second, "no second table: the whole page fails"
        rows = (line.split("|") for line in first.split("\n"))
        clients = {row[1].strip(): cls._cells(row) for row in rows if len(row) > 8}
        clients = {name: cells for name, cells in clients.items() if cells[1] != "Host"}
        return clients, cls._shares(second)

    @staticmethod
    def _shares(text: str) -> list[tuple[str, str, str]]:
        user = ""
        shares = []
        for line in text.split("\n"):
            pieces = line.split("|")
            if len(pieces) != 4:
                continue
            user = pieces[1].strip() or user
            kind, ident, counts = pieces[2].strip().split(" ")
            shares.append((user, f"{kind} {ident}", counts))
        return shares

    @staticmethod
    def _cells(row: list[str]) -> list[str]:
        """Cells are joined with commas, and split again."""
        cells = ",".join(piece.strip() for piece in row[1:-1]).split(",")
        assert len(cells) == len(row) - 2, "a comma in a cell"
        return cells

    @staticmethod
    def servers(document: str) -> dict[str, Ts2Server]:
        servers: dict[str, Ts2Server] = {}
        last = ""
        for line in document.split("\n"):
            row = [piece.strip() for piece in line.split("|")]
            if len(row) <= 8 or row[1] == "Host":
                continue
            if row[1]:
                last = row[1]
                servers[last] = Ts2Server(connected=row[2], cards=row[6])
            if row[7]:
                servers[last].idents.append(row[7])
        return servers

    @staticmethod
    def shares(document: str, servers: dict[str, Ts2Server]) -> dict[str, int]:
        """How many cards each host has; our own under an empty name."""
        counts = {"": 0} | dict.fromkeys(servers, 0)
        for line in document.split("\n"):
            row = line.split("|")
            if len(row) != 9 or row[6].startswith(("Uphops", "Maxdown")):
                continue
            up, down = row[6].split("   ", 1)
            int(down)
            counts["" if int(up) == 0 else row[1].strip()] += 1
        return counts

    @staticmethod
    def providers(providers: str, shares: str) -> dict[tuple[str, str], tuple[str, int]]:
        """Name, and number of shares, of each CAID and provider; texts of both are compared."""
        found = {}
        for line in providers.split("\n"):
            row = [piece.strip() for piece in line.split("|")]
            if len(row) == 6 and row[1] != "Caid":
                found[row[1], row[2] or "0"] = (row[3], 0)
        for line in shares.split("\n"):
            row = [piece.strip() for piece in line.split("|")]
            if len(row) != 9 or row[3] in ("Caid", ""):
                continue
            for ident in row[5].split(",") if row[5] else ():
                name, count = found[row[3], ident]
                found[row[3], ident] = (name, count + 1)
        return found

    @staticmethod
    def readers(document: str) -> list[str]:
        """The names of card readers; the first `card` of the document is that of one."""
        begin = document.find("card")
        assert begin == document.find("card reader ")
        lines = document.split("\n")
        assert document.count("card reader ") == sum(
            line.startswith("card reader ") for line in lines
        )
        return [line[12:] for line in lines if line.startswith("card reader ")]


class Php:
    """CCcamInfoPHP v1.01 and r257."""

    @staticmethod
    def lines(document: str) -> list[str]:
        """What is left behind the last H2, without any tags but BR and H2."""
        begin = [found.start() for found in re.finditer("<h2>", document, re.IGNORECASE)][-1]
        text = re.sub(r"<(?!/?(?:BR|H2)\b)[^>]*>", "", document[begin:], flags=re.IGNORECASE)
        return text.split("\n")

    @classmethod
    def heading(cls, document: str) -> str:
        pieces = cls.lines(document)[0].split("H2>")
        piece = next(piece for piece in pieces if "Welcome to CCcam" in piece)
        assert piece.endswith("</")
        return piece[:-2]

    @classmethod
    def home(cls, document: str) -> dict[str, str]:
        found = {}
        for line in "\n".join(cls.lines(document)).split("<BR>"):
            words = line.split(" ")
            if line.startswith("Current time"):
                found["time"] = words[2]
            elif line.startswith("Uptime"):
                days, clock = words[1], words[2]
                found["uptime"] = f"{days} {clock}"
            elif ":" in line:
                label, value = line.split(":")
                found[label.strip()] = value.strip()
        return found

    @classmethod
    def table(cls, document: str) -> list[str]:
        lines = cls.lines(document)
        assert len(lines) >= 6, "too short: an error instead of the page"
        return lines

    @classmethod
    def clients(cls, document: str) -> dict[str, dict[str, float]]:
        """Numbers of each client, per hour where the tool shows that."""
        found = {}
        for line in cls.table(document):
            if "| Shareinfo" in line:
                break
            if line.startswith("|") and not line.startswith("| U"):
                row = [cell.strip() for cell in line.split("|")[1:-1]]
                asked, answered = row[4].split("(")
                connected = cls.seconds(row[2])
                found[row[0]] = {
                    "ecms": int(asked),
                    "answered": int(answered.split(")")[0]),
                    "per_hour": int(asked) * 3600 / connected,
                    "idle": cls.seconds(row[3]),
                    "good": not row[7] or row[7].split(" ")[-1] == "(ok)",
                }
        return found

    @staticmethod
    def seconds(text: str) -> int:
        days, clock = text.split("d ")
        hours, minutes, seconds = clock.split(":")
        return int(days) * 86_400 + int(hours) * 3600 + int(minutes) * 60 + int(seconds)

    @classmethod
    def shareinfo(cls, document: str) -> dict[str, dict[str, tuple[int, int]]]:
        _, _, rest = document.partition("| Shareinfo")
        user = ""
        found: dict[str, dict[str, tuple[int, int]]] = {}
        for line in rest.split("\n")[1:]:
            if line.startswith("|"):
                row = line.split("|")
                user = row[1].strip() or user
                _, ident, counts = row[2].strip().split(" ")
                asked, answered = counts.split("(")
                numbers = int(asked), int(answered.rstrip(")"))
                found.setdefault(user, {})[ident] = numbers
        return found

    @classmethod
    def servers(cls, document: str) -> dict[str, dict[str, list[str]]]:
        """The idents of each host, grouped by kind; rows without a host add to the last."""
        found: dict[str, dict[str, list[str]]] = {}
        host = ""
        for line in cls.table(document):
            if not line.startswith("|") or line.startswith("| H"):
                continue
            row = [cell.strip() for cell in line.split("|")[1:-1]]
            host = row[0] or host
            groups = found.setdefault(host, {})
            if row[6]:
                kind, ident, _ = row[6].split(" ")
                groups.setdefault(kind, []).append(ident)
        return found

    @classmethod
    def shares(cls, document: str) -> list[tuple[str, str, str]]:
        """Host, hops, and the card's own node, which is the last one's text before the `_`."""
        found = []
        for line in cls.table(document):
            if line.startswith("|") and line[1] != " ":
                row = [cell.strip() for cell in line.split("|")[1:-1]]
                up, _ = row[5].split("   ")
                found.append((row[0], up, row[6].split(",")[-1].split("_")[0]))
        return found

    @classmethod
    def handled(cls, document: str) -> int:
        total = 0
        for line in cls.lines(document):
            if "handled " in line:
                asked, answered = line.split(" ")[1].split("(")
                total += int(asked)
                int(answered.rstrip(")"))
        return total


class BlackHole:
    """The image's reader (DeliteCCc)."""

    @staticmethod
    def rows(document: str, *, heading: str) -> list[list[str]]:
        """From the heading on, one line left out, up to the next line that begins with `+`."""
        lines = iter(document.split("\n"))
        for line in lines:
            if heading in line:
                break
        else:
            raise AssertionError(f"no heading with {heading}")
        assert next(lines).startswith("+")
        rows: list[list[str]] = []
        for line in lines:
            if line.startswith("+"):
                return rows
            assert line.startswith("|")
            rows.append([cell.strip() for cell in line.split("|")[1:-1]])
        raise AssertionError("the table does not end")

    @staticmethod
    def connected(document: str) -> int:
        line = next(line for line in document.split("\n") if "Connected clients:" in line)
        return int(line.split(":")[1])

    @staticmethod
    def active(document: str) -> int:
        line = next(line for line in document.split("\n") if "20 SECONDS" in line)
        return int(line.split(" ")[0])


class Panel:
    """CCCamPanel: active clients into a database."""

    @staticmethod
    def clients(document: str) -> list[str]:
        rows = (line.split("|") for line in document.split("\n") if line.startswith("|"))
        names = (row[1].strip() for row in rows if len(row) > 5)
        return [name for name in names if name != "Username"]
