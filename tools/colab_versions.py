"""Do the notebooks hold with the versions that Colab publishes?  ``python tools/colab_versions.py [07 …]``

The course asks for ipywidgets 8.1, and Colab has 7.7, without `Stack`: there a slider's pictures are changed by the
kernel. This makes an environment of its own below `build/`, with Colab's versions of what a notebook shows itself by
in front of this environment's packages, and runs the notebooks in it. A claim that does not hold stops its cell.
Outputs are not compared (`--nbval-lax`): ipywidgets 7 writes another text in the place of a slider.
"""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# As published in August 2026.
COLAB = {"anywidget": "0.9.21", "ipywidgets": "7.7.1", "ipykernel": "6.17.1", "numpy": "2.1.3", "matplotlib": "3.10.0"}
LABELS = "from importlib.metadata import version; print(*(f'{name} {version(name)}' for name in %r))"


def main(numbers: list[str]) -> int:
    python = make(ROOT / "build/colab")
    print(
        subprocess.run([python, "-c", LABELS % list(COLAB)], capture_output=True, text=True, check=True).stdout, end=""
    )
    notebooks = [
        str(path) for path in sorted(ROOT.glob("notebooks/*.ipynb")) if not numbers or path.name[:2] in numbers
    ]
    return subprocess.call(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax", *notebooks], cwd=ROOT
    )


def make(folder: Path) -> Path:
    """The environment: Colab's packages first, then those that are here; made once."""
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not python.exists():
        venv.create(folder, with_pip=True)
        pinned = [f"{name}=={version}" for name, version in COLAB.items()]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *pinned], check=True)
        ours, theirs = sysconfig.get_path("purelib"), "import sysconfig; print(sysconfig.get_path('purelib'))"
        found = subprocess.run([python, "-c", theirs], capture_output=True, text=True, check=True).stdout.strip()
        (Path(found) / "course.pth").write_text(f"{ours}\n{ROOT}\n", encoding="utf-8")
    return python


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
