"""``python -m tests.broken`` writes the page of the documentation."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.broken.report import PAGE, outcomes, page
from tests.support.mariadb import installed


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as directory,
        installed("--innodb-flush-log-at-trx-commit=0") as mariadb,
    ):
        mariadb.start()
        PAGE.write_text(page(outcomes(Path(directory), mariadb)))


if __name__ == "__main__":
    main()
