"""The set-up command, run for real on a clone whose interpreter has stand-ins for pip, JupyterLab and pytest.

A stand-in writes its arguments to `calls` and behaves as `answers.json` says, so nothing is installed
and no network is used; everything else (processes, stamp, signals, exit codes) is the real thing.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import webbrowser
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from vae_lessons import install, opening, packages
from vae_lessons.command import main
from vae_lessons.files import alone
from vae_lessons.opening import relay
from vae_lessons.packages import ROOT, check_installation, requirements

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-ins are POSIX scripts")

PYTHON = os.path.realpath(sys.executable)
STAND_IN = """\
import json, os, pathlib, signal, socket, sys, time
root = pathlib.Path(sys.prefix).parent
name = NAME
if name == "pip" and any("whl/cpu" in word for word in sys.argv):
    name = "torch"
with open(root / "calls", "a") as calls:
    print(json.dumps([name, *sys.argv[1:], os.environ["PATH"].split(os.pathsep)[0]]), file=calls)
answer = json.loads((root / "answers.json").read_text()).get(name, {})
if answer.get("serve"):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7 if os.getsid(0) == os.getpid() else 8))
    server = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{server.getsockname()[1]}/lab/tree/notebooks/00_start_here.ipynb?token=abc"
    print("[I 1 ServerApp]", address, file=sys.stderr, flush=True)
    server.accept()
if answer.get("interrupt"):
    os.kill(os.getppid(), signal.SIGINT)
    time.sleep(5)
    (root / "calls").write_text('["still running"]')
print(answer.get("text", ""), file=sys.stderr)
sys.exit(answer.get("code", 0))
"""
BUILDER = f"""#!{PYTHON} -S
import os, pathlib, sys
venv = pathlib.Path(sys.argv[3])
packages = venv / "lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
modules = dict(pip="__main__", jupyterlab="__main__", pytest="__main__", nbformat="sign", matplotlib="font_manager")
for name, module in modules.items():
    (packages / name).mkdir(parents=True)
    (packages / name / "__init__.py").write_text("import sys\\ndef get_cachedir(): return sys.prefix\\n")
    (packages / name / f"{{module}}.py").write_text({STAND_IN!r}.replace("NAME", repr(name)))
(packages / "pip-1.dist-info").mkdir()
for name in ("METADATA", "INSTALLER"):
    (packages / "pip-1.dist-info" / name).write_text("Name: pip\\nVersion: 1\\n")
(venv / "bin").mkdir()
(venv / "bin/python").symlink_to({PYTHON!r})
(venv / "pyvenv.cfg").write_text("home = {os.path.dirname(PYTHON)}\\ninclude-system-site-packages = false\\n")
"""


class Clone:
    """A clone in a temporary folder, with what its stand-ins are told and were asked."""

    def __init__(self, root: Path) -> None:
        self.root, self.venv = root, root / ".venv"
        (root / "notebooks").mkdir()
        (root / "notebooks/00_start_here.ipynb").write_text("{}")
        shutil.copy(ROOT / "pyproject.toml", root)
        self.answer()

    def answer(self, **answers: dict[str, object]) -> None:
        """Say how the stand-ins behave from now on."""
        (self.root / "answers.json").write_text(json.dumps({"jupyterlab": {"serve": True}} | answers))

    def run(self, *arguments: str) -> tuple[int, list[list[str]]]:
        """Run the command; return its exit code and the calls it made."""
        calls = self.root / "calls"
        calls.write_text("")
        signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a new process
        code = main(list(arguments), self.root)
        return code, [json.loads(line) for line in calls.read_text().splitlines()]

    def called(self, *arguments: str) -> list[str]:
        """Run the command; return the names of what it called."""
        return sorted(call[0] for call in self.run(*arguments)[1])


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A clone on a Linux machine without NVIDIA, run by an interpreter that has no packages."""
    builder = tmp_path / "python"
    builder.write_text(BUILDER)
    builder.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(builder))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(install, "has_nvidia", lambda: False)
    monkeypatch.setattr(install, "is_installed", lambda requirement: False)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield Clone(tmp_path)
    for number, handler in handlers.items():
        signal.signal(number, handler)


versions = st.lists(st.sampled_from([0, 1, 2, 10]), min_size=1, max_size=3).map(lambda parts: ".".join(map(str, parts)))


