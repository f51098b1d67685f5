"""The daemons' command lines, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from notary import __version__
from notary.command import twistd_arguments
from notary.server.main import main as server_main
from notary.signer.main import main as signer_main

SWITCHES = {"debug": "look inside", "bootstrap": "make the tables"}


def parse(arguments: list[str]) -> list[str]:
    return twistd_arguments("notary-server", "The server.", SWITCHES, arguments)


@pytest.mark.parametrize("dashes", ["-", "--"])
def test_flags_of_the_original(dashes: str) -> None:
    given = [f"{dashes}config=F", f"{dashes}logf=logfmt", f"{dashes}debug"]
    assert parse([*given, f"{dashes}bootstrap"]) == [
        "--nodaemon",
        "--pidfile=",
        "notary-server",
        "--config=F",
        "--logf=logfmt",
        "--debug",
        "--bootstrap",
    ]


def test_defaults() -> None:
    assert parse(["-config", "F"])[3:] == ["--config=F", "--logf=json"]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["-debug=true", "-bootstrap=1"], ["--debug", "--bootstrap"]),
        (["-debug=false", "-bootstrap=F"], []),
        (["-debug", "-logf=json"], ["--debug"]),
    ],
)
def test_switches_may_have_a_value(flags: list[str], expected: list[str]) -> None:
    assert parse(["-config=F", *flags])[5:] == expected


def test_odd_file_names() -> None:
    assert parse(["-config=--bootstrap"])[3] == "--config=--bootstrap"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "-config"),
        (["-config=F", "-logf=xml"], "invalid choice: 'xml'"),
        (["-config=F", "-debug=perhaps"], "invalid flag value: 'perhaps'"),
        (["-config=F", "-other"], "unrecognized arguments: -other"),
        (["-config=F", "more"], "unrecognized arguments: more"),
    ],
)
def test_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(["-version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"notary-server {__version__}\n"


@pytest.mark.parametrize("main", [server_main, signer_main])
def test_hands_over_to_twistd(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], main: Callable[[], None]
) -> None:
    monkeypatch.setattr("sys.argv", ["notary", "-config=/nowhere/daemon.json"])
    with pytest.raises(SystemExit, match=r"/nowhere/daemon\.json: cannot be read"):
        main()
    assert capsys.readouterr().out == ""
