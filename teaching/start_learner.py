"""Start one learner's JupyterLab: hand out the notebooks, then become the server.

JupyterHub runs this in place of `jupyterhub-singleuser`, as the learner. A file that a learner has saved
is never touched again. A file that is missing is handed out; one that is still, byte for byte, what was
handed out follows the course, because there is no work in it.
"""

import hashlib
import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

COURSE = Path(__file__).resolve().parent.parent / "notebooks"
RECORD = ".handed_out.json"  # for each file, the SHA-256 of what was handed out
KINDS = (".ipynb", ".png")  # what a lesson needs; a teacher's own progress.json or slides lie beside them


def hand_out(source: Path, target: Path) -> list[Path]:
    """Copy the notebooks and pictures of `source` that the learner lacks or never changed; return the copies made."""
    target.mkdir(parents=True, exist_ok=True)
    record = read_record(target)
    lessons = [path for path in sorted(source.glob("[!._]*")) if path.is_file() and path.suffix in KINDS]
    new = [path for path in lessons if is_due(path, target, record)]
    for path in new:
        put(target / path.name, path.read_bytes())
        record[path.name] = digest(target / path.name)
        # Written after each copy: cut short in between, a file counts as the learner's, the safe side.
        put(target / RECORD, json.dumps(record).encode())
    return [target / path.name for path in new]


def read_record(target: Path) -> dict[str, str]:
    """What was handed out so far; nothing where the record is missing or damaged, so that all files are theirs."""
    try:
        record = json.loads((target / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def is_due(path: Path, target: Path, record: dict[str, str]) -> bool:
    """Whether the learner lacks this file, or has an older one without a change of their own."""
    copy = target / path.name
    if not os.path.lexists(copy):
        return True
    return copy.is_file() and digest(copy) == record.get(path.name) != digest(path)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def put(path: Path, content: bytes) -> None:
    """Write all of it or nothing: a full disk or a power cut leaves what was there."""
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    part.replace(path)


def trust(notebooks: list[Path]) -> None:
    """Sign the new notebooks for this learner, or their sliders need the cells to run."""
    command = [sys.executable, "-m", "nbformat.sign", *map(str, notebooks)]
    # Not in the learner's home, where a json.py of theirs would be imported instead of Python's.
    quiet = {"cwd": COURSE, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    if notebooks and subprocess.call(command, **quiet) != 0:
        print("start_learner: the notebooks could not be marked as trusted", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> None:
    """Prepare the learner's folder, then become the server, in this process: the hub knows it by its pid."""
    folder = Path.home() / "vae_course"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        trust([path for path in hand_out(COURSE, folder / "notebooks") if path.suffix == ".ipynb"])
    except OSError as error:  # a full disk, say: the learner's own work must open all the same
        print(f"start_learner: not all notebooks could be handed out: {error}", file=sys.stderr, flush=True)
    server = str(Path(sysconfig.get_path("scripts")) / "jupyterhub-singleuser")
    os.execv(server, [server, *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
