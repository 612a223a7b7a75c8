"""Acts on duplicates in a folder that is reached by two paths."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from image_similarity_search import Collection
from image_similarity_search.duplicates import DuplicateAction

ACTIONS: list[DuplicateAction] = ["delete", "move", "symlink", "hardlink"]


def main(place: Path, name: str) -> int:
    """Mount ``pictures`` a second time as ``name``; print what was done, and why not more."""
    layers = [place / layer for layer in ("pictures", name, "lower", "work")]
    upper, mounted, lower, work = layers
    for layer in layers:
        layer.mkdir(exist_ok=True)
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    mount = ["mount", "-t", "overlay", "overlay", "-o", options, str(mounted)]
    if subprocess.run(mount, check=False).returncode:
        return 77
    with Collection.open(place / "index", encoder="colour-texture", create=True) as collection:
        for folder in (upper, mounted):
            collection.sync(folder)
        groups = collection.duplicates("same").groups
        for action in ACTIONS:
            to = place / "to" if action == "move" else None
            report = collection.resolve_duplicates(groups, action, to=to, dry_run=False)
            print(json.dumps([[deed.path, deed.kept, deed.problem] for deed in report.deeds]))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
