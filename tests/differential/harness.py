"""Runs a case against a server, and notes what it showed."""

from __future__ import annotations

import re
import time
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timezone
from hashlib import sha256
from typing import Any

import attrs
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.differential.exchange import Answer, Origin
from tests.support.forge import Collection, Files, Key, canonical, key_id, multipart

EXPENDABLE = "expendable"
"""The setting for what kills the reference: its memory is bounded, and it is started again."""


class SetupError(Exception):
    """A case could not be prepared: a request that has to succeed did not."""


Item = Answer | str
Scenario = Callable[["Site"], Iterable[Item]]


@attrs.frozen
class Outcome:
    """All that one server showed in one case."""

    items: tuple[Item, ...]

    def __str__(self) -> str:
        return "; ".join(map(str, self.items))

    def facts(self) -> list[Any]:
        """What has to be the same on both servers."""
        return [
            [str(item), item.facts() if isinstance(item, Answer) else None] for item in self.items
        ]


@attrs.frozen
class Case:
    """A named scenario.

    Attributes:
        id: the theme, a slash and the name.
        scenario: runs against one server and yields what is to be compared.
        setting: the configuration both servers run with, one of `servers.SETTINGS`.
    """

    id: str
    scenario: Scenario = attrs.field(repr=False)
    setting: str = "plain"

    @property
    def gun(self) -> str:
        """A GUN of plain characters that no other case has, nor the beginning of one's."""
        words = re.sub("[^a-z0-9]+", "-", self.id.lower()).strip("-")
        return f"case/{words[:60]}-{sha256(self.id.encode()).hexdigest()[:8]}"

    def run(self, origin: Origin) -> Outcome:
        """Run on one server; each case has a GUN of its own there."""
        return Outcome(tuple(self.scenario(Site(origin, self.gun))))


CASES: dict[str, Case] = {}


def case(name: str, setting: str = "plain") -> Callable[[Scenario], Scenario]:
    """Register a scenario under a name that nobody has taken."""

    def register(scenario: Scenario) -> Scenario:
        if name in CASES:
            raise ValueError(f"two cases are called {name}")
        CASES[name] = Case(name, scenario, setting)
        return scenario

    return register


