"""The password of a database that has a file to itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from notary.config.sections import Storage
from notary.settings import database_settings
from notary.storage.dsn import DSNError

SECRET = "p@ss:w/ord?(1)"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(f"{SECRET}\n")
    return path


def storage(**keys: Any) -> Storage:
    return Storage.model_validate(keys)


@pytest.mark.parametrize(
    ("backend", "db_url"),
    [
        ("mysql", "notary@tcp(mysql:3306)/server?parseTime=true"),
        ("postgres", "postgres://notary@database:5432/server"),
    ],
)
def test_it_is_the_one_of_the_user_in_the_url(file: Path, backend: str, db_url: str) -> None:
    settings = database_settings(storage(backend=backend, db_url=db_url, db_password_file=file))
    assert SECRET not in repr(settings)
    url = settings.create_engine().url
    assert (url.username, url.password) == ("notary", SECRET)


def test_there_is_only_one(file: Path) -> None:
    keys = {"backend": "mysql", "db_url": "notary:hidden@tcp(mysql)/x", "db_password_file": file}
    with pytest.raises(DSNError) as caught:
        database_settings(storage(**keys)).create_engine()
    assert str(caught.value) == (
        "storage.db_password_file: storage.db_url has a password too: set only one of them"
    )


def test_sqlite_knows_none(file: Path) -> None:
    keys = {"backend": "sqlite3", "db_url": str(file.parent / "x.db"), "db_password_file": file}
    with pytest.raises(DSNError, match="'sqlite3' knows no passwords"):
        database_settings(storage(**keys)).create_engine()


def test_a_file_without_one(file: Path) -> None:
    file.write_text("\n")
    with pytest.raises(DSNError) as caught:
        database_settings(storage(backend="mysql", db_url="x@/x", db_password_file=file))
    assert str(caught.value) == f"storage.db_password_file: {file} is empty"
