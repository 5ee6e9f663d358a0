"""JupyterLab's settings in Python: it finds the course's own extensions beside this file, and looks for no updates."""

from pathlib import Path

c = get_config()  # type: ignore[name-defined]  # noqa: F821  JupyterLab defines it
c.LabServerApp.extra_labextensions_path.append(str(Path(__file__).parent / "labextensions"))
# Opening a notebook asks no address on the web; to look for a newer release would.
c.LabApp.check_for_updates_class = "jupyterlab.handlers.announcements.NeverCheckForUpdate"
