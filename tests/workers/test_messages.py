"""Messages come in whatever pieces a pipe makes of them."""

from __future__ import annotations

import pytest

from notary.workers import messages
from notary.workers.messages import Messages, TooLongError, encode


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_pieces(size: int) -> None:
    data = encode("ready") + encode("totals", "two\nlines") + encode("measures", [["a", {}, 1.5]])
    taken = Messages()
    found: list[tuple[str, object]] = []
    for begin in range(0, len(data), size):
        found += taken.feed(data[begin : begin + size])
    assert found == [("ready", None), ("totals", "two\nlines"), ("measures", [["a", {}, 1.5]])]


def test_one_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MAX_BYTES", 10)
    with pytest.raises(TooLongError):
        list(Messages().feed(b"[" * 11))
