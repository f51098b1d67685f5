"""Bringing the tables of the Go daemons to their last level, so that they can be taken over."""
