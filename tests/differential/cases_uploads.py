"""Uploads that cannot be read, and odd ones that can."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.differential.harness import Item, Site, case, uploads
from tests.support.forge import BOUNDARY, Collection, Key, multipart, part

FORM = f"multipart/form-data; boundary={BOUNDARY}"
END = f"--{BOUNDARY}--\r\n".encode()

CONTENT_TYPES = {
    "none": None,
    "empty": "",
    "text": "text/plain",
    "form": "application/x-www-form-urlencoded",
    "json": "application/json",
    "no-boundary": "multipart/form-data",
    "empty-boundary": "multipart/form-data; boundary=",
    "other-boundary": "multipart/form-data; boundary=other",
    "quoted-boundary": f'multipart/form-data; boundary="{BOUNDARY}"',
    "upper-case": f"Multipart/Form-Data; Boundary={BOUNDARY}",
    "more-parameters": f"multipart/form-data; charset=utf-8; boundary={BOUNDARY}",
    "mixed": f"multipart/mixed; boundary={BOUNDARY}",
    "related": f"multipart/related; boundary={BOUNDARY}",
    "broken-parameters": f"multipart/form-data; boundary={BOUNDARY}; =;",
    "long-boundary": f"multipart/form-data; boundary={'b' * 300}",
}

for name, content_type in CONTENT_TYPES.items():

    @case(f"upload/content-type/{name}")
    def typed(site: Site, content_type: str | None = content_type) -> Iterator[Item]:
        forge = site.collection()
        body = multipart(forge.first())[1]
        headers = {} if content_type is None else {"Content-Type": content_type}
        yield site.request("POST", site.base(), body, headers=headers)
        yield site.state(forge)


def _good(forge: Collection) -> bytes:
    return multipart(forge.first())[1]


def _with(disposition: str) -> Callable[[Collection], bytes]:
    """A whole first publish, and then a part for targets with a disposition of its own."""

    def build(forge: Collection) -> bytes:
        files = forge.first()
        last = part("", files.pop("targets"), disposition=disposition)
        return b"".join(part(role, data) for role, data in files.items()) + last + END

    return build


BODIES: dict[str, Callable[[Collection], bytes]] = {
    "empty": lambda _: b"",
    "only-the-end": lambda _: END,
    "not-multipart": lambda _: b"just some text\r\n",
    "json": lambda _: b'{"signed": {}}',
    "preamble": lambda forge: b"preamble\r\n" + _good(forge),
    "epilogue": lambda forge: _good(forge) + b"epilogue",
    "no-end": lambda forge: _good(forge).removesuffix(END),
    "end-without-newline": lambda forge: _good(forge).removesuffix(b"\r\n"),
    "cut-in-data": lambda forge: _good(forge)[:-200],
    "cut-in-head": lambda _: f"--{BOUNDARY}\r\nContent-Dispo".encode(),
    "line-feeds-only": lambda forge: _good(forge).replace(b"\r\n", b"\n"),
    "head-without-end": lambda _: (
        f"--{BOUNDARY}\r\nContent-Disposition: form-data\r\n".encode() + END
    ),
    "head-not-a-header": lambda _: f"--{BOUNDARY}\r\nnonsense\r\n\r\n{{}}\r\n".encode() + END,
    "head-very-long": lambda forge: part("root", b"{}", disposition="x" * 100_000) + END,
    "many-headers": lambda forge: (
        f"--{BOUNDARY}\r\n".encode() + b"X-H: 1\r\n" * 2000 + b"\r\n{}\r\n" + END
    ),
    "part-without-head": lambda _: f"--{BOUNDARY}\r\n\r\n{{}}\r\n".encode() + END,
    "no-filename": _with('form-data; name="files"'),
    "empty-filename": _with('form-data; name="files"; filename=""'),
    "filename-json-only": _with('form-data; name="files"; filename=".json"'),
    "filename-unquoted": _with("form-data; name=files; filename=targets"),
    "filename-extended": _with("form-data; name=\"files\"; filename*=UTF-8''targets"),
    "filename-escaped": _with('form-data; name="files"; filename="tar\\gets"'),
    "filename-twice": _with('form-data; filename="targets"; filename="root"'),
    "filename-alone": _with('form-data; filename="targets"'),
    "filename-upper-case": _with('form-data; name="files"; FILENAME="targets"'),
    "other-name": _with('form-data; name="other"; filename="targets"'),
    "attachment": _with('attachment; filename="targets"'),
    "disposition-broken": _with('form-data; filename="targets'),
    "quoted-printable": lambda forge: _good(forge).replace(
        b"Content-Type: application/octet-stream", b"Content-Transfer-Encoding: quoted-printable", 1
    ),
    "base64-encoding-named": lambda forge: _good(forge).replace(
        b"Content-Type: application/octet-stream", b"Content-Transfer-Encoding: base64", 1
    ),
    "part-content-length-wrong": lambda forge: _good(forge).replace(
        b"Content-Type: application/octet-stream", b"Content-Length: 3", 1
    ),
}

for name, make in BODIES.items():

    @case(f"upload/body/{name}")
    def send(site: Site, make: Callable[[Collection], bytes] = make) -> Iterator[Item]:
        forge = site.collection()
        yield site.request("POST", site.base(), make(forge), headers={"Content-Type": FORM})
        yield site.state(forge)


@case("upload/body/shorter-than-its-length")
def cut_short(site: Site) -> Iterator[Item]:
    forge = site.collection()
    body = _good(forge)
    yield site.request(
        "POST", site.base(), body[:-300], headers={"Content-Type": FORM}, length=len(body)
    )
    yield site.state(forge)


@case("upload/body/longer-than-its-length")
def cut_long(site: Site) -> Iterator[Item]:
    forge = site.collection()
    body = _good(forge)
    yield site.request(
        "POST", site.base(), body, headers={"Content-Type": FORM}, length=len(body) - 300
    )
    yield site.state(forge)


@case("upload/body/chunked")
def chunked(site: Site) -> Iterator[Item]:
    forge = site.collection()
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(_body := _good(forge)), _body)
    headers = {"Content-Type": FORM, "Transfer-Encoding": "chunked"}
    yield site.request("POST", site.base(), body, headers=headers, length=-1)
    yield site.state(forge)


@case("upload/body/chunks-broken")
def chunks_broken(site: Site) -> Iterator[Item]:
    headers = {"Content-Type": FORM, "Transfer-Encoding": "chunked"}
    yield site.request("POST", site.base(), b"zz\r\nxx\r\n", headers=headers, length=-1)


@case("upload/body/two-lengths")
def two_lengths(site: Site) -> Iterator[Item]:
    headers = {"Content-Type": FORM, "Content-Length": "5"}
    yield site.request("POST", site.base(), b"0123456789", headers=headers)


@case("upload/body/length-and-chunks")
def length_and_chunks(site: Site) -> Iterator[Item]:
    """Where two programs in a row disagree on this, requests can be smuggled."""
    headers = {"Content-Type": FORM, "Transfer-Encoding": "chunked"}
    yield site.request("POST", site.base(), b"0\r\n\r\n", headers=headers)


@case("upload/body/unknown-transfer-encoding")
def unknown_transfer_encoding(site: Site) -> Iterator[Item]:
    headers = {"Content-Type": FORM, "Transfer-Encoding": "gzip"}
    yield site.request("POST", site.base(), b"x", headers=headers, length=-1)


@case("upload/body/length-not-a-number")
def odd_length(site: Site) -> Iterator[Item]:
    headers = {"Content-Type": FORM, "Content-Length": "many"}
    yield site.request("POST", site.base(), b"x", headers=headers, length=-1)


ROLES = (
    "",
    ".json",
    ".json.json",
    "Root",
    "ROOT",
    "mirrors",
    "root/",
    "/root",
    "root/a",
    "targets/",
    "targets//a",
    "targets/A",
    "targets/a b",
    "targets/é",
    "targets/*",
    "targets/a/*",
    "targets/.",
    "targets/..",
    "targets/../root",
    "targets/a.b",
    "targets/a/",
    "targets/a\\b",
    "targetsa",
    "path/root",
    "./root",
    "targets/" + "a" * 248,
    "targets/" + "a" * 247,
    "root.key",
    "1.root",
    "snapshot/a",
    "timestamp/a",
    "root\\",
    "targets/a/../b",
    "targets/-",
    "targets/_/-/9",
)


def _short(name: str) -> str:
    """Name a role in a case's ID: spelt out, or by its length."""
    return f"of-{len(name)}-letters" if len(name) > 40 else name or "none"


