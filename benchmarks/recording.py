"""Results worth keeping are written whole or not at all, with what it takes to make them again."""

import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import torch

from vae_lessons.files import written_whole
from vae_lessons.recorded import FOLDER


def provenance(command: str, seconds: float) -> dict[str, Any]:
    """What a reader needs to judge a recorded number, and to make it again."""
    return {
        "command": command,
        "commit": _commit(),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} of {os.cpu_count()} cores",
        "torch": torch.__version__,
        "seconds": round(seconds),
    }


def _commit() -> str:
    """The commit that the code was at, with a + if it had been changed since."""
    asked = ["git", "-C", str(FOLDER), "describe", "--always", "--dirty=+", "--exclude=*"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()


def record(name: str, result: dict[str, Any], folder: Path = FOLDER) -> None:
    """Keep a result as `vae_lessons.recorded` reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    with written_whole(folder / f"{name}.json") as part:
        part.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
