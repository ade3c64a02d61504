"""Groups of commands that are loaded when they are called or listed, from a table of names."""

from collections.abc import Mapping
from typing import Any, cast

import click

from lfm2_colbert.errors import suggestion
from lfm2_colbert.registry import lookup


class CommandTable(click.Group):
    """Loads a command when it is called or listed."""

    def __init__(self, *args: Any, table: Mapping[str, str], **kwargs: Any) -> None:
        """Take the table: name → ``"module:attribute"``, in the order in which help lists them."""
        super().__init__(*args, **kwargs)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order in which a newcomer needs them."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        return cast(click.Command, lookup(self._table, cmd_name, "command")) if cmd_name in self._table else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of the arguments, or say which one was probably meant."""
        if args and not args[0].startswith("-") and args[0] not in self._table:
            raise click.UsageError(f"no command '{args[0]}'; {suggestion(args[0], self._table)}", ctx)
        return super().resolve_command(ctx, args)
