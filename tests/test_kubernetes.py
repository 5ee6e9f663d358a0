"""The values for Zero to JupyterHub's chart say the same as the hub's configuration, the Dockerfile and the figures.

That the chart takes them was tried by hand against its schema (teaching/README.md says which); no cluster is needed
here. PyYAML comes with Jupyter's server, which logs its events by it.
"""

import re
from pathlib import Path, PurePosixPath

import pytest
import yaml
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from vae_lessons import __version__
from vae_lessons.opening import child_environment

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "teaching" / "zero_to_jupyterhub.yaml").read_text(encoding="utf-8")
VALUES = yaml.safe_load(TEXT)
LEARNER, SPAWNER = VALUES["singleuser"], VALUES["hub"]["config"]["KubeSpawner"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COURSE = PurePosixPath(re.search(r"^WORKDIR (\S+)$", DOCKERFILE, re.M)[1])  # of the image
UNITS = {"M": 1, "G": 1024}


@pytest.fixture
def config(tmp_path, monkeypatch) -> Config:
    """The hub's own configuration on one machine."""
    monkeypatch.setenv("VAE_HUB_DATA", str(tmp_path))
    return PyFileConfigLoader(str(ROOT / "teaching" / "jupyterhub_config.py")).load_config()


def in_clone(path: str) -> Path:
    """What a path of the image is in the clone."""
    return ROOT / PurePosixPath(path).relative_to(COURSE)


def mebibytes(size: str) -> float:
    """As KubeSpawner reads it: 1G is 1024 MiB."""
    return float(size[:-1]) * UNITS[size[-1]]


def test_a_learner_s_server_starts_as_on_one_machine(config):
    options = [option for option in config.Spawner.args if "allow_root" not in option]  # of who runs this test as root
    same = {name: config.Spawner[name] for name in ("notebook_dir", "disable_user_config")}
    assert {"args": options, **same} == SPAWNER
    assert LEARNER["defaultUrl"] == config.Spawner.default_url
    assert LEARNER["startTimeout"] == config.Spawner.start_timeout
    python, program = LEARNER["cmd"]
    assert python == "python" and in_clone(program) == Path(config.Spawner.cmd[1])
    assert VALUES["hub"]["config"]["Authenticator"] == {"username_pattern": config.Authenticator.username_pattern}
    assert f"={VALUES['cull']['timeout']}" in options[-1]


def test_kernels_get_the_same_variables(config, monkeypatch):
    for name in ("PYTHONPATH", "JUPYTER_CONFIG_PATH"):
        monkeypatch.delenv(name, raising=False)
    expected = {name: value for name, value in config.Spawner.environment.items() if name.endswith("_THREADS")}
    of_the_course = child_environment(Path(COURSE), "/usr/local/bin/python")
    names = ("PYTHONPATH", "JUPYTER_CONFIG_PATH", "JUPYTER_PREFER_ENV_PATH")
    expected |= {name: of_the_course[name] for name in names}
    assert len(expected) == 7
    assert LEARNER["extraEnv"] == {"HOME": LEARNER["storage"]["homeMountPath"], **expected}
    assert in_clone(expected["JUPYTER_CONFIG_PATH"]).is_dir()


def test_the_image_is_the_dockerfile_s_and_the_learner_s_volume_does_not_hide_the_course():
    stage = re.search(r"^FROM base AS learner\n(.*?)^FROM", DOCKERFILE, re.M | re.S)[1]
    hub = re.search(r"its hub is JupyterHub ([\d.]+)\)", TEXT)[1]
    assert f'"jupyterhub>={hub},<' in stage and stage.rstrip().endswith("USER learner")
    # The first user that Debian makes; without a number of its own it would be the chart's 1000 by luck alone.
    assert LEARNER["uid"] == int(re.search(r"useradd --create-home --uid (\d+) learner", DOCKERFILE)[1])
    home = PurePosixPath(LEARNER["storage"]["homeMountPath"])
    assert home not in (COURSE, *COURSE.parents) and not home.is_relative_to(COURSE)


def test_the_image_has_a_tag_of_its_own():
    name, tag = LEARNER["image"]["name"], LEARNER["image"]["tag"]
    assert tag == __version__  # and so it is not "latest"
    assert [f"{name}:{tag}"] * 2 == re.findall(r"docker (?:build --target learner -t|push) (\S+)", TEXT)
    assert f"docker build --target learner -t {name}:{tag} ." in DOCKERFILE


def test_as_it_stands_nobody_gets_in_and_no_learner_gets_out():
    hub = VALUES["hub"]["config"]["JupyterHub"]
    assert hub["authenticator_class"] == "null" and hub["admin_access"] is False
    assert VALUES["proxy"]["https"]["enabled"] is True
    assert LEARNER["networkPolicy"]["enabled"] is True
    assert not any(LEARNER["networkPolicy"]["egressAllowRules"].values())
    assert LEARNER["allowPrivilegeEscalation"] is False
    assert [int(number) for number in re.findall(r"# CLASS (\d):", TEXT)] == [1, 2, 3, 4]


def test_the_sizes_are_those_of_the_guide():
    guide = (ROOT / "teaching" / "README.md").read_text(encoding="utf-8")
    server, kernel = map(int, re.search(r"(\d+) MiB for the server and (\d+) for the kernel", guide).groups())
    guarantee, limit = (mebibytes(LEARNER["memory"][name]) for name in ("guarantee", "limit"))
    # One notebook, and what a learner alone on a machine shares with nobody; but not so much that machines stand empty.
    assert 1.2 * (server + kernel) < guarantee < 2 * (server + kernel)
    assert limit > server + 4 * kernel
    assert f"guarantees {guarantee:.0f} MiB" in guide
    assert VALUES["hub"]["activeServerLimit"] >= 300
