"""The logs of real daemons, as operators read and join them."""

from __future__ import annotations

import http.client
import json
import os
import signal
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.api_client import ApiClient
from tests.support.daemons import OUR_SERVER, ROOT_CA, free_port, running, serving
from tests.support.forge import Collection, multipart
from tests.support.log_lines import lines_of, read_logfmt
from tests.support.pairs import Pair, run_pair

pytestmark = pytest.mark.integration

SAMPLE = Path(__file__).parents[2] / "conf" / "server-mysql.json"
GUN = "registry.example.com/logs"
ID = "http.request.id"
SECONDS = 30.0
OVERRIDES = {
    "NOTARY_SERVER_TRUST_SERVICE_TYPE": "local",
    "NOTARY_SERVER_STORAGE_BACKEND": "memory",
    "NOTARY_SERVER_LOGGING_LEVEL": "debug",
}


def until(found: Callable[[], Any]) -> Any:
    """What is found, once there is something."""
    deadline = time.monotonic() + SECONDS
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return value


class TestTheSampleConfiguration:
    def test_overridden_it_serves_and_says_so(self, tmp_path: Path) -> None:
        port = free_port()
        environment = {**OVERRIDES, "NOTARY_SERVER_SERVER_HTTP_ADDR": f"127.0.0.1:{port}"}
        command: list[str | Path] = [OUR_SERVER, f"-config={SAMPLE}", "-logf=json"]
        with serving(command, port, tmp_path, environment) as server:
            lines = lines_of(server.log)
        version, *messages = (line["msg"] for line in lines if line["level"] == "info")
        assert version.startswith("Version: ")
        expected = [
            "Using local signing service",
            "Using memory backend",
            "Starting Server",
            "Enabling TLS",
            f"Starting on 127.0.0.1:{port}",
            "response completed",
        ]
        assert [message for message in messages if message in expected] == expected

    def test_a_section_cannot_be_overridden_as_a_whole(self, tmp_path: Path) -> None:
        variable = "NOTARY_SERVER_STORAGE"
        done = subprocess.run(
            [OUR_SERVER, f"-config={SAMPLE}", "-logf=json"],
            env={**os.environ, variable: '{"storage":{"backend":"memory"}}'},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 1
        assert variable in done.stderr
        assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with run_pair(tmp_path_factory.mktemp("logs")) as pair:
        yield pair


def publish(pair: Pair, request_id: str) -> None:
    """Make a collection, all of it under one ID."""
    with closing(ApiClient(pair.server.port)) as client:
        keys = [
            json.loads(client.get(GUN, f"{role}.key").body) for role in ("timestamp", "snapshot")
        ]
    content_type, body = multipart(Collection(GUN, *keys).first())
    context = ssl.create_default_context(cafile=ROOT_CA)
    connection = http.client.HTTPSConnection("localhost", pair.server.port, context=context)
    with closing(connection):
        headers = {"Content-Type": content_type, "X-Request-ID": request_id}
        connection.request("POST", f"/v2/{GUN}/_trust/tuf/", body, headers)
        response = connection.getresponse()
        assert (response.status, response.headers["X-Request-ID"]) == (200, request_id)


def two_lines(log: Path, request_id: str) -> list[dict[str, Any]]:
    """The lines about a request; the client may have its answer before they are written."""

    def found() -> list[dict[str, Any]] | None:
        lines = [line for line in lines_of(log) if line.get(ID) == request_id]
        return lines if len(lines) >= 2 else None

    lines: list[dict[str, Any]] = until(found)
    return lines


def test_one_publish_has_one_id_in_both_logs(pair: Pair) -> None:
    publish(pair, "publish-of-logs-1")
    stored, answered = two_lines(pair.server.log, "publish-of-logs-1")
    signatures = two_lines(pair.signer.log, "publish-of-logs-1")
    assert stored["msg"].startswith(f"updated {GUN} to timestamp version 1")
    assert (answered["msg"], answered["http.response.status"]) == ("response completed", 200)
    assert [line["role"] for line in signatures] == ["snapshot", "timestamp"]
    for line in signatures:
        assert (line["call.name"], line["call.result"], line["gun"]) == ("sign", "OK", GUN)
        assert line["msg"].startswith(f"signed {line['role']} of {GUN} with the key ")
        assert "CN=" in line["tls.client.subject"]
        assert line["call.remoteaddr"].startswith("127.0.0.1:")
    others = [line for line in lines_of(pair.signer.log) if line.get("call.name") == "create_key"]
    assert len({line[ID] for line in others}) == 2


def test_signals_change_the_level(pair: Pair) -> None:
    for daemon in (pair.server, pair.signer):
        said = {
            number: f"the log level is {level} from now on"
            for number, level in ((signal.SIGUSR1, "debug"), (signal.SIGUSR2, "info"))
        }
        for number, text in said.items():
            os.kill(daemon.pid, number)
            until(lambda daemon=daemon, text=text: text in daemon.log.read_text())  # type: ignore[misc]


def test_twistd_with_a_log_file_has_its_signals_too(tmp_path: Path) -> None:
    """`twistd` would rotate a log of its own at SIGUSR1."""
    port, log = free_port(), tmp_path / "notary.log"
    config = tmp_path / "server.json"
    config.write_text(
        json.dumps(
            {
                "server": {"http_addr": f"127.0.0.1:{port}"},
                "trust_service": {"type": "local"},
                "storage": {"backend": "memory"},
                "logging": {"level": "fatal"},
            }
        )
    )
    command: list[str | Path] = [
        OUR_SERVER.with_name("twistd"),
        *("--nodaemon", "--pidfile=", f"--logfile={log}"),
        *("notary-server", f"--config={config}", "--logf=logfmt"),
    ]

    def answers() -> bool:
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=2)) as connection:
                connection.request("GET", "/v2/")
                return connection.getresponse().status == http.HTTPStatus.OK
        except (ConnectionError, TimeoutError):
            return False

    with running(command, tmp_path / "out", answers) as pid:
        os.kill(pid, signal.SIGUSR1)
        until(log.read_text)
    assert [dict(read_logfmt(line))["msg"] for line in log.read_text().splitlines()] == [
        "the log level is error from now on"
    ]
    assert list(tmp_path.glob("notary.log.*")) == []


def test_the_journal_gets_priorities(tmp_path: Path) -> None:
    """Standard error is a file here, which the variable names as systemd would."""
    (log := tmp_path / "server.log").touch()
    status = log.stat()
    port = free_port()
    environment = {
        **OVERRIDES,
        "NOTARY_SERVER_SERVER_HTTP_ADDR": f"127.0.0.1:{port}",
        "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}",
    }
    with serving([OUR_SERVER, f"-config={SAMPLE}"], port, tmp_path, environment) as server:
        lines = server.log.read_text().splitlines()
    assert {line[:3] for line in lines} >= {"<6>"}
    for line in lines:
        assert line[0] + line[2] == "<>"
        assert "time" not in json.loads(line[3:])
