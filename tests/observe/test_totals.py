"""Metrics of several processes become those of one daemon."""

from __future__ import annotations

import json

from prometheus_client import CollectorRegistry

from notary.observe.metrics import RequestMetrics
from notary.observe.registry import DaemonMetrics
from notary.observe.tallies import Reading
from notary.observe.totals import Snapshot, Totals, snapshot


def requests(*codes: int) -> Snapshot:
    registry = CollectorRegistry()
    metrics = RequestMetrics(registry, ["GetRole"])
    metrics.in_flight = 1
    for code in codes:
        metrics.observe("GetRole", "GET", code, 0.002, 1, 10)
    return as_sent(registry)


def gauges(**values: float) -> Snapshot:
    registry = CollectorRegistry()
    for name, value in values.items():
        Reading(registry, name, "A gauge.", lambda value=value: value)  # type: ignore[misc]
    return as_sent(registry)


def as_sent(registry: CollectorRegistry) -> Snapshot:
    sent: Snapshot = json.loads(json.dumps(snapshot(registry)))
    return sent


def lines(totals: Totals, *running: Snapshot) -> set[str]:
    return set(totals.text(running).decode().splitlines())


def test_counters_and_histograms_are_added() -> None:
    found = lines(Totals(), requests(200, 200), requests(200, 404))
    name = "notary_server_http_request"
    assert {
        f'{name}s_total{{code="200",method="get",operation="GetRole"}} 3.0',
        f'{name}s_total{{code="404",method="get",operation="GetRole"}} 1.0',
        f'{name}_duration_seconds_bucket{{le="0.001",operation="GetRole"}} 0.0',
        f'{name}_duration_seconds_bucket{{le="0.0025",operation="GetRole"}} 4.0',
        f'{name}_duration_seconds_bucket{{le="+Inf",operation="GetRole"}} 4.0',
        f'{name}_duration_seconds_count{{operation="GetRole"}} 4.0',
        f'{name}_size_bytes_sum{{operation="GetRole"}} 4.0',
        f"{name}s_in_flight 2.0",
        f"# TYPE {name}s_total counter",
        f"# TYPE {name}_duration_seconds histogram",
        f"# HELP {name}s_in_flight Requests being worked upon.",
    } <= found


def test_what_the_dead_have_counted_stays_and_what_they_had_goes() -> None:
    totals = Totals()
    totals.keep(requests(200, 404))
    totals.keep(requests(200))
    found = lines(totals, requests(200))
    name = "notary_server_http_request"
    assert f'{name}s_total{{code="200",method="get",operation="GetRole"}} 3.0' in found
    assert f'{name}s_total{{code="404",method="get",operation="GetRole"}} 1.0' in found
    assert f"{name}s_in_flight 1.0" in found


def test_some_gauges_are_not_added() -> None:
    one = gauges(
        a_ready=1, a_certificate_expiry_timestamp_seconds=9, process_start_time_seconds=5, a_bytes=2
    )
    other = gauges(
        a_ready=0, a_certificate_expiry_timestamp_seconds=8, process_start_time_seconds=7, a_bytes=3
    )
    assert {
        "a_ready 0.0",
        "a_certificate_expiry_timestamp_seconds 8.0",
        "process_start_time_seconds 5.0",
        "a_bytes 5.0",
    } <= lines(Totals(), one, other)


def test_what_is_the_same_everywhere_stays_so() -> None:
    each = as_sent(DaemonMetrics("a", "1.2.3").registry)
    text = Totals().text([each, each]).decode()
    infos = [line for line in text.splitlines() if "_info{" in line]
    assert len(infos) == 2
    assert all(line.endswith(" 1.0") for line in infos)