@example("1", "1.0", "2", "")
@given(versions, versions, versions, st.sampled_from(["", "+cpu", ".post1"]))
def test_bounds_hold_where_packaging_says_so(installed, lower, upper, suffix):
    with mock.patch("importlib.metadata.version", return_value=installed + suffix):
        expected = SpecifierSet(f">={lower},<{upper}").contains(installed)
        assert packages.is_installed(f"some-package>={lower},<{upper}") is expected


def test_requirements_are_those_of_a_toml_parser():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert requirements(ROOT, "dependencies") == project["dependencies"]
    assert requirements(ROOT, "test") == project["optional-dependencies"]["test"]


@pytest.mark.parametrize("array", ["dependencies", "test"])
def test_every_requirement_can_be_compared_and_is_missed_where_missing(array):
    with mock.patch("importlib.metadata.version", side_effect=packages.importlib.metadata.PackageNotFoundError):
        assert not any(map(packages.is_installed, requirements(ROOT, array)))


def test_a_page_says_in_one_sentence_that_all_is_well(monkeypatch, capsys):
    monkeypatch.setattr(packages, "is_installed", lambda requirement: True)
    check_installation()
    assert capsys.readouterr().out == "Every package is there, in a version that was tested.\n"


def test_a_page_names_what_is_missing_and_the_remedy(monkeypatch, capsys):
    monkeypatch.setattr(packages, "is_installed", lambda requirement: not requirement.startswith(("sympy", "tqdm")))
    check_installation()
    named, remedy = capsys.readouterr().out.splitlines()
    assert named.startswith("Missing, or outside the tested versions: sympy>=") and ", tqdm>=" in named
    assert "python3 -m vae_lessons" in remedy


def test_set_up_happens_once_and_again_when_pyproject_changes(clone, capsys):
    assert clone.called("test") == ["matplotlib", "pip", "pytest", "torch"]
    assert "[3/4] JupyterLab and the other packages  0:00  done" in capsys.readouterr().out
    assert clone.called("test") == ["pytest"]
    with (clone.root / "pyproject.toml").open("a") as project:
        project.write("# changed\n")
    assert clone.called("test") == ["matplotlib", "pip", "pytest", "torch"]


def test_interrupted_set_up_says_so_and_resumes(clone, capsys):
    clone.answer(pip={"interrupt": True})
    code, calls = clone.run()
    assert code == 130 and [call[0] for call in calls] == ["torch", "pip"]
    assert capsys.readouterr().err == "\nStopped; the same command resumes.\n"
    clone.answer()
    assert clone.called() == ["jupyterlab", "matplotlib", "nbformat", "pip", "torch"]
    assert "Python environment" not in capsys.readouterr().out


def test_interrupted_change_of_pyproject_outlives_its_undoing(clone):
    clone.run("test")
    project, before = clone.root / "pyproject.toml", (clone.root / "pyproject.toml").read_text()
    project.write_text(before + "# changed\n")
    clone.answer(pip={"interrupt": True})
    clone.run("test")
    project.write_text(before)
    clone.answer()
    assert clone.called("test") == ["matplotlib", "pip", "pytest", "torch"]


@pytest.mark.parametrize("broken", ["bin/python", "lib"])
def test_broken_environment_is_rebuilt(clone, capsys, broken):
    clone.run("test")
    part = clone.venv / broken
    part.unlink() if part.is_symlink() else shutil.rmtree(part)
    assert clone.called("test") == ["matplotlib", "pip", "pytest", "torch"]
    assert ".venv is incomplete or its Python is gone: building it anew.\n" in capsys.readouterr().out


def test_an_environment_whose_pip_was_cut_short_is_rebuilt(clone):
    """It has pip's folder; pip itself writes INSTALLER when all of its files are there."""
    clone.run("test")
    next(clone.venv.glob("lib/python*/site-packages/pip-1.dist-info/INSTALLER")).unlink()
    assert clone.called("test") == ["matplotlib", "pip", "pytest", "torch"]


def test_who_comes_second_waits_and_finds_it_set_up(clone):
    code = "import sys, pathlib; from vae_lessons.install import ready_python; ready_python(pathlib.Path(sys.argv[1]))"
    command = [PYTHON, "-Sc", code, clone.root]
    with ExitStack() as stack:
        with alone(clone.root / "pyproject.toml"):
            second = stack.enter_context(
                subprocess.Popen(command, cwd=packages.ROOT, stderr=subprocess.PIPE, text=True)
            )
            assert second.stderr.readline() == "Another set-up is running: waiting for it …\n"
            install.set_up(clone.root, "dependencies")
        calls = (clone.root / "calls").read_text()
        assert second.wait() == 0 and (clone.root / "calls").read_text() == calls != ""


