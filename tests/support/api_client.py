"""A client of the HTTP API that keeps its connection, for tests that publish a lot."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from types import MappingProxyType

import attrs

from tests.support.daemons import ROOT_CA
from tests.support.forge import Files, multipart

SECONDS = 60


@attrs.frozen
class Reply:
    """What a server answered.

    Attributes:
        status: the HTTP status.
        headers: by name, whose case does not count.
        body: the bytes.
    """

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def code(self) -> str:
        """The code of its first error."""
        code: str = json.loads(self.body)["errors"][0]["code"]
        return code


class ApiClient:
    """Talks to the server at a port of ``localhost``. Every method blocks."""

    def __init__(
        self, port: int, context: ssl.SSLContext | None = None, *, secure: bool = True
    ) -> None:
        self._connection: http.client.HTTPConnection
        if secure:
            self._connection = http.client.HTTPSConnection(
                "localhost",
                port,
                timeout=SECONDS,
                context=context or ssl.create_default_context(cafile=ROOT_CA),
            )
        else:
            self._connection = http.client.HTTPConnection("localhost", port, timeout=SECONDS)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        content_type: str = "",
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Reply:
        """Send a request and return what is answered."""
        sent = {"Content-Type": content_type, **headers}
        self._connection.request(method, path, body, sent)
        response = self._connection.getresponse()
        return Reply(response.status, response.headers, response.read())

    def get(self, gun: str, name: str) -> Reply:
        """Ask for a file or key of a collection, such as ``timestamp.json``."""
        return self.ask("GET", f"/v2/{gun}/_trust/tuf/{name}")

    def publish(
        self, gun: str, files: Files, headers: Mapping[str, str] = MappingProxyType({})
    ) -> Reply:
        """Publish files."""
        content_type, body = multipart(files)
        return self.ask("POST", f"/v2/{gun}/_trust/tuf/", body, content_type, headers)
