"""The guards see what they are there for."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests import guards  # the conftest's own copy, which does the watching

ROOT = Path(__file__).resolve().parent.parent
FAR = ("192.0.2.1", 9)  # kept free for documentation: nobody answers there


def send_a_datagram():
    with socket.socket(type=socket.SOCK_DGRAM) as end:
        end.sendto(b"x", FAR)


@pytest.mark.parametrize(
    "go",
    [
        lambda: socket.create_connection(FAR, timeout=0.1),
        lambda: socket.getaddrinfo("nowhere.invalid", 80),
        send_a_datagram,
    ],
)
def test_no_test_leaves_this_machine(go):
    with pytest.raises(PermissionError, match="stay on this machine"):
        go()
    assert guards.visited
    guards.visited.clear()


def test_loopback_and_asking_for_the_own_address_are_free():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        pass
    with socket.socket(type=socket.SOCK_DGRAM) as own:
        guards.stay_here("socket.connect", (own, FAR))  # sends nothing
    assert not guards.visited


@pytest.mark.parametrize(
    ("environment", "reason", "file", "may"),
    [
        (None, "any", "test_model.py", True),
        ("course", "any", "test_model.py", False),
        ("course", "needs MNIST: …", "test_data.py", True),
        ("course", "jupyterhub is not installed in this environment", "test_hub.py", True),
        ("course", "jupyterhub is not installed in this environment", "test_model.py", False),
        ("course", "configurable-http-proxy is not on the PATH", "test_hub.py", False),
        ("classroom", "jupyterhub is not installed in this environment", "test_hub.py", False),
        ("classroom", "nbgrader is not installed; …", "test_teaching.py", False),
        ("classroom", "too long for CI: this lesson in JupyterLab", "test_browser_others.py", True),
    ],
)
def test_which_skips_are_excused(monkeypatch, environment, reason, file, may):
    if environment is None:
        monkeypatch.delenv(guards.VARIABLE, raising=False)
    else:
        monkeypatch.setenv(guards.VARIABLE, environment)
    assert guards.excused(reason, file) is may


SKIPS = {
    "a skip in a test": "import pytest\ndef test_a(): pytest.skip('tired')",
    "a mark": "import pytest\n@pytest.mark.skipif(True, reason='tired')\ndef test_a(): pass",
    "a whole file": "import pytest\npytest.importorskip('no_such_package_at_all')\ndef test_a(): pass",
}


def pytest_with_our_settings(folder, *options):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "conftest"]
    settings = ["-c", str(ROOT / "pyproject.toml")]
    return subprocess.run([*command, *settings, *options, str(folder)], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.thorough
@pytest.mark.parametrize("environment", ["course", None])
def test_a_skip_without_excuse_fails_where_every_test_has_to_run(tmp_path, monkeypatch, environment):
    """The real settings and the real conftest, on files of one test each."""
    for n, code in enumerate(SKIPS.values()):
        (tmp_path / f"test_{n}.py").write_text(code)
    monkeypatch.delenv(guards.VARIABLE, raising=False)
    if environment:
        monkeypatch.setenv(guards.VARIABLE, environment)
    done = pytest_with_our_settings(tmp_path, "--continue-on-collection-errors")
    found = done.stdout.count("\nskipped, though it could have run")
    assert (found, done.returncode in (1, 2)) == ((3, True) if environment else (0, False)), done.stdout


@pytest.mark.thorough
@pytest.mark.parametrize(("options", "code"), [([], 0), (["--thorough"], 1)])
def test_a_thorough_test_runs_where_it_is_asked_for(tmp_path, monkeypatch, options, code):
    (tmp_path / "test_a.py").write_text("import pytest\n@pytest.mark.thorough\ndef test_a(): assert False")
    monkeypatch.delenv(guards.VARIABLE, raising=False)
    assert pytest_with_our_settings(tmp_path, *options).returncode == code


def test_ci_runs_in_the_classroom_what_it_excuses_before():
    script = (ROOT / ".ci/run").read_text()
    first, second = script.split(f"{guards.VARIABLE}=classroom")
    assert f"{guards.VARIABLE}=course" in first
    for file in guards.IN_THE_CLASSROOM.values():
        assert f"tests/{file}" in second
