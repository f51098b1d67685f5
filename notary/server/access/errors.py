"""What is wrong with a token."""

from __future__ import annotations


class TokenError(Exception):
    """A token is not to be believed; the message says why, and nothing of its signature."""
