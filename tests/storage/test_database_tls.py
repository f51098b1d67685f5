"""TLS to the real databases, with the files that ``storage`` names."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from notary.storage.certificates import NO_CERTIFICATES, Certificates
from notary.storage.dsn import engine_url
from notary.storage.engines import create_engine_for
from notary.storage.interfaces import DatabaseAccessError, DatabaseTLSError, DSNError
from notary.storage.transactions import run_query
from tests.support.authority import make_identity
from tests.support.daemons import FIXTURES, ROOT_CA
from tests.support.mariadb import PASSWORD, Database, MariaDB
from tests.support.postgres import CERTIFIED, Postgres, PostgresDatabase

ENCRYPTED = {
    "mysql": "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS "
    "WHERE VARIABLE_NAME = 'Ssl_version'",
    "postgres": "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
}


@pytest.fixture
def own(tmp_path: Path) -> Certificates:
    """A certificate that the databases trust, its key readable by nobody else, as libpq asks."""
    key = tmp_path / "client.key"
    shutil.copy(FIXTURES / "notary-server.key", key)
    key.chmod(0o600)
    return Certificates(ROOT_CA, FIXTURES / "notary-server.crt", key)


@pytest.fixture
def other_ca(tmp_path: Path) -> Path:
    return make_identity(tmp_path, "other", is_ca=True).certificate_file


def protocol(backend: str, db_url: str, certificates: Certificates = NO_CERTIFICATES) -> str | None:
    """The version of TLS that a connection has."""
    engine = create_engine_for(engine_url(backend, db_url, certificates))
    try:
        version: str | None = run_query(engine, lambda c: c.scalar(text(ENCRYPTED[backend])))
        return version
    finally:
        engine.dispose()


class TestMySQL:
    @pytest.mark.parametrize("mode", ["", "&tls=true"])
    def test_right_authority(self, database: Database, mode: str) -> None:
        dsn = database.dsn + mode
        assert protocol("mysql", dsn, Certificates(ROOT_CA)) == "TLSv1.3"
        by_name = dsn.replace("127.0.0.1", "localhost")
        assert protocol("mysql", by_name, Certificates(ROOT_CA)) == "TLSv1.3"

    def test_over_a_socket(self, database: Database) -> None:
        assert protocol("mysql", database.socket_dsn, Certificates(ROOT_CA)) == "TLSv1.3"

    def test_wrong_authority(self, database: Database, other_ca: Path) -> None:
        with pytest.raises(DatabaseTLSError, match=r"certificate verify failed.*tls_ca_file"):
            protocol("mysql", database.dsn, Certificates(other_ca))

    def test_wrong_name(self, database: Database) -> None:
        dsn = database.dsn.replace("127.0.0.1", "127.1")
        assert protocol("mysql", f"{dsn}&tls=skip-verify") == "TLSv1.3"
        with pytest.raises(DatabaseTLSError, match=r"'127.1'.*mismatch"):
            protocol("mysql", dsn, Certificates(ROOT_CA))

    @pytest.mark.parametrize("mode", ["", "&tls=true"])
    def test_certificate_of_ones_own(
        self, mariadb: MariaDB, database: Database, own: Certificates, mode: str
    ) -> None:
        mariadb.execute(f"ALTER USER {database.name} REQUIRE X509")
        with pytest.raises(DatabaseAccessError, match=r"1045 Access denied") as caught:
            protocol("mysql", database.dsn, Certificates(ROOT_CA))
        assert PASSWORD not in str(caught.value)
        assert protocol("mysql", database.dsn + mode, own) == "TLSv1.3"

    def test_certificate_of_ones_own_without_verification(
        self, mariadb: MariaDB, database: Database, own: Certificates
    ) -> None:
        mariadb.execute(f"ALTER USER {database.name} REQUIRE X509")
        unverified = Certificates(None, own.certificate, own.key)
        assert protocol("mysql", f"{database.dsn}&tls=skip-verify", unverified) == "TLSv1.3"

    def test_server_without_tls(self, mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch) -> None:
        from pymysql.constants import CLIENT

        monkeypatch.setattr(CLIENT, "SSL", 1 << 40)  # as if the server had not offered it
        with pytest.raises(DatabaseTLSError, match=r"2026"):
            protocol("mysql", mariadb.create_database().dsn, Certificates(ROOT_CA))

    def test_files_of_no_use(self, tmp_path: Path, own: Certificates) -> None:
        nonsense = tmp_path / "nonsense.crt"
        nonsense.write_text("nonsense")
        dsn = "notary@tcp(127.0.0.1)/server"
        with pytest.raises(DSNError, match=r"^storage.tls_ca_file: no certificates"):
            protocol("mysql", dsn, Certificates(nonsense))
        with pytest.raises(DSNError, match=r"^storage.client_cert_file, storage.client_key_file"):
            protocol("mysql", dsn, Certificates(ROOT_CA, nonsense, own.key))


class TestPostgres:
    @pytest.fixture
    def database(self, postgres: Postgres) -> PostgresDatabase:
        return postgres.create_database()

    @pytest.mark.parametrize("mode", ["", "?sslmode=verify-full", "?sslmode=verify-ca"])
    def test_right_authority(self, database: PostgresDatabase, mode: str) -> None:
        assert protocol("postgres", database.address + mode, Certificates(ROOT_CA)) == "TLSv1.3"

    def test_encrypted_without_being_told(self, database: PostgresDatabase) -> None:
        assert protocol("postgres", database.address) == "TLSv1.3"
        with pytest.raises(DatabaseAccessError, match=r"no pg_hba.conf entry.*no encryption"):
            protocol("postgres", f"{database.address}?sslmode=disable")

    def test_wrong_authority(self, database: PostgresDatabase, other_ca: Path) -> None:
        with pytest.raises(DatabaseTLSError, match=r"certificate verify failed.*tls_ca_file"):
            protocol("postgres", database.address, Certificates(other_ca))

    def test_wrong_name(self, database: PostgresDatabase) -> None:
        address = database.address.replace("127.0.0.1", "db.example.com")
        url = f"{address}?hostaddr=127.0.0.1"
        assert protocol("postgres", url) == "TLSv1.3"
        with pytest.raises(DatabaseTLSError, match=r'does not match host name "db.example.com"'):
            protocol("postgres", url, Certificates(ROOT_CA))

    def test_certificate_of_ones_own(
        self, postgres: Postgres, database: PostgresDatabase, own: Certificates
    ) -> None:
        postgres.execute(f"GRANT {CERTIFIED} TO {database.name}")
        with pytest.raises(DatabaseTLSError, match=r"requires a valid client certificate"):
            protocol("postgres", database.address, Certificates(ROOT_CA))
        assert protocol("postgres", database.address, own) == "TLSv1.3"
        by_libpq = f"sslrootcert={own.ca}&sslcert={own.certificate}&sslkey={own.key}"
        url = f"{database.address}?sslmode=verify-full&{by_libpq}"
        assert protocol("postgres", url) == "TLSv1.3"
