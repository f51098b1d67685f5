"""Texts of statements: made once, and handed to the driver with what it understands."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import Dialect, bindparam, select
from sqlalchemy.dialects.mysql import pymysql
from sqlalchemy.dialects.postgresql import psycopg

from notary.storage.schema import changefeed, tuf_files
from notary.storage.texts import add_rows, run, text_of

STATEMENT = select(tuf_files.c.role).where(
    tuf_files.c.gun == bindparam("gun"), tuf_files.c.version == 7
)
ROWS = [{"gun": "a", "version": 1}, {"gun": "b", "version": 2}]


class Driver:
    """In place of a connection: notes what is sent."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.sent: list[tuple[str, Any]] = []

    def exec_driver_sql(self, sql: str, parameters: Any) -> None:
        self.sent.append((sql, parameters))


@pytest.fixture(params=[pymysql.dialect, psycopg.dialect])
def driver(request: pytest.FixtureRequest) -> Any:
    return Driver(request.param())


def test_values_go_as_the_driver_wants_them(driver: Any) -> None:
    run(driver, STATEMENT, {"gun": "a"})
    ((sql, parameters),) = driver.sent
    if driver.dialect.positional:
        assert (sql.count("%s"), parameters) == (2, ("a", 7))
    else:
        assert parameters == {"gun": "a", "version_1": 7}
        assert sql % dict.fromkeys(parameters, "?")


def test_a_value_may_be_null(driver: Any) -> None:
    add_rows(driver, changefeed, [{"gun": "a", "sha256": None}], {})
    ((_, parameters),) = driver.sent
    assert list(parameters if driver.dialect.positional else parameters.values()) == ["a", None]


def test_all_rows_are_one_statement(driver: Any) -> None:
    add_rows(driver, changefeed, ROWS, {})
    ((sql, parameters),) = driver.sent
    assert (sql.count("INSERT"), sql.count("), (")) == (1, 1)
    values = parameters if driver.dialect.positional else parameters.values()
    assert list(values) == ["a", 1, "b", 2]


def test_a_value_of_all_rows_is_handed_over_once(driver: Any) -> None:
    add_rows(driver, changefeed, [{"version": 1}, {"version": 2}], {"gun": "a"})
    ((sql, parameters),) = driver.sent
    if driver.dialect.positional:
        assert parameters == ("a", 1, "a", 2)
    else:
        assert sorted(parameters.values(), key=str) == [1, 2, "a"]
        assert re.findall(r"\d|'a'", sql % {**parameters, "gun_of_all": "'a'"}) == [
            "'a'",
            "1",
            "'a'",
            "2",
        ]


def test_texts_are_made_once(driver: Any) -> None:
    assert text_of(STATEMENT, driver.dialect) is text_of(STATEMENT, driver.dialect)
    misses = text_of.cache_info().misses
    for number in range(3):
        add_rows(driver, changefeed, [{"gun": "a", "version": number}], {})
    assert text_of.cache_info().misses == misses + 1


def test_other_columns_and_numbers_of_rows_have_other_texts(driver: Any) -> None:
    for rows, common in ((ROWS, {}), (ROWS[:1], {}), ([{"gun": "a"}], {}), (ROWS, {"sha256": "a"})):
        add_rows(driver, changefeed, rows, common)
    assert len({sql for sql, _ in driver.sent}) == 4