for name in ROLES:

    @case(f"upload/role/{_short(name)}")
    def role(site: Site, name: str = name) -> Iterator[Item]:
        forge = site.collection()
        yield site.upload({**forge.first(), name: forge.delegation("targets/a")})
        yield site.state(forge)


def _twice(forge: Collection) -> list[tuple[str, bytes]]:
    """Targets twice: the last one, which the snapshot knows, would do."""
    files = forge.first()
    return [("targets", forge.targets(5)), *files.items()]


def _twice_first_right(forge: Collection) -> list[tuple[str, bytes]]:
    return [*forge.first().items(), ("targets", forge.targets(5))]


uploads(
    "upload/files",
    {
        "json-suffix": lambda forge: {f"{k}.json": v for k, v in forge.first().items()},
        "any-order": lambda forge: list(reversed(forge.first().items())),
        "role-twice": _twice,
        "role-twice-first-right": _twice_first_right,
        "role-twice-identical": lambda forge: [*forge.first().items()] * 2,
        "role-twice-by-suffix": lambda forge: {**forge.first(), "targets.json": forge.targets(5)},
        "timestamp-added": lambda forge: {
            **forge.first(),
            "timestamp": forge.timestamp(7, snapshot=b"{}", signers=[Key.generate()]),
        },
        "timestamp-alone": lambda forge: {
            "timestamp": forge.timestamp(snapshot=b"{}", signers=[Key.generate()])
        },
        "delegation-unknown": lambda forge: {
            **forge.first(),
            "targets/a": forge.delegation("targets/a"),
        },
        "no-root": lambda forge: {"targets": forge.targets()},
        "no-targets": lambda forge: {"root": forge.root()},
        "no-targets-but-snapshot": lambda forge: {
            k: v for k, v in forge.first().items() if k != "targets"
        },
        "no-snapshot": lambda forge: {"root": forge.root(), "targets": forge.targets()},
        "snapshot-alone": lambda forge: {"snapshot": forge.first()["snapshot"]},
    },
)
uploads(
    "upload/server-snapshot",
    {
        "first": lambda forge: forge.first(),
        "no-targets": lambda forge: {"root": forge.root()},
        "no-root": lambda forge: {"targets": forge.targets()},
        "snapshot-by-client": lambda forge: {
            **forge.first(),
            "snapshot": forge.snapshot(meta_of=forge.first(), signers=[Key.generate()]),
        },
    },
    server_snapshot=True,
)
