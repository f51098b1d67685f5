"""Set-ups whose server and signer do not find together."""

from __future__ import annotations

from collections.abc import Callable

from tests.broken.running import Plan, Setup

_LOGS = "the signer at"


def at(name: str) -> Callable[[Plan], None]:
    """Let the server ask another signer."""

    def move(plan: Plan) -> None:
        plan.set("trust_service", port=plan.world.ports[name])

    return move


def unknown_host(plan: Plan) -> None:
    plan.set("trust_service", hostname="signer.invalid")


def other_authority(plan: Plan) -> None:
    plan.set("trust_service", tls_ca_file=str(plan.world.other.certificate_file))


def other_name(plan: Plan) -> None:
    plan.set("trust_service", hostname="127.0.0.1")


def stranger(plan: Plan) -> None:
    identity = plan.world.make_identity("stranger", plan.world.other)
    plan.set(
        "trust_service",
        tls_client_cert=str(identity.certificate_file),
        tls_client_key=str(identity.key_file),
    )


def nothing_shown(plan: Plan) -> None:
    plan.set("trust_service", tls_client_cert=None, tls_client_key=None)


SETUPS = (
    Setup("No signer at the address", "server", "Start it, or correct it.", at("nobody"), _LOGS),
    Setup("The signer's host is unknown", "server", "Correct it.", unknown_host, _LOGS),
    Setup("The authority is not the signer's", "server", "Set its own.", other_authority, _LOGS),
    Setup(
        "The signer's certificate is for another name",
        "server",
        "Use a name that it has, or have one issued with this name.",
        other_name,
        _LOGS,
    ),
    Setup(
        "The signer's certificate has expired",
        "server",
        "Renew it.",
        at("expired-signer"),
        _LOGS,
    ),
    Setup(
        "The signer does not accept the server's certificate",
        "server",
        "Show one that the signer's ``server.client_ca_file`` vouches for.",
        stranger,
        _LOGS,
    ),
    Setup("The server shows no certificate", "server", "Set one.", nothing_shown, _LOGS),
    Setup("A Go signer", "server", "Run this signer; it takes over keys.", at("go-signer"), _LOGS),
    Setup("A signer without its database", "server", "Mend the signer.", at("sick-signer")),
)