def test_a_step_whose_parent_was_killed_keeps_the_lock(tmp_path):
    """Else the next set-up would run beside it, in the same folder."""
    code = (
        "import os, pathlib, sys; from vae_lessons.files import alone; from vae_lessons.install import Step, run_step\n"
        "kill = f'import os, time; os.kill({os.getpid()}, 9); time.sleep(1)'\n"
        "log = pathlib.Path(sys.argv[1], 'log'); log.touch()\n"
        "with alone(log): run_step(Step('a step', [sys.executable, '-Sc', kill]), '1/1', log)"
    )
    killed = subprocess.run([PYTHON, "-Sc", code, tmp_path], cwd=packages.ROOT, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    started = time.monotonic()
    with alone(tmp_path / "log"):
        assert time.monotonic() - started > 0.5


def test_packages_cut_short_are_installed_again(clone):
    clone.answer(pip={"code": 1})
    clone.run("test")
    packages = next(clone.venv.glob("lib/python*/site-packages"))
    written = {"whole": ["INSTALLER"], "half": ["METADATA"], "nearly": ["INSTALLER", "RECORDb2c3gbg9.tmp"]}
    for name, files in written.items():
        (packages / f"{name}-1.dist-info").mkdir()
        for file in files:
            (packages / f"{name}-1.dist-info" / file).touch()
    (packages / "~etuptools-65.5.0.dist-info").mkdir()  # so pip calls what it is about to replace
    (packages / "~distutils_hack").mkdir()
    (packages / "~distutils_hack" / "override.py").touch()
    clone.run("test")
    assert {path.name for path in packages.glob("*.dist-info")} == {"pip-1.dist-info", "whole-1.dist-info"}
    assert not list(packages.glob("~*"))


def test_a_lock_that_a_killed_listing_of_fonts_left_is_removed(tmp_path):
    list_fonts = [sys.executable, "-c", "import time; time.sleep = lambda seconds: None\n" + install.FONTS]
    variables = os.environ | {"MPLCONFIGDIR": str(tmp_path)}
    subprocess.run(list_fonts, env=variables, check=True)
    (listed,) = tmp_path.glob("fontlist*.json")
    listed.rename(f"{listed}.matplotlib-lock")
    subprocess.run(list_fonts, env=variables, check=True)
    assert list(tmp_path.glob("fontlist*")) == [listed]


@pytest.mark.parametrize(
    ("platform", "nvidia", "asked"), [("linux", False, 1), ("linux", True, 0), ("darwin", False, 0)]
)
def test_cpu_index_is_for_linux_without_nvidia(clone, monkeypatch, platform, nvidia, asked):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(install, "has_nvidia", lambda: nvidia)
    commands = [step.command for step in install.plan(clone.root) if "CPU" in step.title]
    assert len(commands) == asked
    for command in commands:
        torch = next(line for line in requirements(ROOT, "dependencies") if line.startswith("torch"))
        index = "--index-url=https://download.pytorch.org/whl/cpu"
        assert command[-5:] == ["--no-deps", "--retries=0", "--timeout=10", index, torch]


def test_the_cpu_build_is_asked_of_its_index_alone(tmp_path, monkeypatch):
    """A person's further index may have a newer build, with CUDA."""
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://a.person.s/own")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(install, "has_nvidia", lambda: False)
    [variables] = [step.variables for step in install.plan(ROOT) if "CPU" in step.title]
    asked = [sys.executable, "-c", "import os; print(os.environ['PIP_EXTRA_INDEX_URL'], bool(os.environ['PATH']))"]
    log = tmp_path / "log"
    log.touch()
    went_well, printed = install.run_step(install.Step("asks", asked, variables=variables), "1/1", log)
    assert (went_well, printed) == (True, f"{install.CPU_INDEX} True\n")


def test_unreachable_cpu_index_leads_to_the_ordinary_build(clone, capsys):
    clone.answer(torch={"code": 1}, pip={"text": "Collecting nvidia-cublas"})
    code, calls = clone.run("test")
    assert (code, [call[0] for call in calls]) == (0, ["torch", "pip", "matplotlib", "pytest"])
    printed = capsys.readouterr()
    assert "0:00  index out of reach: the ordinary build comes next\n" in printed.out
    assert printed.out.count("about 2.7 GB") == 1 and printed.err == ""


def test_broken_download_of_the_cpu_build_does_not_lead_to_the_large_one(clone, capsys):
    clone.answer(torch={"code": 1, "text": "Downloading torch-2.13\nERROR: Read timed out."})
    assert clone.run("test")[0] == 1
    assert "PyTorch, CPU build: no connection" in capsys.readouterr().err


def test_progress_is_not_repeated_at_once_nor_is_the_size_of_cuda(capsys):
    progress = install.Progress("PyTorch")
    for output in ("Collecting torch", "Collecting nvidia-cublas", "Collecting nvidia-cublas"):
        progress.show(output)
    printed = capsys.readouterr().out
    assert printed.count("2.7 GB") == 1 and printed.count("PyTorch  0:") == 1


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("connection broken by 'NewConnectionError'\nERROR: No matching", "no connection to the package index"),
        ("ERROR: [Errno 28] No space left on device", "the disk is full"),
        ("ERROR: first\nERROR: No matching distribution\nhint", "No matching distribution"),
        ("Killed", "Killed"),
    ],
)
def test_failed_installation_is_one_line_with_cause_log_and_remedy(clone, capsys, text, cause):
    clone.answer(pip={"code": 1, "text": text})
    assert clone.run("test")[0] == 1
    log = clone.venv / "setup.log"
    step = "JupyterLab and the other packages"
    error = f"vae_lessons: {step}: {cause}. The same command resumes; details are in {log}.\n"
    assert capsys.readouterr().err == error
    assert text in log.read_text()
    assert "pip" in clone.called("test")


