"""JupyterHub for a class: folders of their own, the course's settings, and restarts that lose nothing.

The tests with a hub need jupyterhub and configurable-http-proxy (see teaching/jupyterhub_config.py) and are
skipped without; those of handing out notebooks run everywhere.
"""

import importlib.util
import json
import os
import signal
import time
from pathlib import Path

import pytest
import requests
from hub import CELL, CONFIG, ROOT, Kernel, Learner, missing, running_hub, wait_for
from test_closed import listening

spec = importlib.util.spec_from_file_location("start_learner", ROOT / "teaching" / "start_learner.py")
start_learner = importlib.util.module_from_spec(spec)
spec.loader.exec_module(start_learner)

START = "notebooks/00_start_here.ipynb"
# The course's configuration as it is, but for cy, whose hour passes in ten seconds.
SECRET = "known-to-the-hub-and-its-proxy-alone"
HURRY = f"""
import os
os.environ["CONFIGPROXY_AUTH_TOKEN"] = {SECRET!r}
load_subconfig({str(CONFIG)!r})

def hurry(spawner):
    if spawner.user.name == "cy":
        spawner.args = [option.replace("=3600", "=10").replace("=300", "=1") for option in spawner.args]

c.Spawner.pre_spawn_hook = hurry
"""


# --- with a hub ---


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    if reason := missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("hub")
    config = folder / "config.py"
    config.write_text(HURRY)
    with running_hub(folder, config) as running:
        yield running
    assert not running.processes()


def enter(hub, name):
    """A learner who has logged in and whose server runs."""
    learner = Learner(hub, name)
    learner.log_in()
    learner.start_server()
    return learner


@pytest.fixture(scope="module")
def ada(hub):
    learner = enter(hub, "ada")
    yield learner
    learner.browser.close()


@pytest.fixture(scope="module")
def bo(hub):
    learner = enter(hub, "bo")
    yield learner
    learner.browser.close()


def server_pid(learner):
    """The process of a learner's server."""
    home = f"HOME={learner.home}\0".encode()
    found = [
        pid
        for pid, command in learner.hub.processes().items()
        if "jupyterhub-singleuser" in command and home in Path(f"/proc/{pid}/environ").read_bytes()
    ]
    (pid,) = found
    return pid


