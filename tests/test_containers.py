"""What can be told of the image and the compose files without an engine."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from notary.config import load_server_config, load_signer_config
from tests.support.daemons import find_program, missing

PROJECT = Path(__file__).parents[1]
BASE = "docker-compose.yml"
OVERRIDES = sorted(path.name for path in PROJECT.glob("docker-compose.*.yml"))
DAEMONS = ("server", "signer", "server-tables", "signer-tables")
DEFAULT = re.compile(r"\$\{[A-Z_]+:-([^}]*)\}")


class Loader(yaml.SafeLoader):
    """Reads compose files, whose tags say how an override is merged."""


def _merged(loader: Loader, node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    assert isinstance(node, yaml.SequenceNode)
    return loader.construct_sequence(node, deep=True)


Loader.add_constructor("!reset", _merged)
Loader.add_constructor("!override", _merged)


def compose(name: str) -> dict[str, Any]:
    """A compose file, with the defaults of its variables."""
    text = DEFAULT.sub(r"\1", (PROJECT / name).read_text())
    assert "${" not in text
    found: dict[str, Any] = yaml.load(text, Loader)
    return found


def services(name: str = BASE) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose(name)["services"]
    return found


def sources(service: dict[str, Any], kind: str) -> set[str]:
    """The names of the configurations or secrets that a service has."""
    return {entry if isinstance(entry, str) else entry["source"] for entry in service.get(kind, ())}


def test_the_dockerfile_is_clean() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [hadolint, "--no-color", PROJECT / "docker" / "Dockerfile"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", [BASE, *OVERRIDES])
def test_compose_accepts_it(name: str) -> None:
    docker = [find_program("docker", "docker-cli"), "compose"]
    try:
        subprocess.run([*docker, "version"], capture_output=True, check=True, timeout=60)
    except subprocess.CalledProcessError:
        missing("docker compose is missing; tests/compose-plugin.sh installs it on Debian 12")
    files = [f"--file={file}" for file in dict.fromkeys([BASE, name])]
    done = subprocess.run(
        [*docker, *files, "config", "--quiet"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", [BASE, *OVERRIDES])
@pytest.mark.parametrize("kind", ["configs", "secrets"])
def test_every_file_is_there_and_used(name: str, kind: str) -> None:
    there = compose(name).get(kind, {})
    for entry in there.values():
        assert (PROJECT / entry["file"]).is_file()
    known = compose(BASE)[kind]
    wanted = {source for service in services(name).values() for source in sources(service, kind)}
    assert wanted <= {*there, *known}
    assert {*there} <= wanted | {*known}


def test_the_sample_secrets_say_what_they_are() -> None:
    files = [
        entry["file"] for entry in compose(BASE)["secrets"].values() if "docker/" in entry["file"]
    ]
    there = {path.name for path in (PROJECT / "docker" / "secrets").iterdir()} - {"README.rst"}
    assert {Path(file).name for file in files} == there
    contents = {(PROJECT / file).read_text() for file in files}
    assert len(contents) == len(files)
    assert all(content.startswith("a-public-sample-") for content in contents)


@pytest.mark.parametrize("name", [BASE, *OVERRIDES])
def test_no_secret_stands_in_a_file(name: str) -> None:
    for service in services(name).values():
        for variable, value in service.get("environment", {}).items():
            if "PASSWORD" in variable or "TIMESTAMP" in variable:
                assert variable.endswith("_FILE")
            assert not re.search(r":[^/@]+@", value), "a URL holds a password"


@pytest.mark.parametrize("name", DAEMONS)
def test_daemons_may_do_little(name: str) -> None:
    service = services()[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["stop_grace_period"] == "30s"
    assert not {"privileged", "volumes", "cap_add", "user"} & {*service}


def test_each_service_has_the_secrets_it_needs() -> None:
    found = services()
    assert {name: sources(found[name], "secrets") for name in found} == {
        "server": {"server-key", "server-db-password"},
        "signer": {"signer-key", "signer-db-password", "signer-passphrase"},
        "server-tables": {"server-key", "owner-db-password"},
        "signer-tables": {"signer-key", "owner-db-password"},
        "database": {"root-db-password"},
        "database-users": {
            *(f"{user}-db-password" for user in ("root", "owner", "server", "signer"))
        },
    }


def test_only_the_server_can_be_reached() -> None:
    found = services()
    assert [name for name in found if "ports" in found[name]] == ["server"]
    networks = compose(BASE)["networks"]
    closed = {name for name in networks if (networks[name] or {}).get("internal")}
    assert closed == {"sig", "mdb"}
    assert {name for name in found if {*found[name]["networks"]} - closed} == {"server"}
    assert {name for name in found if "sig" in found[name]["networks"]} == {"server", "signer"}


def test_what_is_published_of_two_is_the_cache() -> None:
    found = services("docker-compose.two.yml")
    assert [name for name in found if found[name].get("ports")] == ["cache"]
    networks = compose("docker-compose.two.yml")["networks"]
    open_networks = [name for name in networks if not (networks[name] or {}).get("internal")]
    assert open_networks == ["outside"]
    assert [name for name in found if "outside" in found[name].get("networks", ())] == ["cache"]
    for name in ("balancer", "cache"):
        assert found[name]["read_only"]
        assert found[name]["cap_drop"] == ["ALL"]
        assert found[name]["user"] == "10001:10001"


def test_nothing_starts_before_what_it_needs() -> None:
    found = services()
    ending = {name for name in found if found[name].get("restart", "no") == "no"}
    assert ending == {"server-tables", "signer-tables", "database-users"}
    for service in found.values():
        for needed, how in service.get("depends_on", {}).items():
            ends = needed in ending
            expected = "service_completed_successfully" if ends else "service_healthy"
            assert how["condition"] == expected
            assert ends or "healthcheck" in found[needed]
    # Otherwise --wait would take their end for a failure.
    assert ending <= {
        needed for service in found.values() for needed in service.get("depends_on", ())
    }


@pytest.mark.parametrize("daemon", ["server", "signer"])
def test_the_configurations_load(tmp_path: Path, daemon: str) -> None:
    service, top = services()[daemon], compose(BASE)
    text = (PROJECT / "docker" / f"{daemon}.json").read_text()
    for name in sources(service, "secrets"):
        path = tmp_path / name
        path.write_bytes((PROJECT / top["secrets"][name]["file"]).read_bytes())
        text = text.replace(f"/run/secrets/{name}", str(path))
    assert "/run/secrets" not in text
    for entry in service["configs"]:
        content = (PROJECT / top["configs"][entry["source"]]["file"]).read_bytes()
        (tmp_path / Path(entry["target"]).name).write_bytes(content)
    (tmp_path / "config.json").write_text(text)
    environment = service.get("environment", {})
    load = {"server": load_server_config, "signer": load_signer_config}[daemon]
    assert load(tmp_path / "config.json", environment).warnings == ()
    assert json.loads(text)["storage"]["db_url"].startswith(f"{daemon}@tcp(database:3306)")


def test_servers_behind_proxies_only_believe_these() -> None:
    alone, behind = (
        json.loads((PROJECT / "docker" / name).read_text())
        for name in ("server.json", "server-behind-proxies.json")
    )
    networks = compose("docker-compose.two.yml")["networks"]
    (subnet,) = (entry["subnet"] for entry in networks["srv"]["ipam"]["config"])
    assert behind["server"].pop("trusted_proxies") == [subnet]
    assert behind == alone


def test_the_image_takes_in_no_more_than_it_needs() -> None:
    lines = (PROJECT / ".dockerignore").read_text().splitlines()
    assert lines[0] == "*"
    copied = re.findall(
        r"^COPY (?!--from)(.+) \S+$", (PROJECT / "docker/Dockerfile").read_text(), re.M
    )
    assert {name for names in copied for name in names.split()} == {
        line[1:] for line in lines if line.startswith("!")
    }
