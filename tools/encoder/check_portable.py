"""Does the encoder give the same vectors on other processors, batches and thread counts?

    python -m tools.encoder.check_portable MODEL.onnx [--cpu Haswell ...] [--photos DIR]

Processors: ONNX Runtime runs once as it is and once under ``qemu-x86_64 -cpu NAME`` (Debian's
package qemu-user), which hides the newer instructions from it. Each needs a minute or two.
Without ``--photos`` the pictures are 24 of the calibration views.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

COUNT = 24
LEAST_COSINE = 0.9999

Pixels = NDArray[np.uint8]
Vectors = NDArray[np.float32]


def embed(model: Path, pixels: Pixels, threads: int = 1, batch: int = 1) -> Vectors:
    """Raw embeddings, ``batch`` pictures at a time."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options)
    parts = [pixels[at : at + batch] for at in range(0, len(pixels), batch)]
    return np.concatenate([session.run(None, {"pixels": part})[0] for part in parts])


def under_qemu(cpu: str, model: Path, pixels: Path, folder: Path) -> Vectors | str:
    """The same on another processor; or why there is no answer."""
    output = folder / f"{cpu}.npy"
    here = [
        sys.executable,
        "-m",
        __spec__.name,
        str(model),
        "--pixels",
        str(pixels),
        "--vectors",
        str(output),
    ]
    done = subprocess.run(
        ["qemu-x86_64", "-cpu", cpu, *here], capture_output=True, text=True, check=False
    )
    if done.returncode != 0 or not output.exists():
        return f"exit {done.returncode}: {done.stderr.strip()[-200:]}"
    vectors: Vectors = np.load(output)
    return vectors


def compare(ours: Vectors, theirs: Vectors) -> dict[str, float | bool]:
    """How alike two sets of vectors are."""
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    cosines = (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))
    return {
        "least cosine": float(cosines.min()),
        "largest difference": float(np.abs(ours - theirs).max()),
        "bit-equal": bool(np.array_equal(ours, theirs)),
    }


def pictures(photos: Path | None) -> Pixels:
    """24 prepared pictures."""
    if photos is None:
        from .pictures import photographs, view_batch

        return view_batch(photographs(), COUNT, 3)
    from PIL import Image

    from .evaluate import pictures_of, prepare

    paths = pictures_of(photos)
    chosen = paths[:: max(1, len(paths) // COUNT)][:COUNT]
    return np.stack([prepare(Image.open(path).convert("RGB")) for path in chosen])


def check(model: Path, cpus: list[str], photos: Path | None) -> dict[str, object]:
    """Every comparison."""
    pixels = pictures(photos)
    native = embed(model, pixels)
    result: dict[str, object] = {"pictures": len(pixels)}
    for threads in (1, 2, 4):
        for batch in (1, 3, 8, len(pixels)):
            vectors = embed(model, pixels, threads, batch)
            result[f"{threads} threads, batch {batch}"] = compare(native, vectors)
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "pixels.npy"
        np.save(file, pixels)
        for cpu in cpus:
            other = under_qemu(cpu, model, file, Path(name))
            result[cpu] = other if isinstance(other, str) else compare(native, other)
    return result


def passes(result: dict[str, object]) -> bool:
    """True where every comparison that could be made is close enough."""
    found = [value for value in result.values() if isinstance(value, dict)]
    return all(value["least cosine"] >= LEAST_COSINE for value in found)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--cpu", action="append", default=[], help="a qemu-x86_64 processor")
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--pixels", type=Path, help="inner use: prepared pictures, .npy")
    parser.add_argument("--vectors", type=Path, help="inner use: where their vectors go")
    options = parser.parse_args()
    if options.pixels is not None:
        np.save(options.vectors, embed(options.model, np.load(options.pixels)))
        return 0
    result = check(options.model, options.cpu, options.photos)
    if options.json:
        print(json.dumps(result, indent=1))
    else:
        for name, value in result.items():
            print(f"{name}: {value}")
    return 0 if passes(result) else 1


if __name__ == "__main__":
    sys.exit(main())
