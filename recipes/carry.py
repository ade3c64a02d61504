"""Train on another machine, which needs nothing but torch.

python recipes/carry.py pack recipes/nano.toml data/nano-1 nano.tar.xz
# there: tar -xJf nano.tar.xz && python run.py OUT 'nano-1;weights=true'
python recipes/carry.py unpack recipes/nano.toml nano-1 OUT data/nano-1
"""

from pathlib import Path

import click

from lfm2_colbert.training.packing import pack, unpack
from lfm2_colbert.training.recipe import read_recipe

PATH = click.Path(path_type=Path)


@click.group()
def main() -> None:
    """Carry a run to another machine and back."""


@main.command(name="pack")
@click.argument("recipe", type=PATH)
@click.argument("folder", type=PATH)
@click.argument("packed", type=PATH)
def pack_command(recipe: Path, folder: Path, packed: Path) -> None:
    """Prepare the texts of RECIPE in FOLDER, and write what its run needs to PACKED, a .tar.xz."""
    pack(read_recipe(recipe), folder, packed, lambda *told: click.echo(told))
    click.echo(f"{packed}: {packed.stat().st_size / 2**20:.1f} MiB")


@main.command(name="unpack")
@click.argument("recipe", type=PATH)
@click.argument("name")
@click.argument("found", type=PATH)
@click.argument("folder", type=PATH)
def unpack_command(recipe: Path, name: str, found: Path, folder: Path) -> None:
    """Write the checkpoint of the run NAME, which came back in FOUND, into FOLDER."""
    unpack(read_recipe(recipe), name, found, folder)
    click.echo(folder / "checkpoint")


if __name__ == "__main__":
    main()