def no_room(monkeypatch, clone):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: mock.Mock(free=10**9))


def no_ensurepip(monkeypatch, clone):
    monkeypatch.setattr(install.importlib.util, "find_spec", lambda name: None if name == "ensurepip" else name)


def no_removal(monkeypatch, clone):
    clone.venv.mkdir()
    monkeypatch.setattr(shutil, "rmtree", mock.Mock(side_effect=PermissionError(13, "Permission denied")))


def no_folder(monkeypatch, clone):
    monkeypatch.setattr(Path, "mkdir", mock.Mock(side_effect=PermissionError(13, "Permission denied")))


def no_clone(monkeypatch, clone):
    (clone.root / "pyproject.toml").unlink()


@pytest.mark.parametrize(
    ("trouble", "remedy"),
    [
        (no_room, "needs about 2 GB"),
        (no_ensurepip, "sudo apt install python{}.{}-venv".format(*sys.version_info)),
        (no_removal, "remove it by hand"),
        (no_folder, "Permission denied"),
        (no_clone, "clone the course"),
    ],
)
def test_trouble_is_one_line_and_exit_code_1(clone, monkeypatch, capsys, trouble, remedy):
    trouble(monkeypatch, clone)
    assert clone.run() == (1, [])
    error = capsys.readouterr().err
    assert error.startswith("vae_lessons: ") and remedy in error and error.count("\n") == 1


def test_pytest_gets_the_options_and_the_environment_and_its_exit_code_is_returned(clone):
    clone.run("test")
    clone.answer(pytest={"code": 5})
    workers = ["-n", str(min(os.cpu_count() or 1, 4)), "--dist", "loadfile"]
    command = ["pytest", "--nbval", *workers, "-k", "one", str(clone.venv / "bin")]
    assert clone.run("test", "-k", "one") == (5, [command])


def test_an_environment_that_has_the_packages_is_used_as_it_is(clone, monkeypatch):
    monkeypatch.setattr(install, "is_installed", lambda requirement: True)
    assert install.ready_python(clone.root, "test") == sys.executable
    assert not clone.venv.exists()


def test_testing_needs_the_test_packages_too(clone, monkeypatch):
    monkeypatch.setattr(install, "is_installed", lambda requirement: not requirement.startswith("pytest"))
    assert install.ready_python(clone.root) == sys.executable
    assert install.ready_python(clone.root, "test") == str(clone.venv / "bin/python")


def test_the_site_brings_its_packages_when_it_is_asked_for_and_once(clone, monkeypatch):
    (clone.root / "docs").mkdir()
    (clone.root / "docs/build.py").write_text("import sys; sys.exit(3 if '--open' in sys.argv else 4)")
    clone.run("test")
    code, calls = clone.run("site", "--open")
    (pip,) = [call for call in calls if call[0] == "pip"]
    assert code == 3 and f"{clone.root}[test,site]" in pip
    assert clone.run("site") == (4, [])
    assert clone.called("test") == ["pytest"]


