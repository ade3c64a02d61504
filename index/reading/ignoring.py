"""What the people who keep a folder do not count as theirs: the rules of ``.gitignore`` files."""

from dataclasses import dataclass
from pathlib import Path

import pathspec

IGNORE_FILE = ".gitignore"
MAX_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Ignored:
    """Rules of a folder and of those above it.

    Attributes:
        rules: from the outermost; each with the id of its folder, which ends with "/" or is empty.
    """

    rules: tuple[tuple[str, pathspec.GitIgnoreSpec], ...] = ()

    def within(self, file: Path, folder: str) -> "Ignored":
        """Add the rules of a folder; a file that cannot be read has none."""
        try:
            with file.open("rb") as stream:
                lines = stream.read(MAX_BYTES).decode("utf-8", "replace").splitlines()
            return Ignored((*self.rules, (folder, pathspec.GitIgnoreSpec.from_lines(lines))))
        except (OSError, ValueError):
            return self

    def holds(self, id: str) -> bool:
        """Whether a file, or a folder, whose id ends with "/", is ignored; the innermost rule that says so decides."""
        for folder, spec in reversed(self.rules):
            decided = spec.check_file(id.removeprefix(folder)).include
            if decided is not None:
                return decided
        return False
