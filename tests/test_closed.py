"""Nothing is unpickled unsafely, and JupyterLab as the course starts it is for this machine and its learner alone."""

import ast
import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from vae_lessons.opening import child_environment, lab_command

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("vae_lessons", "tools", "benchmarks", "teaching", "docs")
# The argument that forbids it, the value it must have, and the value where it is not given: NumPy's is safe, and
# PyTorch's only from 2.6 on, while 2.4 is allowed here.
READS_SAFELY = {"torch.load": ("weights_only", True, False), "numpy.load": ("allow_pickle", False, False)}
RUNS_CODE = {
    *(f"{module}.{name}" for module in ("pickle", "dill", "cloudpickle", "marshal") for name in ("load", "loads")),
    *("pickle.Unpickler", "joblib.load", "shelve.open", "pandas.read_pickle", "torch.jit.load", "torch.hub.load"),
    *("yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load", "eval", "exec"),
}
# Code of the course itself, which stands in its exercises; no file that somebody sends is among it.
OUR_OWN = {
    "vae_lessons/exercises/source.py": [
        "eval(code, {'torch': torch})",
        "exec(compile(code, f'<{exercise.name}>', 'exec'), namespace)",
        "exec(compile(lesson.setup, f'<lesson {lesson.number}>', 'exec'), namespace)",
    ],
    "vae_lessons/exercises/wording.py": ["eval(fresh)"],  # `torch.Generator().manual_seed(…)`, written just before
}


def imported(tree: ast.AST) -> dict[str, str]:
    """What the names mean that a program has imported; NumPy and pandas by their nicknames, wherever imported."""
    full = {"np": "numpy", "pd": "pandas"}
    for node in ast.walk(tree):
        start = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
        for name in node.names if isinstance(node, (ast.Import, ast.ImportFrom)) else ():
            whole = name.name if start or name.asname else name.name.partition(".")[0]
            full[name.asname or whole] = start + whole
    return full


def unsafe(code: str) -> list[str]:
    """Calls that could run what a file says: every unpickling, and loading without the argument that forbids it."""
    tree, found = ast.parse(code), []
    full = imported(tree)
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        first, dot, rest = ast.unparse(call.func).partition(".")
        name = full.get(first, first) + dot + rest
        given = {word.arg: word.value.value for word in call.keywords if isinstance(word.value, ast.Constant)}
        argument, value, default = READS_SAFELY.get(name, ("", None, None))
        if name in RUNS_CODE or given.get(argument, default) is not value:
            found.append(ast.unparse(call))
    return sorted(found)


@pytest.mark.parametrize(
    "code",
    [
        "torch.load(f)",
        "torch.load(f, weights_only=False)",
        "torch.load(f, weights_only=wish)",
        "np.load(f, allow_pickle=True)",
        "from torch import load\nload(f)",
        "import numpy as n\nn.load(f, allow_pickle=True)",
        "import pickle\npickle.loads(f)",
        "import pickle as p\nx = p.Unpickler(f).load()",
        "from pickle import load as read\nread(f)",
        "import joblib\njoblib.load(f)",
        "import shelve\nshelve.open(f)",
        "import yaml\nyaml.load(f, Loader=yaml.Loader)",
        "eval(f.read())",
        "if f:\n    exec(f.read())",
    ],
)
def test_an_unsafe_call_is_seen(code):
    assert unsafe(code)


def test_a_safe_call_is_let_be():
    code = "import yaml\nnp.load(f)\ntorch.load(f, weights_only=True)\nyaml.safe_load(f)\nmodel.eval()\njson.loads(f)"
    assert unsafe(code) == []


def test_nothing_is_unpickled_unsafely_and_only_our_own_code_is_run():
    sources = {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
    }
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        lines = "\n".join(cell.source for cell in cells if cell.cell_type == "code").split("\n")
        sources[path.name] = "\n".join(line for line in lines if line[:1] not in "%!")
    assert len(sources) > 100
    assert {name: calls for name, code in sources.items() if (calls := unsafe(code))} == OUR_OWN


def started(process: subprocess.Popen, run: Path) -> dict:
    """What the server wrote about itself, once it has."""
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        for path in run.glob("jpserver-*.json"):
            if text := path.read_text():
                return json.loads(text)
        time.sleep(0.1)
    raise AssertionError("JupyterLab did not start")


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="which sockets listen is read from Linux's /proc")
@pytest.mark.thorough
def test_jupyterlab_listens_on_loopback_only_and_asks_for_its_token(tmp_path):
    """The course's own command, no option added but for the port."""
    own = {f"JUPYTER_{name}_DIR": str(tmp_path / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    command = lab_command(ROOT, sys.executable, ["--no-browser", "--port=0"])
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    environment = child_environment(ROOT, sys.executable) | own
    with subprocess.Popen(command, env=environment, **quiet) as process:
        try:
            server = started(process, tmp_path / "RUNTIME")
            assert listening(server["port"]) <= {"0100007F", "0" * 24 + "01000000"}  # 127.0.0.1 and ::1
            assert listening(server["port"]) and len(server["token"]) >= 32
            contents = f"http://127.0.0.1:{server['port']}/api/contents"
            with pytest.raises(urllib.error.HTTPError, match="403") as refused:
                urllib.request.urlopen(contents)
            refused.value.close()
            with urllib.request.urlopen(f"{contents}?token={server['token']}") as answer:
                assert answer.status == 200
        finally:
            process.terminate()


def listening(port: int) -> set[str]:
    """The addresses, in hexadecimal, on which this machine listens at a port."""
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    local = [line[1].split(":") for line in lines if line[3] == "0A"]
    return {address for address, number in local if int(number, 16) == port}


class Settings:
    """Stands in for JupyterHub's `c`: any section, any setting."""

    def __init__(self) -> None:
        self.sections: dict[str, SimpleNamespace] = {}

    def __getattr__(self, name: str) -> SimpleNamespace:
        return self.sections.setdefault(name, SimpleNamespace())


def test_the_hub_as_it_stands_is_for_this_machine_and_keeps_its_folder_to_itself(tmp_path, monkeypatch):
    """Its points in teaching/README.md that need no hub to be seen."""
    monkeypatch.setenv("VAE_HUB_DATA", str(tmp_path / "data"))
    path, c = ROOT / "teaching/jupyterhub_config.py", Settings()
    exec(compile(path.read_text(), str(path), "exec"), {"get_config": lambda: c, "__file__": str(path)})
    assert c.JupyterHub.bind_url == "http://127.0.0.1:8000"
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0
    assert Path(c.JupyterHub.cookie_secret_file).parent == tmp_path / "data"
    assert not hasattr(c.Authenticator, "admin_users")
    assert {"services", "load_roles", "load_groups"}.isdisjoint(vars(c.JupyterHub))
    assert c.Spawner.cmd[0] == sys.executable and Path(c.Spawner.cmd[0]).is_absolute()
    for name in ("../ada", ".ssh", "a/b", "", "A b", "-x"):
        assert not re.fullmatch(c.Authenticator.username_pattern, name), name
