"""What Alembic runs for each command; the connection comes from `notary.storage.bootstrap`."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
