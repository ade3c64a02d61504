"""`lfm2-colbert keys`: who may use the server, and for what."""

from typing import TYPE_CHECKING, Any

import click

from service.cli import options
from service.cli.output import print_json, print_line, print_table
from service.settings import Settings

if TYPE_CHECKING:
    from service.keys import Key

ROLES = ("read", "write", "admin")


@click.group(invoke_without_command=True)
@options.common
@click.pass_context
def keys(context: click.Context, settings: Settings) -> None:
    """List API keys; `create` and `revoke` them.

    A running server knows of it at the next request.
    """
    if context.invoked_subcommand:
        options.require_behind(context)
        return
    _print_keys(settings)


@keys.command("list")
@options.common
def list_keys(settings: Settings) -> None:
    """List all keys, the oldest first."""
    _print_keys(settings)


@keys.command()
@click.argument("name")
@click.option(
    "--role", type=click.Choice(ROLES), default="read", show_default=True,
    help="Search; write documents too; administer too.",
)  # fmt: skip
@click.option(
    "-c", "--collection", "collections", multiple=True, metavar="NAME",
    help="Such collections only; may be repeated.  [default: all there are and will be]",
)  # fmt: skip
@options.common
def create(name: str, role: str, collections: tuple[str, ...], settings: Settings) -> None:
    """Make a key for NAME, and print its token: only this once."""
    from index.home import list_collections
    from service.keys import Keyring, Role

    key, token = Keyring(settings.home).create(name, Role(role), collections or None)
    print_json(_as_json(key) | {"token": token}) if settings.as_json else print_line(token)
    print_line("shown once; store it now", err=True)
    for missing in sorted(set(collections).difference(list_collections(settings.home))):
        print_line(f"note: there is no collection '{missing}' yet", err=True)


@keys.command()
@click.argument("key_id", metavar="ID")
@options.common
def revoke(key_id: str, settings: Settings) -> None:
    """Let a key open nothing any more."""
    from lfm2_colbert.errors import NotFoundError, suggestion
    from service.keys import Keyring

    keyring = Keyring(settings.home)
    if not keyring.revoke(key_id):
        raise NotFoundError(f"no key '{key_id}'", help=suggestion(key_id, (key.id for key in keyring.all())))
    print_json({"revoked": key_id}) if settings.as_json else print_line(f"revoked '{key_id}'")


def _print_keys(settings: Settings) -> None:
    from service.keys import Keyring

    found = Keyring(settings.home).all()
    if settings.as_json:
        print_json({"keys": [_as_json(key) for key in found]})
    elif found:
        print_table([_row(key) for key in found])
    else:
        print_line("no keys yet: lfm2-colbert keys create NAME")


def _row(key: "Key") -> tuple[str, ...]:
    scope = "all collections" if key.collections is None else ", ".join(key.collections)
    return key.id, key.name, key.role, scope, f"{key.created:%Y-%m-%d %H:%M} UTC"


def _as_json(key: "Key") -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "role": key.role,
        "collections": key.collections,
        "created": key.created.isoformat(),
    }
