"""Reading the body of a publish: every form that will not do, and any bytes at all."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notary.server.errors import APIError
from notary.server.upload import MAX_FILES, body_size, read_upload
from notary.tuf.errors import MalformedJSONError, TUFError, ValidationError
from tests.server.harness import Service, base
from tests.support.forge import BOUNDARY, multipart, part

FILE = b'{"signed":{"_type":"Root","version":3},"signatures":[]}'
FORM = f"multipart/form-data; boundary={BOUNDARY}"
END = f"--{BOUNDARY}--\r\n".encode()


def code_of(content_type: str, body: bytes) -> str:
    with pytest.raises(APIError) as caught:
        read_upload(content_type, BytesIO(body))
    return caught.value.code.name


def test_takes_files_apart_by_role() -> None:
    content_type, body = multipart({"root.json": FILE, "targets/a": FILE, "targets.json": FILE})
    files = read_upload(content_type, BytesIO(body))
    assert set(files) == {"root", "targets", "targets/a"}
    for metadata in files.values():
        assert (metadata.data, metadata.type, metadata.version) == (FILE, "Root", 3)


def test_no_files_are_no_error_of_the_form() -> None:
    assert read_upload(FORM, BytesIO(END)) == {}


def test_keeps_bytes_that_look_like_ends_of_lines() -> None:
    data = b'{"signed":{},\r\n"signatures":[]}\r\n--' + BOUNDARY[:-1].encode() + b"\r\n"
    with pytest.raises(MalformedJSONError, match="not JSON"):
        read_upload(*_body({"root": data}))
    data = b'\r\n {"signed":{},\r\n"signatures":[]}\r\n\r\n'
    assert read_upload(*_body({"root": data}))["root"].data == data


def _body(files: dict[str, bytes]) -> tuple[str, BytesIO]:
    content_type, body = multipart(files)
    return content_type, BytesIO(body)


def test_the_body_may_come_in_many_pieces() -> None:
    data = FILE + b" " * 3_000_000
    assert read_upload(*_body({"root": data}))["root"].data == data


def test_leaves_a_body_at_its_beginning() -> None:
    body = BytesIO(b"12345")
    body.seek(3)
    assert (body_size(body), body.tell()) == (5, 0)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        ";",
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/mixed; boundary=" + BOUNDARY,
        "multipart/form-data; boundary=other",
        "multipart/form-data; boundary=\xff",
        "multipart/form-data; boundary=\ufffd",
        "multipart/form-data; boundary*=utf-8''%ff",
    ],
)
def test_refuses_other_types(content_type: str) -> None:
    _, body = multipart({"root": FILE})
    assert code_of(content_type, body) == "MALFORMED_UPLOAD"


PART = part("root", FILE)
HEAD = f"--{BOUNDARY}\r\n".encode()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\r\n", id="blank"),
        pytest.param(FILE, id="no parts"),
        pytest.param(PART, id="no end"),
        pytest.param(PART + END[:-4], id="cut at the end"),
        pytest.param(PART[:-30], id="cut within a file"),
        pytest.param(PART[:40], id="cut within a header"),
        pytest.param(b"x" + PART + END, id="garbage in front"),
        pytest.param((PART + END).replace(b"\r\n", b"\n"), id="bare line feeds"),
        pytest.param(HEAD + b"nonsense\r\n\r\n" + FILE + b"\r\n" + END, id="a header that is none"),
        pytest.param(HEAD + b"\r\n" + FILE + b"\r\n" + END, id="no headers"),
        pytest.param(HEAD + b"X: y\r\n" * 9 + b"\r\n" + FILE + b"\r\n" + END, id="many headers"),
        pytest.param(
            part("root", FILE, disposition="form-data; name=" + "x" * 17_000) + END,
            id="a long header",
        ),
        pytest.param(part("root", FILE, disposition="attachment") + END, id="no form data"),
        pytest.param(part("a", FILE).join([b""] * (MAX_FILES + 2)) + END, id="too many parts"),
    ],
)
def test_refuses_malformed_bodies(body: bytes) -> None:
    assert code_of(FORM, body) == "MALFORMED_UPLOAD"


@pytest.mark.parametrize(
    "disposition",
    [
        "form-data; name=files",
        'form-data; name=files; filename=""',
        'form-data; name=files; filename=".json"',
        'form-data; name=files; filename="root"; filename="targets"',
        "form-data; name=files; filename=root; FileName*=UTF-8''targets",
    ],
)
def test_refuses_parts_without_one_name(disposition: str) -> None:
    assert code_of(FORM, part("", FILE, disposition=disposition) + END) == "NO_FILENAME"


@pytest.mark.parametrize(
    "role",
    [
        "other",
        "Root",
        "root.json.json",
        " root",
        "targets/",
        "targets/A",
        "targets/../root",
        "/targets",
        "targets//a",
        "targets/" + "a" * 248,
        "snapshot/a",
        "../root",
        "t\u00e4rgets",
    ],
)
def test_refuses_names_that_are_no_roles(role: str) -> None:
    with pytest.raises(APIError) as caught:
        read_upload(*_body({role: FILE}))
    assert caught.value.code.name == "INVALID_ROLE"
    assert caught.value.detail == role.removesuffix(".json")


def test_refuses_two_files_for_one_role() -> None:
    content_type, body = multipart([("root", FILE), ("root.json", FILE)])
    with pytest.raises(ValidationError, match="root was uploaded twice"):
        read_upload(content_type, BytesIO(body))


@pytest.mark.parametrize("data", [b"", b"x", b"[]", b'{"signed":[]}', b"\xff", b'{"a":1.5}'])
def test_names_the_file_that_is_no_metadata(data: bytes) -> None:
    with pytest.raises(MalformedJSONError, match=r"^targets/a: "):
        read_upload(*_body({"root": FILE, "targets/a": data}))


@pytest.mark.parametrize(
    ("content_type", "status", "code"),
    [
        ("\u00e4", 400, "MALFORMED_UPLOAD"),
        (b"\xff\xfe", 400, "MALFORMED_UPLOAD"),
        ("multipart/form-data; boundary=a\tb", 400, "INVALID_UPDATE"),
        ("", 400, "MALFORMED_UPLOAD"),
    ],
)
def test_any_content_type_gets_an_answer(
    service: Service, content_type: str | bytes, status: int, code: str
) -> None:
    answer = service.ask("POST", base(), b"--a--\r\n", Content_Type=content_type)
    assert (answer.status, answer.error["code"]) == (status, code)


def test_no_content_type_gets_an_answer(service: Service) -> None:
    assert service.ask("POST", base(), b"").error["code"] == "MALFORMED_UPLOAD"


def test_a_publish_of_nothing_is_no_update(service: Service) -> None:
    answer = service.ask("POST", base(), END, Content_Type=FORM)
    assert answer.error["code"] == "INVALID_UPDATE"
    assert answer.error["detail"]["Name"] == "ErrValidation"


_PIECES = st.sampled_from(
    [
        HEAD,
        END,
        PART,
        b"\r\n",
        b"--",
        b'Content-Disposition: form-data; name="a"; filename="root"\r\n\r\n',
        b"Content-Disposition: ",
        FILE,
        b"\xff",
        b'"',
        b"=",
        b";",
        b"%",
    ]
)


@given(
    st.one_of(st.just(FORM), st.text(max_size=40), st.text(max_size=20).map(FORM.__add__)),
    st.one_of(st.binary(max_size=200), st.lists(_PIECES, max_size=8).map(b"".join)),
)
def test_any_bytes_are_files_or_an_error_that_clients_understand(
    content_type: str, body: bytes
) -> None:
    try:
        files = read_upload(content_type, BytesIO(body))
    except (APIError, TUFError):
        return
    assert set(files) <= {"root"}
