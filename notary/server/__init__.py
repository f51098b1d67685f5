"""The metadata server: an HTTPS API over a store of metadata and a signer."""
