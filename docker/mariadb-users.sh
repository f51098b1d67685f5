#!/bin/sh
# Makes the databases of both daemons and their users, with the passwords that are in /run/secrets
# now. May be run again at any time: it does nothing if there is nothing to do.
set -eu

quoted() { # the password of a user, as SQL writes it
    printf "'%s'" "$(sed "s/['\\\\]/\\\\&/g" "/run/secrets/$1-db-password")"
}

MYSQL_PWD=$(cat /run/secrets/root-db-password)
export MYSQL_PWD
mariadb --host=database --user=root <<SQL
CREATE DATABASE IF NOT EXISTS notaryserver;
CREATE DATABASE IF NOT EXISTS notarysigner;

-- Makes and upgrades the tables.
CREATE USER IF NOT EXISTS owner;
ALTER USER owner IDENTIFIED BY $(quoted owner);
GRANT ALL ON notaryserver.* TO owner;
GRANT ALL ON notarysigner.* TO owner;

CREATE USER IF NOT EXISTS server;
ALTER USER server IDENTIFIED BY $(quoted server);
GRANT SELECT, INSERT, UPDATE, DELETE ON notaryserver.* TO server;

CREATE USER IF NOT EXISTS signer;
ALTER USER signer IDENTIFIED BY $(quoted signer);
GRANT SELECT, INSERT, UPDATE, DELETE ON notarysigner.* TO signer;
SQL
