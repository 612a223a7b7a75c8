"""Indexing beside what others index with, on the same pictures in the same minutes.

The others need torch, and so an environment of their own: see ``recipe_torch.py``.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from bench import child
from bench.registry import Figures, Setting

_HERE = Path(__file__).resolve().parent
_PYTHON = _HERE.parent / ".venv-recipe" / "bin" / "python"


def beside(setting: Setting) -> Figures:
    """Pictures a second, ours and theirs, and how many times theirs ours is."""
    if not os.path.exists(_PYTHON):
        return {"skipped": "there is no .venv-recipe with torch: 'make bench-full' makes it"}
    photos = setting.pictures[0]
    recipe, mobilenet = _other("recipe", photos), _other("mobilenet", photos)
    ours = child.run("indexing_rate", "sync", photos, setting.scratch / "index")
    per_s = 1 / ours["wall_s"]
    return {
        "images": ours["images"],
        "per_s": per_s,
        "recipe_images": recipe["images"],
        "recipe_per_s": recipe["per_s"],
        "over_recipe_ratio": per_s / recipe["per_s"],
        "mobilenet_per_s": mobilenet["per_s"],
        "over_mobilenet_ratio": per_s / mobilenet["per_s"],
        "torch": recipe["torch"],
    }


def _other(name: str, photos: str) -> Figures:
    command = [str(_PYTHON), str(_HERE / "recipe_torch.py"), name, photos]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures: Figures = json.loads(run.stdout.splitlines()[-1])
    return figures
