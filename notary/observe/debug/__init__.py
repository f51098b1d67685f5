"""A server that shows what a running daemon does, to this machine alone."""
