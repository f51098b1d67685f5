"""The same requests to the Go notary-server and to ours, with every answer compared."""
