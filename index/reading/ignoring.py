"""What the people who keep a folder do not count as theirs: the rules of ``.gitignore`` files."""

import re
from dataclasses import dataclass
from pathlib import Path

import pathspec

IGNORE_FILE = ".gitignore"
MAX_BYTES = 1024 * 1024
FOLDER_MARK = "ps_d"


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
            for pattern in reversed(spec.patterns):
                if pattern.regex is not None and _means(pattern.regex, id.removeprefix(folder)):
                    return bool(pattern.include)
        return False


def _means(rule: re.Pattern[str], id: str) -> bool:
    """Whether a rule is about a file or folder itself.

    What lies in an ignored folder is never walked, and what lies in one that is not ignored after all has rules of its
    own, so that a rule is about the folder around does not count: `pathspec` marks the "/" behind such a folder.
    """
    for match in rule.finditer(id):
        if match.groupdict().get(FOLDER_MARK):
            means = match.end(FOLDER_MARK) == len(id)
        else:  # "folder/**" is about all in it, and not about itself
            means = not rule.pattern.endswith("/") or match.end() < len(id)
        if means:
            return True
    return False
