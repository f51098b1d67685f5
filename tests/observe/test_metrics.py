"""Metrics: the names that dashboards of the original service know."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from notary.observe.metrics import RequestMetrics

HTTP = "notary_server_http_"


def made(*operations: str) -> tuple[RequestMetrics, CollectorRegistry]:
    registry = CollectorRegistry()
    return RequestMetrics(registry, operations), registry


def samples(registry: CollectorRegistry) -> dict[tuple[str, ...], float]:
    """Values by name and labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


def test_what_has_not_happened_is_shown_as_well() -> None:
    _, registry = made("Ping")
    found = samples(registry)
    assert found[f"{HTTP}request_duration_microseconds_count", "Ping"] == 0
    assert found[f"{HTTP}request_duration_seconds_bucket", "+Inf", "Ping"] == 0
    assert set(found.values()) == {0}


def test_requests_are_counted_and_their_sizes_and_durations_summed_up() -> None:
    metrics, registry = made()
    metrics.observe("GetRole", "GET", 200, 0.5, 0, 1000)
    metrics.observe("GetRole", "GET", 200, 0.25, 0, 500)
    metrics.observe("GetRole", "HEAD", 404, 0, 0, 0)
    metrics.observe("UpdateTUF", "POST", 413, 1, 7, 3)
    metrics.in_flight = 5
    found = samples(registry)
    assert found.pop((f"{HTTP}requests_total", "200", "get", "GetRole")) == 2
    assert found.pop((f"{HTTP}requests_total", "404", "head", "GetRole")) == 1
    assert found.pop((f"{HTTP}requests_total", "413", "post", "UpdateTUF")) == 1
    assert found.pop((f"{HTTP}requests_in_flight",)) == 5
    buckets = {key: found.pop(key) for key in list(found) if key[0].endswith("_bucket")}
    counts = [
        buckets[f"{HTTP}request_duration_seconds_bucket", bound, "GetRole"]
        for bound in ("0.001", "0.1", "0.25", "0.5", "10.0", "+Inf")
    ]
    assert counts == [1, 1, 2, 3, 3, 3]
    assert found == {
        (f"{HTTP}request_duration_microseconds_count", "GetRole"): 3,
        (f"{HTTP}request_duration_microseconds_sum", "GetRole"): 750_000,
        (f"{HTTP}request_duration_microseconds_count", "UpdateTUF"): 1,
        (f"{HTTP}request_duration_microseconds_sum", "UpdateTUF"): 1_000_000,
        (f"{HTTP}request_duration_seconds_count", "GetRole"): 3,
        (f"{HTTP}request_duration_seconds_sum", "GetRole"): 0.75,
        (f"{HTTP}request_duration_seconds_count", "UpdateTUF"): 1,
        (f"{HTTP}request_duration_seconds_sum", "UpdateTUF"): 1,
        (f"{HTTP}request_size_bytes_count", "GetRole"): 3,
        (f"{HTTP}request_size_bytes_sum", "GetRole"): 0,
        (f"{HTTP}request_size_bytes_count", "UpdateTUF"): 1,
        (f"{HTTP}request_size_bytes_sum", "UpdateTUF"): 7,
        (f"{HTTP}response_size_bytes_count", "GetRole"): 3,
        (f"{HTTP}response_size_bytes_sum", "GetRole"): 1500,
        (f"{HTTP}response_size_bytes_count", "UpdateTUF"): 1,
        (f"{HTTP}response_size_bytes_sum", "UpdateTUF"): 3,
    }


def test_unusual_methods_are_not_told_apart() -> None:
    metrics, registry = made()
    for method in ("BREW", "get", '"\n', "(no method yet)"):
        metrics.observe("NotFound", method, 404, 0, 0, 0)
    assert samples(registry)[f"{HTTP}requests_total", "404", "unknown", "NotFound"] == 4


def test_two_servers_in_one_process_count_apart() -> None:
    one, _ = made()
    _, registry = made()
    one.observe("Ping", "GET", 200, 0, 0, 0)
    assert set(samples(registry).values()) == {0}
