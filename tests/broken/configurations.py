"""Set-ups whose configuration is broken."""

from __future__ import annotations

from tests.broken.running import Plan, Setup


def no_json(plan: Plan) -> None:
    plan.config = '{"server": {"http_addr": ":4443",}}'


def no_file(plan: Plan) -> None:
    plan.config = None


def misspelt_section(plan: Plan) -> None:
    plan.set("loging", level="debug")


def misspelt_key(plan: Plan) -> None:
    plan.set("storage", db_url=None, dburl="server.db")


def map_overridden(plan: Plan) -> None:
    plan.environ["NOTARY_SERVER_STORAGE"] = '{"storage": {"backend": "memory"}}'


def misspelt_variable(plan: Plan) -> None:
    plan.environ["NOTARY_SERVER_STORAGE_DBURL"] = "server.db"


def lone_option(plan: Plan) -> None:
    plan.environ["NOTARY_SERVER_AUTH_OPTIONS_REALM"] = "https://auth.example.com/token"


def trust_tokens(plan: Plan, bundle: str) -> None:
    options = {
        "realm": "https://auth.example.com/token",
        "service": "notary",
        "issuer": "auth.example.com",
        "rootcertbundle": bundle,
    }
    plan.set("auth", type="token", options=options)


def workers_in_memory(plan: Plan) -> None:
    plan.set("server", workers=4)
    plan.set("storage", backend="memory", db_url=None)


def workers_with_own_keys(plan: Plan) -> None:
    plan.set("server", workers=4)
    plan.set("trust_service", type="local", ephemeral_keys=True)


def no_bundle(plan: Plan) -> None:
    trust_tokens(plan, "token-ca.crt")


def wrong_bundle(plan: Plan) -> None:
    trust_tokens(plan, "server.key")


def no_certificate(plan: Plan) -> None:
    plan.set("server", tls_cert_file="missing.crt")


def a_directory(plan: Plan) -> None:
    plan.set("server", tls_cert_file=".")


def local_keys(plan: Plan) -> None:
    plan.set("trust_service", type="local")


def same_port(plan: Plan) -> None:
    plan.set("server", http_addr=f"127.0.0.1:{plan.world.ports['signer']}")


SETUPS = (
    Setup("The file is no JSON", "server", "Mend the place that is named.", no_json),
    Setup("There is no such file", "server", "Correct ``-config``.", no_file),
    Setup("A section is misspelt", "server", "Correct its name.", misspelt_section),
    Setup("A key that is needed is misspelt", "server", "Correct its name.", misspelt_key),
    Setup(
        "A variable overrides a map",
        "server",
        "Set the keys of the map one by one.",
        map_overridden,
    ),
    Setup("A variable is misspelt", "server", "Correct its name.", misspelt_variable),
    Setup(
        "A variable sets one option of a section that the file lacks",
        "server",
        "Set the others of that section too.",
        lone_option,
    ),
    Setup("The bundle for tokens is not there", "server", "Correct its path.", no_bundle),
    Setup(
        "The bundle for tokens is a key",
        "server",
        "Name the file of the token server's certificate.",
        wrong_bundle,
    ),
    Setup("The path of the certificate is wrong", "server", "Correct the path.", no_certificate),
    Setup("A directory in place of a file", "server", "Name the file in it.", a_directory),
    Setup(
        "Keys in memory, collections in a database",
        "server",
        "Run a signer, and let the type be ``remote``.",
        local_keys,
    ),
    Setup(
        "Workers over a store in memory",
        "server",
        "Use a database, or have one process.",
        workers_in_memory,
    ),
    Setup(
        "Workers that would hold the keys themselves",
        "server",
        "Run a signer, and let the type be ``remote``.",
        workers_with_own_keys,
    ),
    Setup("The port is taken", "server", "Stop the other one, or take another port.", same_port),
)
