"""A Prometheus of our own, and what our dashboard and alerts ask it."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import yaml

from tests.support.daemons import ROOT_CA, find_program, free_port, running

CONF = Path(__file__).parent.parent.parent / "conf"
DASHBOARD = CONF / "grafana-dashboard.json"
ALERTS = CONF / "prometheus-alerts.yml"

WINDOW = "20s"


@attrs.frozen
class Question:
    """An expression of the dashboard or the alerts.

    Attributes:
        title: of the panel, or the name of the alert.
        expression: in PromQL, with Grafana's variables filled in.
        legend: of the panel's lines; empty for an alert.
    """

    title: str
    expression: str
    legend: str = ""


def panels() -> list[Question]:
    """What the dashboard asks."""
    filled_in = {"$__rate_interval": WINDOW, "$job": ".*", "$instance": ".*"}
    questions = []
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"]
            for variable, value in filled_in.items():
                expression = expression.replace(variable, value)
            questions.append(Question(panel["title"], expression, target["legendFormat"]))
    return questions


def alerts() -> list[Question]:
    """What the alert rules ask."""
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    return [Question(rule["alert"], rule["expr"]) for rule in group["rules"]]


@attrs.frozen
class Prometheus:
    """A running Prometheus.

    Attributes:
        port: where it answers.
    """

    port: int

    def ask(self, expression: str) -> list[Mapping[str, Any]]:
        """The series that an expression has now.

        Raises:
            ValueError: Prometheus cannot evaluate it.
        """
        query = urllib.parse.urlencode({"query": expression})
        url = f"http://127.0.0.1:{self.port}/api/v1/query?{query}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                result: list[Mapping[str, Any]] = json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            raise ValueError(f"{expression}: {error.read().decode()}") from error
        return result


@contextmanager
def prometheus(directory: Path, server_port: int, signer_port: int) -> Iterator[Prometheus]:
    """Run a Prometheus that watches a pair, each second, until the block ends."""
    program = find_program("prometheus", "prometheus")
    port = free_port()
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ALERTS)],
        "scrape_configs": [
            {
                "job_name": "notary-server",
                "scheme": "https",
                "tls_config": {"ca_file": str(ROOT_CA)},
                "static_configs": [{"targets": [f"localhost:{server_port}"]}],
            },
            {
                "job_name": "notary-signer",
                "static_configs": [{"targets": [f"127.0.0.1:{signer_port}"]}],
            },
        ],
    }
    path = directory / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    command = [
        program,
        f"--config.file={path}",
        f"--storage.tsdb.path={directory / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with running(command, directory / "prometheus.log", lambda: _is_ready(port)):
        yield Prometheus(port)


def _is_ready(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=2).close()
    except OSError:
        return False
    return True
