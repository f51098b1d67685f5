"""Set-ups that are broken on purpose, and what the daemons say of them."""
