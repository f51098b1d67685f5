"""A real Prometheus watches a real pair: every panel has data, every alert can be asked."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import attrs
import pytest

from tests.support.api_client import ApiClient
from tests.support.daemons import find_program, free_port
from tests.support.forge import Collection
from tests.support.pairs import Pair, plan_pair
from tests.support.prometheus import (
    ALERTS,
    Prometheus,
    Question,
    alerts,
    panels,
    prometheus,
)

pytestmark = pytest.mark.integration

SECONDS = 60
RULE_TESTS = Path(__file__).with_name("alerts.yml")
GUN = "example.com/watched"
OF_THE_REFERENCE = {
    "notary_server_http_request_duration_microseconds",
    "notary_server_http_request_duration_seconds",
}
"""Names that promtool would rather have otherwise, because one of them is the reference's."""


@attrs.frozen
class Watched:
    """A pair, and the Prometheus that watches it."""

    pair: Pair
    metrics_port: int
    prometheus: Prometheus

    @property
    def server_metrics(self) -> str:
        with closing(ApiClient(self.pair.server.port)) as client:
            return client.ask("GET", "/metrics").body.decode()

    @property
    def signer_metrics(self) -> str:
        return self.signer_page("/metrics")

    def signer_page(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}{path}") as answer:
            body: bytes = answer.read()
        return body.decode()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    directory = tmp_path_factory.mktemp("watched")
    find_program("prometheus", "prometheus")
    plan = plan_pair(directory)
    plan.signer["server"]["metrics_addr"] = f"127.0.0.1:{(port := free_port())}"
    with plan.run() as pair:
        send_traffic(pair, GUN)
        with prometheus(directory, pair.server.port, port) as running:
            yield Watched(pair, port, running)


def send_traffic(pair: Pair, gun: str) -> None:
    """Publish a collection and read it, and what is not there."""
    with closing(ApiClient(pair.server.port)) as client:
        keys = [
            json.loads(client.get(gun, f"{role}.key").body) for role in ("timestamp", "snapshot")
        ]
        assert client.publish(gun, Collection(gun, *keys).first()).status == 200
        for name in ("root.json", "targets.json", "snapshot.json", "timestamp.json", "1.root.json"):
            assert client.get(gun, name).status == 200
        assert client.get(gun, "targets/nobody.json").status == 404


def series(watched: Watched, question: Question) -> list[str]:
    """What a panel shows, as text."""
    lines = []
    for found in watched.prometheus.ask(question.expression):
        labels = defaultdict(str, found["metric"])
        legend = question.legend.replace("{{", "{").replace("}}", "}").format_map(labels)
        lines.append(f"{legend}: {found['value'][1]}")
    return lines


def test_every_panel_has_data(watched: Watched) -> None:
    deadline = time.monotonic() + SECONDS
    shown: dict[str, list[str]] = {}
    asked = panels()
    for number in count():
        send_traffic(watched.pair, f"{GUN}/{number}")
        shown = {f"{each.title} | {each.expression}": series(watched, each) for each in asked}
        if all(shown.values()) or time.monotonic() > deadline:
            break
        time.sleep(1)
    for title, lines in shown.items():
        print(title.split(" | ")[0], *(f"    {line}" for line in lines), sep="\n")
    assert [title for title, lines in shown.items() if not lines] == []


def test_every_alert_can_be_asked_and_none_is_raised_where_all_is_well(watched: Watched) -> None:
    raised = {each.title: watched.prometheus.ask(each.expression) for each in alerts()}
    assert {name for name, found in raised.items() if found} == set()


@pytest.mark.parametrize("daemon", ["server", "signer"])
def test_promtool_finds_the_metrics_well_made(watched: Watched, daemon: str) -> None:
    text: str = getattr(watched, f"{daemon}_metrics")
    done = subprocess.run(
        [find_program("promtool", "prometheus"), "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
    )
    complaints = {line.split()[0] for line in done.stderr.splitlines() if line.strip()}
    assert complaints <= OF_THE_REFERENCE, done.stderr


def test_the_signer_shows_its_pages_and_nothing_else(watched: Watched) -> None:
    for page in ("health", "live", "ready"):
        assert watched.signer_page(f"/_notary_signer/{page}") == "{}"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        watched.signer_page("/")


def test_alert_rules() -> None:
    promtool = find_program("promtool", "prometheus")
    subprocess.run([promtool, "check", "rules", ALERTS], check=True, timeout=60)
    done = subprocess.run(
        [promtool, "test", "rules", RULE_TESTS], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
