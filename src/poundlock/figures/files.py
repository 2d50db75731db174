"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path


def write_whole(folder: Path, contents: Mapping[str, str]) -> tuple[Path, ...]:
    """Write each text under its name into `folder`, made if needed. Returns their paths, in order.

    All are written beside their places first and moved there then; an interrupted run leaves what was before.
    """
    paths = {folder / name: text for name, text in contents.items()}
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "there is a folder of this name", str(path))
    partial = {path: path.with_name(f".{path.name}.{os.getpid()}.partial") for path in paths}
    try:
        for path, text in paths.items():
            with partial[path].open("w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
        for path, place in partial.items():
            os.replace(place, path)
    finally:
        for place in partial.values():
            place.unlink(missing_ok=True)
        if made and not any(folder.iterdir()):
            folder.rmdir()
    return tuple(paths)
