"""The entry point: commands by name, errors as one line with one way out."""

import os
import sys
import traceback
from importlib.metadata import version

import click

from lfm2_colbert.errors import Lfm2ColbertError, RemoteError
from service.cli import COMMANDS
from service.cli.output import print_anything, print_error, print_line
from service.cli.table import CommandTable
from service.supported import require_supported

HELP = """Multilingual search over your documents, on this machine.

\b
lfm2-colbert index FOLDER               read a folder; again: only what changed
lfm2-colbert search "your question"     in any language
"""


@click.group(cls=CommandTable, table=COMMANDS, help=HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("lfm2-colbert"), prog_name="lfm2-colbert")
def cli() -> None:
    """Take a command."""


def main() -> None:
    """Run a command and end the process with its status."""
    debug = "--debug" in sys.argv
    print_anything()
    try:
        require_supported(sys.version_info[:3], sys.platform)
        status = cli.main(standalone_mode=False)
        sys.stdout.flush()
    except click.UsageError as error:
        print_error(
            "usage", error.format_message(), f"{error.ctx.command_path if error.ctx else 'lfm2-colbert'} --help"
        )
        status = 2
    except (click.Abort, KeyboardInterrupt):
        print_error(
            "interrupted", "stopped; what was stored is safe", "run the same command again: it goes on from there"
        )
        status = 130
    except Lfm2ColbertError as error:
        if debug:
            traceback.print_exception(error)
        print_error(error.code, error.message, error.help)
        if error.request_id and isinstance(error, RemoteError):
            print_line(f"request: {error.request_id}", err=True)
        status = error.exit_status
    except BrokenPipeError:
        # The reader of our output has gone (`| head`). Standard output must not be flushed again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    sys.exit(status if isinstance(status, int) else 0)