def test_each_learner_has_all_notebooks_and_one_s_edit_does_not_touch_the_other_s(ada, bo):
    course = {path.name: path.read_bytes() for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")}
    name = "01_gaussian_kl.ipynb"
    edited = ada.read(f"notebooks/{name}")
    edited["cells"][0]["source"] = "Ada was here"
    ada.save(f"notebooks/{name}", edited)
    assert ada.read(f"notebooks/{name}")["cells"][0]["source"] == "Ada was here"
    assert {path.name: path.read_bytes() for path in bo.notebooks.glob("*.ipynb")} == course
    assert {path.name: path.read_bytes() for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")} == course


def test_copies_are_trusted_and_jupyterlab_opens_at_the_first(bo):
    cells = [cell for cell in bo.read(START)["cells"] if cell["cell_type"] == "code"]
    assert cells and all(cell["metadata"]["trusted"] for cell in cells)
    page = bo.request("GET", f"/user/{bo.name}/")
    assert page.url == f"{bo.hub.url}/user/{bo.name}/lab/tree/{START}"


def test_settings_of_the_course_apply(bo):
    plugin = "@jupyter-widgets/jupyterlab-manager:plugin"
    settings = bo.request("GET", f"/user/{bo.name}/lab/api/settings/{plugin}").json()
    assert settings["schema"]["properties"]["saveState"]["default"] is True
    assert "lost_widgets.js" in bo.request("GET", f"/user/{bo.name}/lab").text


def test_kernels_run_the_clone_with_one_thread_in_the_folder_of_the_notebook(bo):
    kernel = bo.open_kernel(START)
    code = "import os, torch, vae_lessons; print(torch.get_num_threads(), vae_lessons.__file__, os.getcwd(), sep='\\n')"
    assert kernel.text(code).split() == ["1", str(ROOT / "vae_lessons" / "__init__.py"), str(bo.notebooks)]
    kernel.close()


def test_no_way_to_another_s_server_or_out_of_the_folder(hub, ada, bo):
    with pytest.raises(RuntimeError, match="403"):
        ada.request("GET", f"/user/{bo.name}/api/contents/{START}")
    for name in ("..", ".ssh", "../ada"):
        intruder = Learner(hub, name)
        with pytest.raises(RuntimeError, match="403"):
            intruder.log_in()
        intruder.browser.close()


# What teaching/README.md says under "Safety".


def test_hub_and_proxy_listen_on_loopback_only_and_the_proxy_obeys_the_hub_alone(hub):
    ports = [int(option.rpartition(":")[2].rpartition("=")[2]) for option in hub.options]
    assert [listening(port) for port in ports] == [{"0100007F"}] * 3  # 127.0.0.1
    routes = f"http://127.0.0.1:{ports[2]}/api/routes"
    for token, status in ((SECRET, 200), ("guessed", 403)):
        assert requests.get(routes, headers={"Authorization": f"token {token}"}, timeout=60).status_code == status


def test_secrets_are_readable_for_the_hub_alone(hub, bo):
    assert (hub.folder / "cookie_secret").stat().st_mode & 0o077 == 0
    kernel = bo.open_kernel(START)
    assert "['PATH']" in kernel.text("import os; print([name for name in os.environ if name == 'PATH'])")
    assert kernel.text(f"print([name for name in os.environ if {SECRET!r} in os.environ[name]])") == "[]\n"
    kernel.close()


def test_no_page_may_be_framed(bo):
    for page in ("/hub/home", f"/user/{bo.name}/lab"):
        assert "frame-ancestors 'none'" in bo.request("GET", page).headers["Content-Security-Policy"], page


def test_an_address_logs_nobody_in_and_nothing_can_be_shared(hub, bo):
    token = bo.request("POST", f"/hub/api/users/{bo.name}/tokens", json={}).json()["token"]
    contents = f"{hub.url}/user/{bo.name}/api/contents"
    with_header = requests.get(contents, headers={"Authorization": f"token {token}"}, timeout=60)
    with_address = requests.get(f"{contents}?token={token}", allow_redirects=False, timeout=60)
    assert (with_header.status_code, with_address.status_code) == (200, 403)
    with pytest.raises(RuntimeError, match="403"):
        bo.request("POST", f"/hub/api/share-codes/{bo.name}/", json={})


def test_a_learner_s_own_files_do_not_change_their_server(hub):
    """Neither settings in the places that Jupyter looks at, nor what a shell would run."""
    home, ran = hub.folder / "learners" / "di", hub.folder / "ran"
    ran.mkdir()
    (home / ".jupyter").mkdir(parents=True)
    (home / "vae_course").mkdir()
    for n, folder in enumerate((home / ".jupyter", home, home / "vae_course")):
        (folder / "jupyter_server_config.py").write_text(f"open({str(ran / f'settings {n}')!r}, 'w')")
    for name in (".profile", ".bash_profile", ".bashrc"):
        (home / name).write_text(f"touch '{ran}/{name}'")
    di = enter(hub, "di")
    assert di.read(START)["cells"] and [path.name for path in ran.iterdir()] == []
    di.browser.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_restart_of_the_hub_loses_nothing(hub, ada, number):
    kernel, pid = ada.open_kernel("notebooks/02_monte_carlo_kl.ipynb"), server_pid(ada)
    kernel.text("trained_for_an_hour = 41")
    ada.save("diary.txt", f"before {number}")
    hub.stop(number)
    assert kernel.text("print(trained_for_an_hour)") == "41\n"  # while the hub is away
    ada.save("diary.txt", f"after {number}")
    kernel.close()
    hub.start()
    assert server_pid(ada) == pid and ada.is_ready()  # still logged in, too
    again = Kernel(ada, kernel.id)
    assert again.text("print(trained_for_an_hour + 1)") == "42\n"
    assert ada.read("diary.txt") == f"after {number}"
    again.close()


def test_a_connection_that_broke_off_is_made_again_and_no_output_is_missing(ada):
    """What JupyterLab relies on, and the benchmark: the server keeps a session's messages while its page is away."""
    kernel = ada.open_kernel("notebooks/03_elbo.ipynb")
    code = "import time; time.sleep(0.5); print('written while nobody listened', flush=True); time.sleep(1); print('later')"
    request = kernel.send("execute_request", CELL | {"code": code})
    kernel.socket.shutdown()
    time.sleep(0.7)
    printed = [content["text"] for kind, content in kernel.answers(request) if kind == "stream"]
    assert printed == ["written while nobody listened\n", "later\n"] and ada.reconnections == 1
    kernel.close()


def test_after_the_hub_restarted_a_server_can_be_stopped_and_started_with_the_work_in_it(hub, ada):
    ada.save("notebooks/mine.txt", "my notes")
    hub.stop()
    hub.start()
    ada.request("DELETE", f"/hub/api/users/{ada.name}/server")
    wait_for(lambda: not ada.is_ready(), "the end of the server")
    ada.start_server()
    assert ada.read("notebooks/mine.txt") == "my notes"
    assert ada.read("notebooks/01_gaussian_kl.ipynb")["cells"][0]["source"] == "Ada was here"


def test_idle_kernels_end_except_those_with_an_open_tab(hub):
    cy = enter(hub, "cy")
    open_tab, closed_tab = cy.open_kernel(START), cy.open_kernel("notebooks/01_gaussian_kl.ipynb")
    closed_tab.close()
    wait_for(lambda: [kernel["id"] for kernel in cy.api("GET", "kernels")] == [open_tab.id], "one kernel left")
    assert open_tab.text("print('here')") == "here\n"
    open_tab.close()
    cy.browser.close()


# --- handing out, without a hub ---


@pytest.fixture
def folders(tmp_path):
    course, mine = tmp_path / "course", tmp_path / "mine"
    course.mkdir()
    (course / "one.ipynb").write_text("first")
    (course / "two.ipynb").write_text("second")
    for name in (".hidden", "progress.json", "one.slides.html"):
        (course / name).touch()
    start_learner.hand_out(course, mine)
    return course, mine


def names(copies):
    return [path.name for path in copies]


def test_every_notebook_is_handed_out_once_and_nothing_of_the_teacher_s(folders):
    course, mine = folders
    assert sorted(path.name for path in mine.iterdir()) == [start_learner.RECORD, "one.ipynb", "two.ipynb"]
    assert (mine / "one.ipynb").read_text() == "first"
    assert start_learner.hand_out(course, mine) == []


def test_saved_files_stay_and_untouched_ones_follow_the_course(folders):
    course, mine = folders
    (mine / "one.ipynb").write_text("my work")
    for path in course.glob("*.ipynb"):
        path.write_text("a better lesson")
    assert names(start_learner.hand_out(course, mine)) == ["two.ipynb"]
    assert (mine / "one.ipynb").read_text() == "my work"
    assert (mine / "two.ipynb").read_text() == "a better lesson"


def test_a_renamed_notebook_makes_room_for_the_new_one(folders):
    course, mine = folders
    (mine / "one.ipynb").rename(mine / "mine.ipynb")
    (course / "one.ipynb").write_text("a better lesson")
    assert names(start_learner.hand_out(course, mine)) == ["one.ipynb"]
    assert (mine / "mine.ipynb").read_text() == "first"


@pytest.mark.parametrize("damage", ["", "{", "[]", None])
def test_without_a_record_everything_counts_as_the_learner_s(folders, damage):
    course, mine = folders
    record = mine / start_learner.RECORD
    record.unlink() if damage is None else record.write_text(damage)
    (course / "one.ipynb").write_text("a better lesson")
    assert start_learner.hand_out(course, mine) == []
    assert (mine / "one.ipynb").read_text() == "first"


def test_links_of_the_learner_are_not_replaced(folders):
    course, mine = folders
    (mine / "one.ipynb").unlink()
    (mine / "one.ipynb").symlink_to(mine / "nowhere")
    assert start_learner.hand_out(course, mine) == []


def test_cut_short_a_copy_is_made_whole_the_next_time(folders, monkeypatch):
    course, mine = folders
    (course / "three.ipynb").write_text("third")

    def cut_short(self, target):
        raise OSError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", cut_short)
        with pytest.raises(OSError, match="power cut"):
            start_learner.hand_out(course, mine)
    assert not (mine / "three.ipynb").exists()
    assert names(start_learner.hand_out(course, mine)) == ["three.ipynb"]
    assert set(json.loads((mine / start_learner.RECORD).read_text())) == {"one.ipynb", "two.ipynb", "three.ipynb"}


@pytest.mark.parametrize("full_disk", [False, True])
def test_the_server_starts_also_when_notebooks_cannot_be_handed_out(tmp_path, monkeypatch, capsys, full_disk):
    def hand_out(source, target):
        if full_disk:
            raise OSError(28, "No space left on device")
        return [target / "one.ipynb", target / "picture.png"]

    trusted, started = [], []
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(start_learner, "hand_out", hand_out)
    monkeypatch.setattr(start_learner, "trust", trusted.extend)
    monkeypatch.setattr(os, "execv", lambda program, arguments: started.append(arguments))
    start_learner.main(["--option"])
    assert started[0][0].endswith("jupyterhub-singleuser") and started[0][1:] == ["--option"]
    assert names(trusted) == ([] if full_disk else ["one.ipynb"])
    assert ("No space left" in capsys.readouterr().err) is full_disk
