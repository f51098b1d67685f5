#!/usr/bin/env bash
# Runs a signer and a server with the local samples, until Ctrl-C or until one of them ends.
# What they keep is in var/: a database each, and the passphrase of the signer's keys.
#
# Usage: conf/run-local.sh DIRECTORY, where the commands notary-signer and notary-server are
set -euo pipefail

bin=$(cd "$1" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/.."

umask 077
mkdir -p var
if [ ! -s var/passphrase ]; then
    head -c 24 /dev/urandom | base64 >var/passphrase
fi
export NOTARY_SIGNER_TIMESTAMP_1_FILE=../var/passphrase # as seen from conf/

# The daemons warn of keys that everybody can read, as those in fixtures/ are.
install -m 600 fixtures/notary-server.key fixtures/notary-signer.key var/
export NOTARY_SERVER_SERVER_TLS_KEY_FILE=../var/notary-server.key
export NOTARY_SERVER_TRUST_SERVICE_TLS_CLIENT_KEY=../var/notary-server.key
export NOTARY_SIGNER_SERVER_TLS_KEY_FILE=../var/notary-signer.key

stop() {
    trap '' INT TERM
    # shellcheck disable=SC2046 # one word for each process
    kill $(jobs -p) 2>/dev/null || true
    wait
}
trap stop EXIT
trap 'exit 0' INT TERM

"$bin/notary-signer" -config=conf/signer-local.json -logf=logfmt &
"$bin/notary-server" -config=conf/server-local.json -logf=logfmt &
wait -n
