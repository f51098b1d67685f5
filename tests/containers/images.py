"""Builds the images that the tests need."""

from __future__ import annotations

import argparse
import time

from tests.containers.stack import report, run

STAND_INS = {"haproxy": "haproxy:2.8", "nginx": "nginx:1.26", "postgres": "postgres:15"}
_SECONDS = 1800


def main() -> None:
    """Build both daemons, and stand-ins for what cannot be pulled."""
    parser = argparse.ArgumentParser(description="Build the images that the tests need.")
    parser.add_argument(
        "--stand-ins", action="store_true", help="also those that are pulled otherwise"
    )
    stand_ins = parser.parse_args().stand_ins
    began = time.monotonic()
    files = ("--file=docker-compose.yml", "--file=tests/containers/host-network.yml")
    run("docker", "compose", *files, "build", timeout=_SECONDS)
    report(f"built within {time.monotonic() - began:.0f} s")
    for name, tag in STAND_INS.items() if stand_ins else ():
        directory = "tests/containers/stand_ins"
        file = f"--file={directory}/{name}.Dockerfile"
        run(
            *("docker", "build", "--network=host", file, f"--tag={tag}", directory),
            timeout=_SECONDS,
        )


if __name__ == "__main__":
    main()
