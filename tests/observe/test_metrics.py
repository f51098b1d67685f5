"""Metrics: the names that dashboards of the original service know."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from notary.observe.metrics import RequestMetrics


def samples(metrics: RequestMetrics) -> dict[tuple[str, ...], float]:
    """Values by name and labels, without the times at which they were first used."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_nothing_is_counted_at_first() -> None:
    assert samples(RequestMetrics()) == {}


def test_requests_are_counted_and_their_sizes_and_durations_summed_up() -> None:
    metrics = RequestMetrics()
    metrics.observe("GetRole", "GET", 200, 0.5, 0, 1000)
    metrics.observe("GetRole", "GET", 200, 0.25, 0, 500)
    metrics.observe("GetRole", "HEAD", 404, 0, 0, 0)
    metrics.observe("UpdateTUF", "POST", 413, 1, 7, 3)
    http = "notary_server_http_"
    found = samples(metrics)
    assert found.pop((f"{http}requests_total", "200", "get", "GetRole")) == 2
    assert found.pop((f"{http}requests_total", "404", "head", "GetRole")) == 1
    assert found.pop((f"{http}requests_total", "413", "post", "UpdateTUF")) == 1
    assert found == {
        (f"{http}request_duration_microseconds_count", "GetRole"): 3,
        (f"{http}request_duration_microseconds_sum", "GetRole"): 750_000,
        (f"{http}request_duration_microseconds_count", "UpdateTUF"): 1,
        (f"{http}request_duration_microseconds_sum", "UpdateTUF"): 1_000_000,
        (f"{http}request_size_bytes_count", "GetRole"): 3,
        (f"{http}request_size_bytes_sum", "GetRole"): 0,
        (f"{http}request_size_bytes_count", "UpdateTUF"): 1,
        (f"{http}request_size_bytes_sum", "UpdateTUF"): 7,
        (f"{http}response_size_bytes_count", "GetRole"): 3,
        (f"{http}response_size_bytes_sum", "GetRole"): 1500,
        (f"{http}response_size_bytes_count", "UpdateTUF"): 1,
        (f"{http}response_size_bytes_sum", "UpdateTUF"): 3,
    }


def test_unusual_methods_are_not_told_apart() -> None:
    metrics = RequestMetrics()
    for method in ("BREW", "get", '"\n', "(no method yet)"):
        metrics.observe("NotFound", method, 404, 0, 0, 0)
    assert samples(metrics)["notary_server_http_requests_total", "404", "unknown", "NotFound"] == 4


def test_two_servers_in_one_process_count_apart() -> None:
    one, other = RequestMetrics(), RequestMetrics()
    one.observe("Ping", "GET", 200, 0, 0, 0)
    assert samples(other) == {}