@attrs.frozen
class Site:
    """One server as one case sees it: with a GUN that no other case uses."""

    origin: Origin
    gun: str

    def base(self, gun: str | None = None) -> str:
        """The path of the collection's files."""
        return f"/v2/{gun or self.gun}/_trust/tuf/"

    def request(self, method: str, target: str | bytes, body: bytes = b"", **how: Any) -> Answer:
        """Send a request to any target."""
        return self.origin.request(method, target, body, **how)

    def get(self, name: str, *, gun: str | None = None, **how: Any) -> Answer:
        """GET a file of the collection."""
        return self.request("GET", self.base(gun) + name, **how)

    def upload(self, files: Files, *, gun: str | None = None) -> Answer:
        """POST files to the collection."""
        content_type, body = multipart(files)
        return self.request("POST", self.base(gun), body, headers={"Content-Type": content_type})

    def collection(
        self,
        *,
        server_snapshot: bool = False,
        gun: str | None = None,
        name: str | None = None,
        **keys: Any,
    ) -> Collection:
        """Make a publisher for the collection, with the server's keys fetched.

        Args:
            gun: how the GUN is written in paths.
            name: the GUN itself, where it is written in another way in paths.
        """
        if "timestamp_key" not in keys:
            keys["timestamp_key"] = self.server_key("timestamp", gun=gun)
        if server_snapshot:
            keys["snapshot_key"] = self.server_key("snapshot", gun=gun)
        return Collection(name or gun or self.gun, **keys)

    def server_key(self, role: str, *, gun: str | None = None) -> dict[str, Any]:
        """Fetch a public key of the server."""
        answer = self.get(f"{role}.key", gun=gun)
        if answer.status != 200:
            raise SetupError(f"{self.origin.name}: GET {role}.key of {gun or self.gun}: {answer}")
        key: dict[str, Any] = answer.json
        return key

    def publish(self, files: Files, *, gun: str | None = None) -> None:
        """POST files that the server has to take."""
        answer = self.upload(files, gun=gun)
        if answer.status != 200:
            raise SetupError(
                f"{self.origin.name}: publish to {gun or self.gun}: {answer} {answer.body!r}"
            )

    def published(self, *, gun: str | None = None, **how: Any) -> Collection:
        """Make a publisher whose first publish is done."""
        forge = self.collection(gun=gun, **how)
        self.publish(forge.first(), gun=gun)
        return forge

    def state(self, forge: Collection | None = None, *, gun: str | None = None) -> str:
        """Read the collection as a client does and say which versions it got, or what it lacks.

        The timestamp names the snapshot by its hash, and the snapshot all other files. With a
        publisher, the server's signatures are checked, too.
        """
        current = self.get("timestamp.json", gun=gun)
        if current.status != 200:
            missing = current.error.get("code") == "METADATA_NOT_FOUND"
            return "nothing to read" if missing else f"timestamp: {current}"
        found = [self._signed_by("timestamp", current, forge.timestamp_key if forge else None)]
        wanted = {"snapshot": current.json["signed"]["meta"]["snapshot"]}
        while wanted:
            role, meta = wanted.popitem()
            digest = b64decode(meta["hashes"]["sha256"]).hex()
            answer = self.get(f"{role}.{digest}.json", gun=gun)
            if answer.status != 200 or sha256(answer.body).hexdigest() != digest:
                found.append(f"{role} lost")
                continue
            if self.get(f"{role}.json", gun=gun).body != answer.body:
                found.append(f"{role} is another one without its hash")
            key = forge.snapshot_key if forge and role == "snapshot" else None
            found.append(self._signed_by(role, answer, key))
            if role == "snapshot":
                wanted.update(sorted(answer.json["signed"]["meta"].items(), reverse=True))
        return ", ".join(found)

    def _signed_by(self, role: str, answer: Answer, key: Key | Mapping[str, Any] | None) -> str:
        signed, signatures = answer.json["signed"], answer.json["signatures"]
        if isinstance(key, Mapping):
            public = Ed25519PublicKey.from_public_bytes(b64decode(key["keyval"]["public"]))
            try:
                if [each["keyid"] for each in signatures] != [key_id(key)]:
                    return f"{role} signed by another key"
                public.verify(b64decode(signatures[0]["sig"]), canonical(signed))
            except InvalidSignature:
                return f"{role} badly signed"
        return f"{role} {signed['version']}"


def wait_until(moment: datetime) -> None:
    """Return once the clock has passed a moment."""
    while (left := (moment - datetime.now(timezone.utc)).total_seconds()) >= 0:
        time.sleep(left + 0.01)


def uploads(theme: str, table: Mapping[str, Callable[[Collection], Files]], **how: Any) -> None:
    """Register first publishes: each is sent, answered, and what is stored then is read."""
    for name, build in table.items():

        @case(f"{theme}/{name}")
        def scenario(site: Site, build: Callable[[Collection], Files] = build) -> Iterator[Item]:
            forge = site.collection(**how)
            yield site.upload(build(forge))
            yield site.state(forge)


def updates(theme: str, table: Mapping[str, Callable[[Collection], Files]], **how: Any) -> None:
    """Register publishes to a collection that holds version 1 of everything."""
    for name, build in table.items():

        @case(f"{theme}/{name}")
        def scenario(site: Site, build: Callable[[Collection], Files] = build) -> Iterator[Item]:
            forge = site.published(**how)
            before = attrs.evolve(forge)
            answer = site.upload(build(forge))
            yield answer
            yield site.state(forge if answer.status == 200 else before)
