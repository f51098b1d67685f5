"""Set-ups whose database is broken, or what they know of it."""

from __future__ import annotations

from datetime import datetime

from notary.signer.envelope import ENCRYPTION_ALG, KEYWRAP_ALG, seal
from notary.signing.private_keys import PrivateKey
from notary.storage.bootstrap import SERVER, SIGNER, bootstrap
from notary.storage.dsn import engine_url
from notary.storage.engines import create_engine_for
from notary.storage.keys.interfaces import SealedKey
from notary.storage.keys.sql import add_txn
from notary.storage.transactions import run_transaction
from tests.broken.running import Plan, Setup
from tests.support.daemons import ALIAS, PASSPHRASE
from tests.support.mariadb import PASSWORD


def use(plan: Plan, dsn: str, **keys: object) -> None:
    plan.set("storage", backend="mysql", db_url=dsn, **keys)


def unreachable(plan: Plan) -> None:
    use(plan, f"notary:secret@tcp(127.0.0.1:{plan.world.ports['nobody']})/notary")


def wrong_password(plan: Plan) -> None:
    _, dsn = plan.world.make_database(SERVER)
    use(plan, dsn.replace(PASSWORD, "wrong"))


def wrong_name(plan: Plan) -> None:
    name, dsn = plan.world.make_database(None)
    plan.world.mariadb.execute(f"GRANT ALL ON *.* TO {name}")
    use(plan, dsn.replace(f"/{name}", "/notaryserver"))


def not_bootstrapped(plan: Plan) -> None:
    use(plan, plan.world.make_database(None)[1])


def newer(plan: Plan) -> None:
    name, dsn = plan.world.make_database(SERVER)
    plan.world.mariadb.execute(f"UPDATE {name}.alembic_version SET version_num = '0099'")
    use(plan, dsn)


def wrong_grant(plan: Plan) -> None:
    name, dsn = plan.world.make_database(SERVER)
    plan.world.mariadb.grant(name, "SELECT, INSERT, UPDATE")
    use(plan, dsn)


def no_update(plan: Plan) -> None:
    name, dsn = plan.world.make_database(SIGNER)
    plan.world.mariadb.grant(name, "SELECT, INSERT, DELETE")
    use(plan, dsn)


def tls_demanded(plan: Plan) -> None:
    name, dsn = plan.world.make_database(SERVER)
    plan.world.mariadb.execute(f"ALTER USER {name} REQUIRE SSL")
    use(plan, dsn)


def other_authority(plan: Plan) -> None:
    _, dsn = plan.world.make_database(SERVER)
    use(plan, dsn, tls_ca_file=str(plan.world.other.certificate_file))


def no_passphrase(plan: Plan) -> None:
    plan.environ.clear()


def key_under(plan: Plan, alias: str) -> None:
    """Put a key into the signer's database."""
    plan.has_database = True
    file = plan.world.directory / plan.config["storage"]["db_url"]
    engine = create_engine_for(engine_url("sqlite3", str(file)))
    bootstrap(engine, SIGNER)
    private = PrivateKey.generate("ecdsa")
    key = SealedKey(
        key_id=private.public.key_id,
        algorithm="ecdsa",
        gun="example.com/app",
        role="timestamp",
        public=private.public.public,
        private=seal(private.to_bytes(), PASSPHRASE),
        passphrase_alias=alias,
        keywrap_alg=KEYWRAP_ALG,
        encryption_alg=ENCRYPTION_ALG,
    )
    run_transaction(engine, lambda connection: add_txn(connection, key, datetime(2025, 1, 1)))
    engine.dispose()


def wrong_passphrase(plan: Plan) -> None:
    key_under(plan, ALIAS)
    plan.environ = {"NOTARY_SIGNER_TIMESTAMP_1": "another one"}


def former_alias(plan: Plan) -> None:
    key_under(plan, "timestamp_0")


SETUPS = (
    Setup("Nobody at the address", "server", "Start it, or correct it.", unreachable, "waiting"),
    Setup("The password is wrong", "server", "Correct it.", wrong_password),
    Setup("The name is wrong", "server", "Correct it, or make the database.", wrong_name),
    Setup("The tables are missing", "server", "Run ``-bootstrap``.", not_bootstrapped),
    Setup("The tables are newer", "server", "Run the newer version.", newer),
    Setup("DELETE was not granted", "server", "Grant it.", wrong_grant),
    Setup("The signer may not UPDATE", "signer", "Grant it.", no_update),
    Setup("The database demands TLS", "server", "Set ``storage.tls_ca_file``.", tls_demanded),
    Setup("Another authority", "server", "Set the right authority.", other_authority),
    Setup("No passphrase for new keys", "signer", "Give it one.", no_passphrase),
    Setup("The passphrase is another one", "signer", "Give it the right one.", wrong_passphrase),
    Setup(
        "The passphrase of older keys is missing",
        "signer",
        "Go on giving it that passphrase.",
        former_alias,
    ),
)
