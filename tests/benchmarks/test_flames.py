"""Flame graphs."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from benchmarks.flames import draw_flames, package_of
from benchmarks.stacks import Frame, Profile
from tests.benchmarks.samples import DOCUMENT, LOOP

SVG = "{http://www.w3.org/2000/svg}"


def boxes(profile: Profile) -> dict[str, ElementTree.Element]:
    """What is drawn of each frame, by its title."""
    groups = ElementTree.fromstring(draw_flames(profile)).iter(f"{SVG}g")
    return {group.findtext(f"{SVG}title") or "": group for group in groups}


def of_one(times: dict[str, float]) -> Profile:
    return Profile("", {"reactor": {(Frame(name),): time for name, time in times.items()}})


def widths(profile: Profile) -> list[float]:
    found = (group.find(f"{SVG}rect") for group in boxes(profile).values())
    return [float(rect.get("width", 0)) for rect in found if rect is not None]


def test_each_frame_has_its_share_as_title() -> None:
    assert list(boxes(Profile.read(DOCUMENT))) == [
        "reactor: 1.75 s, 36.8%",
        "loop (twisted/loop.py): 1.75 s, 36.8%",
        "Reader.<locals>.read (notary/read.py): 1.25 s, 26.3%",
        "send (ssl.py): 0.25 s, 5.3%",
        "database threads: 3.00 s, 63.2%",
        "Reader.<locals>.read (notary/read.py): 3.00 s, 63.2%",
    ]


def test_frames_are_as_wide_as_their_time_the_widest_first() -> None:
    assert widths(of_one({"b": 1.0, "a": 3.0})) == [1100.0, 825.0, 275.0]


def test_what_nobody_could_see_is_left_out() -> None:
    assert len(boxes(of_one({"a": 1.0, "b": 0.0001}))) == 2


def test_names_are_shortened_to_the_room_that_there_is() -> None:
    drawn = draw_flames(of_one({"a": 100.0, "a_long_name": 5.0, "too_narrow": 1.0}))
    assert ">a_long…</text>" in drawn
    assert "too_n" not in drawn.replace("<title>too_narrow", "")


@pytest.mark.parametrize(
    ("frame", "package"),
    [
        (LOOP, "twisted"),
        (Frame("main", "notary-server"), "Python and others"),
        (Frame("(other stacks)"), "Python and others"),
    ],
)
def test_packages(frame: Frame, package: str) -> None:
    assert package_of(frame) == package
