"""What goes wrong while a configuration is read."""

from __future__ import annotations

from collections.abc import Sequence


class ConfigError(Exception):
    """A configuration that no daemon can start with.

    Attributes:
        problems: One line for each thing that has to be mended. A line names the key, where its
            value came from and what is allowed; it never shows a secret.
        warnings: One line for each thing that has no effect, such as a misspelt key. They are
            often the cause of a problem.
    """

    def __init__(self, problems: Sequence[str], warnings: Sequence[str] = ()) -> None:
        super().__init__(problems, warnings)
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)

    def __str__(self) -> str:
        return "\n".join([*self.problems, *(f"warning: {line}" for line in self.warnings)])
