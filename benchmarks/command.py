"""What the scripts here share at their edge: results saved with the command that made them, errors in one line."""

import sys

import click

from lfm2_colbert.errors import Lfm2ColbertError

allow_dirty = click.option("--allow-dirty", is_flag=True, help="Measure a tree with changes; its results are a trial.")


def command_line(module: str) -> str:
    """Write the command that is running, as it was typed."""
    return " ".join(["python -m", module, *sys.argv[1:]])


def run(command: click.Command) -> None:
    """Run a command and end the process with its status: 0 done, 1 the answer is no, above: it could not run."""
    try:
        status = command.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except Lfm2ColbertError as error:
        click.echo(f"error[{error.code}] {error.message}\nhelp: {error.help}", err=True)
        status = error.exit_status
    sys.exit(status or 0)
