"""JupyterLab's settings that need to know where they lie: it finds the course's own extensions beside this file."""

from pathlib import Path

c = get_config()  # type: ignore[name-defined]  # noqa: F821  JupyterLab defines it
c.LabServerApp.extra_labextensions_path.append(str(Path(__file__).parent / "labextensions"))
