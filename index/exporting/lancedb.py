"""LanceDB: a database with the table `passages`, whose column `vectors` it searches by MaxSim. Its metric is cosine."""

from datetime import timedelta
from pathlib import Path

import lancedb
import pyarrow as pa

from index.exporting.arrow import passages_batch, passages_schema
from index.exporting.contents import Contents

TABLE = "passages"


def write(contents: Contents, folder: Path) -> None:
    """Write the table, without an index: a search of it looks at every passage."""
    table = lancedb.connect(folder).create_table(TABLE, schema=passages_schema(contents.settings.dim))
    for block in contents.blocks():
        table.add(pa.Table.from_batches([passages_batch(block)]))
    table.optimize(cleanup_older_than=timedelta(milliseconds=1))  # else there is a version for each block
