"""RFC 3339 as metadata writes it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notary.tuf.times import format_time, parse_time
from tests.tuf.strategies import many


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=timezone.utc)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22T13:04:05Z", utc(2026, 11, 22, 13, 4, 5)),
        ("2026-11-22T13:04:05+00:00", utc(2026, 11, 22, 13, 4, 5)),
        ("2026-11-22T13:04:05-00:00", utc(2026, 11, 22, 13, 4, 5)),
        ("2026-11-22T13:04:05+01:30", utc(2026, 11, 22, 11, 34, 5)),
        ("2026-11-22T23:04:05-01:30", utc(2026, 11, 23, 0, 34, 5)),
        ("2026-11-22T13:04:05+23:59", utc(2026, 11, 21, 13, 5, 5)),
        ("2026-11-22T13:04:05.5Z", utc(2026, 11, 22, 13, 4, 5, 500000)),
        ("2026-11-22T13:04:05,25Z", utc(2026, 11, 22, 13, 4, 5, 250000)),
        ("2026-11-22T13:04:05.000001Z", utc(2026, 11, 22, 13, 4, 5, 1)),
        ("2026-11-22T13:04:05.123456789+01:00", utc(2026, 11, 22, 12, 4, 5, 123456)),
        ("2024-02-29T00:00:00Z", utc(2024, 2, 29)),
        ("0001-01-01T00:00:00Z", utc(1, 1, 1)),
        ("9999-12-31T23:59:59.999999999Z", utc(9999, 12, 31, 23, 59, 59, 999999)),
    ],
)
def test_reads_a_time(text: str, moment: datetime) -> None:
    parsed = parse_time(text)
    assert parsed == moment
    assert parsed.tzinfo is timezone.utc


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-22",
        "2026-11-22T13:04:05",
        "2026-11-22 13:04:05Z",
        "2026-11-22t13:04:05z",
        "2026-11-22T13:04:05.Z",
        "2026-11-22T13:04Z",
        "2026-11-22T13:04:05+0100",
        "2026-11-22T13:04:05+01",
        "26-11-22T13:04:05Z",
        " 2026-11-22T13:04:05Z",
        "2026-11-22T13:04:05Z\n",
        "\u0662\u0660\u0662\u0666-11-22T13:04:05Z",
        "2026-11-22T13:04:05." + "1" * 44 + "Z",
    ],
)
def test_refuses_another_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not an RFC 3339 time$"):
        parse_time(text)


def test_reads_64_characters() -> None:
    text = "2026-11-22T13:04:05." + "1" * 43 + "Z"
    assert len(text) == 64
    assert parse_time(text).microsecond == 111111


@pytest.mark.parametrize(
    "text",
    [
        "0000-01-01T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:60Z",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+00:60",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
    ],
)
def test_refuses_what_no_calendar_has(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not an RFC 3339 time: .+") as caught:
        parse_time(text)
    assert repr(text) in str(caught.value)


def test_does_not_repeat_a_long_text() -> None:
    with pytest.raises(ValueError, match="RFC 3339") as caught:
        parse_time("x" * 10_000)
    assert len(str(caught.value)) < 120


def test_writes_utc_to_the_second() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, timezone(timedelta(hours=-3)))
    assert format_time(moment) == "2026-01-02T06:04:05Z"


@many
@given(st.datetimes(datetime(1000, 1, 1), timezones=st.just(timezone.utc)))
def test_reads_what_it_writes(moment: datetime) -> None:
    assert parse_time(format_time(moment)) == moment.replace(microsecond=0)


@many
@given(
    st.text()
    | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:\d\d)", fullmatch=True)
)
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    try:
        moment = parse_time(text)
    except ValueError:
        return
    assert moment.tzinfo is timezone.utc
