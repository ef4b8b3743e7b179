"""`cccamd explain`: asks the server, or the files when there is none."""

import json
import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import typer
from typer.testing import CliRunner, Result

from cccamd.cli.explain import explain
from cccamd.lab.ports import free_port
from cccamd.why import Explanation, as_json

app = typer.Typer()
app.command()(explain)

ANSWER = Explanation(
    account="anna",
    service="",
    at=0.0,
    live=True,
    summary="anna sees 1 of 2 cards",
    findings=(),
    sources=(),
    cards=(),
    cards_left_out=0,
    ecms=(),
)


def run(folder: Path, cfg: str, *arguments: str, toml: str = "", port: int | None = None) -> Result:
    path = folder / "CCcam.cfg"
    path.write_text(f"WEBINFO LISTEN PORT : {port or free_port()}\n{cfg}")
    (folder / "cccamd.toml").write_text(toml)
    return CliRunner().invoke(app, ["-C", str(path), *arguments])


@contextmanager
def answering(status: int, body: bytes) -> Iterator[tuple[int, list[str]]]:
    """A server that answers everything with this; what it was asked is in the list."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            login = self.headers.get("Authorization", "Basic ").partition(" ")[2]
            asked.append(f"{b64decode(login).decode()} {self.path}")
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port, asked
        finally:
            server.shutdown()
            thread.join()


def test_the_running_server_is_asked_with_its_login(tmp_path: Path) -> None:
    cfg = "WEBINFO USERNAME : web\nWEBINFO PASSWORD : page\n"
    with answering(200, json.dumps(as_json(ANSWER)).encode()) as (port, asked):
        arguments = ("anna", "--caid", "b00", "--provider", "030b00", "--sid", "1d80")
        found = run(tmp_path, cfg, *arguments, port=port)
        shown = json.loads(run(tmp_path, cfg, "anna", "--json", port=port).output)
    assert asked[0] == "web:page /api/explain?account=anna&caid=0B00&ident=030B00&sid=1D80"
    assert f"As the server at http://127.0.0.1:{port} sees it" in found.output
    assert "anna sees 1 of 2 cards" in found.output
    assert shown == json.loads(json.dumps(as_json(ANSWER)))


@pytest.mark.parametrize(("cfg", "asked_for"), [("", "address"), ("F: ::1 pw", "account")])
def test_an_address_is_asked_for_by_itself(tmp_path: Path, cfg: str, asked_for: str) -> None:
    with answering(200, json.dumps(as_json(ANSWER)).encode()) as (port, asked):
        run(tmp_path, cfg, "::1", port=port)
    assert parse_qs(urlsplit(asked[0]).query)[asked_for] == ["::1"]


def test_without_a_server_the_files_tell(tmp_path: Path) -> None:
    toml = '[[card]]\nkind = "test"\nname = "lab"\ncaid = "7F00"\n'
    found = run(tmp_path, "F: anna secret 5 0 1 { 0:0 }\n", "anna", toml=toml)
    assert found.exit_code == 1
    assert "This is what the files say" in found.output
    assert f"the limits {{ 0:0:0 }} of the F-line in line 2 of {tmp_path}" in found.output
    assert "anna sees none of 1 card: 1 kept back by limits" in found.output
    assert "secret" not in found.output
    assert run(tmp_path, "F: anna secret\n", "anna", toml=toml).exit_code == 0


def test_places_reach_the_person_who_asks(tmp_path: Path) -> None:
    toml = '[[card]]\nkind = "test"\nname = "lab"\ncaid = "7F00"\nsids = ["1D80"]\n'
    found = run(tmp_path, "F anna topsecret 1 0 0\n", "anna", toml=toml)
    assert f"line 2 of {tmp_path}/CCcam.cfg is not used: no ':' behind F" in found.output
    assert "topsecret" not in found.output
    cfg = "F: anna secret\nGLOBAL LIMITS = { 7f00:0:0 }\n"
    found = run(tmp_path, cfg, "anna", toml=toml)
    assert f"of GLOBAL LIMITS in line 3 of {tmp_path}/CCcam.cfg" in found.output
    found = run(tmp_path, "F: anna secret\n", "anna", "--caid", "7F00", "--sid", "1D81", toml=toml)
    assert f'[[card]] name "lab" in line 1 of {tmp_path}/cccamd.toml' in found.output


@pytest.mark.parametrize("line", ["C: a.example 12000 u p", f"N: a.example 15000 u p {'01' * 14}"])
def test_own_cards_only_is_said_also_without_a_server(tmp_path: Path, line: str) -> None:
    found = run(tmp_path, f"F: anna secret 0\n{line}\n", "anna")
    assert "lets anna see cards of our own only (hop 0), none of servers" in found.output
    assert "which cards it has is known to a running server only" in found.output


def test_another_program_on_the_port_does_not_mislead(tmp_path: Path) -> None:
    for status, body in ((200, b"<html>hello"), (200, b"{}"), (404, b""), (401, b"")):
        with answering(status, body) as (port, _):
            found = run(tmp_path, "F: anna secret\n", "anna", port=port)
        assert "This is what the files say" in found.output
        assert "Traceback" not in found.output


def test_files_with_which_no_server_starts(tmp_path: Path) -> None:
    found = run(tmp_path, "", "anna")
    assert found.exit_code == 1
    path = tmp_path / "CCcam.cfg"
    path.write_bytes("F: anna secret\n".encode("utf-16"))
    found = CliRunner().invoke(app, ["-C", str(path), "anna"])
    assert "the server does not start with these files" in found.output
    assert "E001" in found.output


def test_what_is_no_number_is_said(tmp_path: Path) -> None:
    found = run(tmp_path, "F: anna secret\n", "anna", "--caid", "12345")
    assert found.exit_code == 2
    assert "a CAID is up to 4 hex digits" in found.output
