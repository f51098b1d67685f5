"""The documentation can be built, and what it and the README link to is there."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import attrs
import pytest

REPOSITORY = Path(__file__).parent.parent
SECONDS = 300
_LINK = re.compile(r"`[^`<]+<([^`>]+)>`_")


@attrs.define
class Page(HTMLParser):
    """A page in HTML: where its links lead, and which places in it have names."""

    links: set[str] = attrs.field(factory=set)
    names: set[str] = attrs.field(factory=set)

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    @classmethod
    def read(cls, path: Path) -> Page:
        page = cls()
        page.feed(path.read_text(encoding="utf-8"))
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and name in ("href", "src"):
                self.links.add(value)
            elif value and name == "id":
                self.names.add(value)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation in HTML; a warning is a failure."""
    directory = tmp_path_factory.mktemp("docs")
    command = [sys.executable, "-m", "sphinx", "--quiet", "--nitpicky", "--fail-on-warning"]
    command += ["--keep-going", "--doctree-dir", str(directory / "doctrees")]
    done = subprocess.run(
        [*command, str(REPOSITORY / "docs"), str(directory / "html")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout
    return directory / "html"


def test_links_within_the_documentation_lead_somewhere(built: Path) -> None:
    pages = {path: Page.read(path) for path in built.rglob("*.html")}
    assert built / "index.html" in pages
    lost = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            there = target.is_file()
            if there and parts.fragment and target in pages:
                there = unquote(parts.fragment) in pages[target].names
            if not there:
                lost.append(f"{path.relative_to(built)}: {link}")
    assert lost == []


def test_what_the_readme_links_to_is_there() -> None:
    links = _LINK.findall((REPOSITORY / "README.rst").read_text())
    paths = [link for link in links if not urlsplit(link).scheme]
    assert "docs/running.rst" in paths
    assert [path for path in paths if not (REPOSITORY / path).is_file()] == []
