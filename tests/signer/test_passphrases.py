"""Where the passphrases of the keys come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from notary.signer.passphrases import PassphraseError, Passphrases, variable

ALIAS = "timestamp_1"
NAME = "NOTARY_SIGNER_TIMESTAMP_1"
SECRET = "correct horse battery"


def passphrase(directory: Path, alias: str = ALIAS, **environ: str) -> str:
    return Passphrases(environ, directory).passphrase(alias)


def refusal(directory: Path, **environ: str) -> str:
    with pytest.raises(PassphraseError) as caught:
        passphrase(directory, **environ)
    message = str(caught.value)
    assert SECRET not in message
    assert f"the alias {ALIAS!r}" in message
    return message


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "secrets" / "passphrase"
    path.parent.mkdir()
    path.write_text(SECRET)
    return path


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("timestamp_1", "NOTARY_SIGNER_TIMESTAMP_1"),
        ("a", "NOTARY_SIGNER_A"),
        ("Key.of.2026", "NOTARY_SIGNER_KEY_OF_2026"),
        ("with-dash", "NOTARY_SIGNER_WITH-DASH"),
    ],
)
def test_variables_are_named_as_by_the_go_signer(tmp_path: Path, alias: str, name: str) -> None:
    assert variable(alias) == name
    assert passphrase(tmp_path, alias, **{name: SECRET}) == SECRET


@pytest.mark.parametrize("value", ["x", " a b ", "line\n", "Füße", "'quoted'", "\udcff"])
def test_a_variable_is_taken_as_it_is(tmp_path: Path, value: str) -> None:
    assert passphrase(tmp_path, **{NAME: value}) == value


def test_each_alias_has_its_own(tmp_path: Path) -> None:
    environ = {NAME: SECRET, "NOTARY_SIGNER_TIMESTAMP_2": "another"}
    assert passphrase(tmp_path, "timestamp_2", **environ) == "another"
    assert passphrase(tmp_path, "timestamp_1", **environ) == SECRET


class TestFiles:
    def test_an_absolute_path(self, file: Path) -> None:
        assert passphrase(Path("/nowhere"), **{f"{NAME}_FILE": str(file)}) == SECRET

    def test_a_path_from_the_directory(self, tmp_path: Path, file: Path) -> None:
        assert passphrase(tmp_path, **{f"{NAME}_FILE": "secrets/passphrase"}) == SECRET

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            (b"a b\n", "a b"),
            (b"a b\r\n", "a b"),
            (b"a b\n\n", "a b\n"),
            (b" a  b \n", " a  b "),
            (b"a\nb", "a\nb"),
            (b"F\xc3\xbc\xc3\x9fe", "Füße"),
            (b"\n\n", "\n"),
            (b"x" * 4096, "x" * 4096),
        ],
    )
    def test_one_end_of_line_is_left_out(self, file: Path, content: bytes, expected: str) -> None:
        file.write_bytes(content)
        assert passphrase(file.parent, **{f"{NAME}_FILE": file.name}) == expected

    def test_an_empty_variable_counts_as_none(self, file: Path) -> None:
        path = str(file)
        assert passphrase(file.parent, **{NAME: "", f"{NAME}_FILE": path}) == SECRET
        assert passphrase(file.parent, **{NAME: "value", f"{NAME}_FILE": ""}) == "value"

    def test_is_read_whenever_it_is_asked_for(self, file: Path) -> None:
        passphrases = Passphrases({f"{NAME}_FILE": str(file)}, file.parent)
        assert passphrases.passphrase(ALIAS) == SECRET
        file.write_text("a new one")
        assert passphrases.passphrase(ALIAS) == "a new one"


class TestRefusals:
    @pytest.mark.parametrize("environ", [{}, {NAME: ""}, {NAME: "", f"{NAME}_FILE": ""}])
    def test_none(self, tmp_path: Path, environ: dict[str, str]) -> None:
        assert refusal(tmp_path, NOTARY_SIGNER_OTHER=SECRET, **environ) == (
            f"there is no passphrase for the alias {ALIAS!r}: set {NAME}_FILE to the path of a "
            f"file that holds it, or {NAME} to the passphrase itself"
        )

    def test_two(self, file: Path) -> None:
        message = refusal(file.parent, **{NAME: SECRET, f"{NAME}_FILE": str(file)})
        assert message == (
            f"the alias {ALIAS!r} has two passphrases: set {NAME} or {NAME}_FILE, not both"
        )

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "is empty"),
            (b"\n", "is empty"),
            (b"\r\n", "is empty"),
            (SECRET.encode() + b"x" * 4076, "is longer than 4096 bytes"),
            (SECRET.encode() * 10_000, "is longer than 4096 bytes"),
            (b"x" * 4096 + b"\n", "is longer than 4096 bytes"),
            (SECRET.encode() + b"\xff", "is not UTF-8 text"),
            (SECRET.encode("utf-16"), "is not UTF-8 text"),
        ],
    )
    def test_unfit_files(self, file: Path, content: bytes, reason: str) -> None:
        file.write_bytes(content)
        message = refusal(file.parent, **{f"{NAME}_FILE": str(file)})
        assert message == f"the passphrase of the alias {ALIAS!r} in {file} {reason}"

    def test_a_missing_file(self, tmp_path: Path) -> None:
        message = refusal(tmp_path, **{f"{NAME}_FILE": "missing"})
        path = tmp_path / "missing"
        assert message == (
            f"the passphrase of the alias {ALIAS!r} in {path} cannot be read: "
            "No such file or directory"
        )

    def test_a_directory(self, tmp_path: Path) -> None:
        message = refusal(tmp_path, **{f"{NAME}_FILE": str(tmp_path)})
        assert message.endswith("cannot be read: Is a directory")

    def test_a_failed_decoding_is_not_shown(self, file: Path) -> None:
        """Python's own error holds the whole content."""
        file.write_bytes(SECRET.encode() + b"\xff")
        with pytest.raises(PassphraseError) as caught:
            passphrase(file.parent, **{f"{NAME}_FILE": str(file)})
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
