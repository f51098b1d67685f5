"""Set-ups whose certificates or keys are broken."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from tests.broken.running import Plan, Setup
from tests.broken.world import copy_of
from tests.support.authority import Identity


def show(plan: Plan, identity: Identity) -> None:
    """Let the server show a certificate."""
    plan.set(
        "server",
        tls_cert_file=str(identity.certificate_file),
        tls_key_file=str(identity.key_file),
    )


def other_key(plan: Plan) -> None:
    plan.set("server", tls_key_file=str(plan.world.signer.key_file))


def swapped_files(plan: Plan) -> None:
    server = plan.world.server
    plan.set(
        "server", tls_cert_file=str(server.key_file), tls_key_file=str(server.certificate_file)
    )


def der(plan: Plan) -> None:
    file = plan.world.directory / "server.der"
    file.write_bytes(plan.world.server.certificate.public_bytes(Encoding.DER))
    plan.set("server", tls_cert_file=str(file))


def encrypted(plan: Plan) -> None:
    show(plan, plan.world.make_identity("locked", passphrase=b"secret"))


def expired(plan: Plan) -> None:
    show(plan, plan.world.make_identity("former", expired=True))


def expires_soon(plan: Plan) -> None:
    show(plan, plan.world.make_identity("ageing", days=9))


def no_names(plan: Plan) -> None:
    show(plan, plan.world.make_identity("nameless", hosts=()))


def weak(plan: Plan) -> None:
    private = rsa.generate_private_key(65537, 1024)
    show(plan, plan.world.make_identity("weak", private=private))


def wrong_order(plan: Plan) -> None:
    between = plan.world.make_identity("intermediate-ca", is_ca=True)
    leaf = plan.world.make_identity("chained", between)
    parts = [leaf.certificate, plan.world.root.certificate, between.certificate]
    leaf.certificate_file.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in parts))
    show(plan, leaf)


def open_to_all(plan: Plan) -> None:
    key: Path = copy_of(plan.world.server.key_file, "open.key", 0o644)
    plan.set("server", tls_key_file=str(key))


def plain_http(plan: Plan) -> None:
    plan.set("server", tls_cert_file=None, tls_key_file=None)


def no_authority(plan: Plan) -> None:
    plan.set("server", client_ca_file=str(plan.world.server.key_file))


def no_client_ca(plan: Plan) -> None:
    plan.set("server", client_ca_file=None)


SETUPS = (
    Setup("The key of another certificate", "server", "Set the right one.", other_key),
    Setup("The files of key and certificate swapped", "server", "Swap them.", swapped_files),
    Setup("A certificate in DER", "server", "Convert it to PEM.", der),
    Setup("A key that is encrypted", "server", "Decrypt it.", encrypted),
    Setup(
        "A certificate that has expired",
        "server",
        "Renew it. Until then clients refuse the server.",
        expired,
        "has expired",
    ),
    Setup("A certificate about to expire", "server", "Renew it.", expires_soon, "expires on"),
    Setup(
        "A certificate without names",
        "server",
        "Have one issued with ``subjectAltName``.",
        no_names,
        "names no host",
    ),
    Setup("A certificate with a weak key", "server", "Make a longer key.", weak),
    Setup(
        "The chain is in the wrong order",
        "server",
        "Put each certificate behind the one that it signed.",
        wrong_order,
        "did not sign it",
    ),
    Setup(
        "A key that everybody can read",
        "server",
        "Take the right from others; think of a new key.",
        open_to_all,
        "can be read",
    ),
    Setup("Plain HTTP", "server", "Set certificate and key.", plain_http, "plain HTTP"),
    Setup("A key where authorities belong", "server", "Set the right file.", no_authority),
    Setup(
        "A signer that lets everybody in",
        "signer",
        "Set the authority of the servers' certificates.",
        no_client_ca,
        "is not set",
    ),
)
