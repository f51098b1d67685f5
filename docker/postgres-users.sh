#!/bin/sh
# Makes the databases of both daemons and their users, with the passwords that are in /run/secrets
# now. May be run again at any time: it does nothing if there is nothing to do.
set -eu

password() {
    cat "/run/secrets/$1-db-password"
}

PGPASSWORD=$(password root)
export PGPASSWORD
for user in owner server signer; do
    psql --host=database --username=postgres --quiet --set=ON_ERROR_STOP=1 \
        --set=user="$user" --set=password="$(password "$user")" <<'SQL'
SELECT format('CREATE ROLE %I LOGIN', :'user')
    WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'user') \gexec
ALTER ROLE :"user" PASSWORD :'password';
SQL
done

# The owner makes and upgrades the tables; what the daemon may do in them goes with each new one.
for daemon in server signer; do
    psql --host=database --username=postgres --quiet --set=ON_ERROR_STOP=1 \
        --set=daemon="$daemon" --set=database="notary$daemon" <<'SQL'
SELECT format('CREATE DATABASE %I OWNER owner ENCODING UTF8 TEMPLATE template0', :'database')
    WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO :"daemon";
\connect :"database"
ALTER DEFAULT PRIVILEGES FOR ROLE owner GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"daemon";
ALTER DEFAULT PRIVILEGES FOR ROLE owner GRANT USAGE ON SEQUENCES TO :"daemon";
SQL
done