def test_opening_prints_the_address_and_passes_options_on(clone, capsys):
    code, calls = clone.run("--port=9999")
    lab = next(call for call in calls if call[0] == "jupyterlab")
    assert code == 0 and "--port=9999" in lab and f"--ServerApp.root_dir={clone.root}" in lab
    assert "/lab/tree/notebooks/00_start_here.ipynb?token=abc\nCtrl-C here" in capsys.readouterr().out


def test_ctrl_c_stops_the_server_by_one_signal(clone):
    clone.answer(jupyterlab={"serve": True, "interrupt": True})
    code, calls = clone.run()
    assert code == 7 and "still running" not in str(calls)


def test_options_may_follow_two_dashes(clone):
    lab = next(call for call in clone.run("--", "notebook-dir")[1] if call[0] == "jupyterlab")
    assert "notebook-dir" in lab and "--" not in lab


def test_children_find_the_clone_and_the_kernel_of_their_environment(clone, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "before")
    environment = opening.child_environment(clone.root, "python")
    assert environment["PYTHONPATH"] == f"{clone.root}{os.pathsep}before"
    assert environment["JUPYTER_PREFER_ENV_PATH"] == "1"


def test_notebooks_are_trusted_again_only_when_one_changed(clone, capsys):
    assert "nbformat" in clone.called()
    assert "nbformat" not in clone.called()
    (clone.root / "notebooks/00_start_here.ipynb").write_text("{ }")
    clone.answer(nbformat={"code": 1})
    assert clone.run()[0] == 0 and "could not be marked as trusted" in capsys.readouterr().out
    assert "nbformat" in clone.called()


def test_server_that_does_not_start_is_one_line(clone, capsys):
    clone.answer(jupyterlab={"text": "[I 1 ServerApp] hello\n[C 1 ServerApp] ERROR: no port", "code": 1})
    assert clone.run()[0] == 1
    error = "vae_lessons: JupyterLab did not start: ERROR: no port (If it is the port, try --port=9999.)\n"
    assert capsys.readouterr().err == error


def test_relay_shows_the_address_once_and_errors_only(monkeypatch, capsys):
    monkeypatch.setattr(opening, "wait_until_served", lambda address: None)
    address = "http://localhost:8888/lab/tree/notebooks/00_start_here.ipynb?token=abc"
    noise = ["[W 1 A] careful", f"[I 1 A] {address}", "[C 1 A] ", "    To access", f"  {address}", "[I 1 A] more"]
    errors = ["[E 1 A] trouble", "    Traceback"]
    relay(noise + errors, lambda: None)
    printed = capsys.readouterr()
    assert printed.out.count(address) == 1 and printed.err.splitlines() == errors


@pytest.mark.parametrize(("user", "expected"), [(0, True), (1000, False)])
def test_only_root_needs_allow_root(clone, monkeypatch, user, expected):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert ("--allow-root" in opening.lab_command(clone.root, "python", [])) is expected


@pytest.mark.parametrize(
    ("platform", "display", "browsers", "opens"),
    [
        ("linux", ":0", True, True),
        ("linux", "", True, False),
        ("darwin", "", True, True),
        ("linux", ":0", False, False),
    ],
)
def test_browser_is_left_out_where_none_can_open(clone, monkeypatch, platform, display, browsers, opens):
    for name in ("WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(webbrowser, "get", mock.Mock(side_effect=None if browsers else webbrowser.Error))
    assert ("--no-browser" not in opening.lab_command(clone.root, "python", [])) is opens


def test_help_and_unknown_command(clone, capsys):
    assert clone.run("--help") == (0, []) and "vae_lessons test" in capsys.readouterr().out
    assert clone.run("opne") == (2, [])
    assert capsys.readouterr().err == "vae_lessons: there is no command 'opne'; --help lists them.\n"


def test_old_python_is_told_so():
    old = sorted(Path.home().glob(".pyenv/versions/3.[6-9].*/bin/python"))
    if not old:
        pytest.skip("no Python older than 3.10 on this machine")
    result = subprocess.run([old[0], "-m", "vae_lessons"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.startswith("vae_lessons: Python 3.10 or newer is needed, and this is 3.")
    assert result.stderr.count("\n") == 1


def test_package_and_command_import_without_site_packages():
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [PYTHON, "-S", "-c", "import vae_lessons, vae_lessons.command"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
