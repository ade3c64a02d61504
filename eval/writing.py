"""Files that are whole or not there; what the disk refuses is an error of ours."""

from pathlib import Path

from index.durable import disk_errors


def replace_file(path: Path, content: str | bytes) -> None:
    """Write a file, in a folder that is made where it is missing; an older one is replaced as a whole.

    Args:
        path: of the file.
        content: bytes, or text to be written as UTF-8; half a surrogate pair, which UTF-8 has not, becomes ``?``.

    Raises:
        PermissionDeniedError: the path may not be written.
        StorageError: the disk refused.
    """
    data = content.encode(errors="replace") if isinstance(content, str) else content
    unfinished = path.with_name(f".{path.name}.part")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(data)
        unfinished.replace(path)
