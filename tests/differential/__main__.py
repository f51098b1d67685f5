"""``python -m tests.differential [TEXT]`` shows all cases; ``... page`` writes the docs' page."""

from __future__ import annotations

import sys

from tests.differential.report import PAGE, page, table


def main(arguments: list[str]) -> None:
    if arguments == ["page"]:
        PAGE.write_text(page())
        return
    for line in table(*arguments):
        print(line)


if __name__ == "__main__":
    main(sys.argv[1:])
