"""The daemon that holds the timestamp and snapshot keys, and signs with them."""
