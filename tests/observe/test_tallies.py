"""Tallies: the same numbers that Prometheus' own client would tell."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from notary.observe.tallies import SECONDS, Calls, Reading, Tally, histogram

VALUES = [0.0, 0.001, 0.0011, 0.5, 10.0, 10.1, 3.0]


def test_a_tally_is_a_histogram() -> None:
    registry = CollectorRegistry()
    theirs = Histogram("x", "x", ["a"], buckets=SECONDS, registry=registry).labels("b")
    ours = Tally()
    for value in VALUES:
        theirs.observe(value)
        ours.observe(value)
    (expected, *_) = registry.collect()
    made = histogram("x", "x", ["a"], {("b",): ours})
    assert made.samples == [each for each in expected.samples if each.name != "x_created"]


def test_tallies_can_be_added() -> None:
    one, two, both = Tally(), Tally(), Tally()
    for tally, values in ((one, VALUES[:3]), (two, VALUES[3:]), (both, VALUES)):
        for value in values:
            tally.observe(value)
    one.add(two)
    assert one.buckets() == both.buckets()
    assert one.total == both.total


def test_calls_are_counted_by_result_and_timed_together() -> None:
    registry = CollectorRegistry()
    calls = Calls(registry, "p", "it", ["a", "b"])
    calls.observe("a", "ok", 0.5)
    calls.observe("a", "away", 7)
    text = generate_latest(registry).decode()
    for line in (
        'p_calls_total{call="a",result="ok"} 1.0',
        'p_calls_total{call="a",result="away"} 1.0',
        'p_calls_total{call="b",result="ok"} 0.0',
        'p_call_duration_seconds_count{call="a"} 2.0',
        'p_call_duration_seconds_sum{call="a"} 7.5',
    ):
        assert line in text.splitlines()


def test_a_reading_is_taken_at_the_scrape() -> None:
    registry = CollectorRegistry()
    values = {"x": 1.0}
    Reading(registry, "a_total", "A.", lambda: 3.0)
    Reading(registry, "b", "B.", lambda: values, "label")
    values["y"] = 2.0
    text = generate_latest(registry).decode()
    assert "# TYPE a_total counter\na_total 3.0\n" in text
    assert '# TYPE b gauge\nb{label="x"} 1.0\nb{label="y"} 2.0\n' in text
