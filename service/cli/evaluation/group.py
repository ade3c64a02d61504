"""`lfm2-colbert eval`: how good is what is found?"""

import click

from service.cli.evaluation import COMMANDS
from service.cli.table import CommandTable

HELP = """Measure what is found, in an index as it is served.

\b
lfm2-colbert eval folder SET -o report/           your own questions and documents
lfm2-colbert eval nanobeir --languages de,ja      thirteen tasks in eleven languages
lfm2-colbert eval compare report/ other/          is one better than the other?
"""


@click.group(name="eval", cls=CommandTable, table=COMMANDS, help=HELP)
def evaluation() -> None:
    """Take a command."""
