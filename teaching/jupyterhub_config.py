"""JupyterHub for a class: every learner in a JupyterLab of their own, with their own copy of the notebooks.

    .venv/bin/python -m pip install "jupyterhub>=6.1,<6.2"
    npm install -g configurable-http-proxy
    .venv/bin/jupyterhub -f teaching/jupyterhub_config.py

in the clone, after `python3 -m vae_lessons` has made `.venv`. Then open http://127.0.0.1:8000.

As it stands this is for trying it out on your own machine: any name logs in, without a password, and all
learners' programs run as you. What to change for a class is marked CLASS, in four places.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from vae_lessons.opening import child_environment  # noqa: E402  found by the line above

c = get_config()  # noqa: F821  JupyterHub defines it

# --- Where things are kept ---
# Outside the clone, so that no `git clean` can reach them. The folder holds the hub's memory and, while
# trying it out, the learners' folders: back it up. VAE_HUB_DATA=/some/folder moves it.

DATA = Path(os.environ.get("VAE_HUB_DATA") or Path.home() / "vae_hub").resolve()
DATA.mkdir(mode=0o700, parents=True, exist_ok=True)

# --- Who may log in ---
# Names become folders, hence the pattern: no `/`, no `..`, nothing hidden.
#
# CLASS 1: choose one, and see https://jupyterhub.readthedocs.io for the others (LTI, OAuth, …).
#   Accounts on this machine, the default of JupyterHub; the hub then runs as root:
#       c.JupyterHub.authenticator_class = "pam"
#       c.Authenticator.allow_existing_users = True     # or allowed_users = {"ada", "bo"}
#   One password for all, for an afternoon: a learner who types another's name gets the other's folder.
#       c.JupyterHub.authenticator_class = "shared-password"
#       c.SharedPasswordAuthenticator.user_password = "at least 8 characters"
#       c.Authenticator.allowed_users = {"ada", "bo"}

c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.username_pattern = r"[a-z0-9][a-z0-9_.@+-]{0,63}"

# CLASS 2: the address. Anything but this machine needs HTTPS, or passwords travel in the clear: put a web
#   server with a certificate in front of the hub, or name the certificate here.
#       c.JupyterHub.bind_url = "https://0.0.0.0:443"
#       c.JupyterHub.ssl_key, c.JupyterHub.ssl_cert = "/path/to/key.pem", "/path/to/certificate.pem"

c.JupyterHub.bind_url = "http://127.0.0.1:8000"

# --- How a learner's server runs ---
# CLASS 3: a system user for each learner, or a container. Until then learners can read each other's files.
#   System users, with pam above; clone and .venv must be readable for them (in /opt, say):
#       c.JupyterHub.spawner_class = "localprocess"
#   The same with limits that hold, on Linux with systemd (pip install jupyterhub-systemdspawner):
#       c.JupyterHub.spawner_class = "systemd"
#       c.Spawner.mem_limit, c.Spawner.cpu_limit = "2G", 2.0
#   With system users, other users of the machine can listen to what kernels print, unless it goes through files
#   (in homes with short paths: a socket's name ends after 107 characters):
#       c.Spawner.args += ["--KernelManager.transport=ipc"]     # below, where `args` stands
#   Containers (pip install dockerspawner): put the clone and .venv into the image at the same paths, and a
#   volume at each learner's home.

c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = str(DATA / "learners" / "{username}")

# start_learner.py hands out the notebooks, then becomes the server. It runs as the learner, in the learner's
# home, so it works the same with all of the spawners above, and the hub never writes into a home as root.
c.Spawner.cmd = [sys.executable, str(ROOT / "teaching" / "start_learner.py")]
c.Spawner.notebook_dir = "~/vae_course"
c.Spawner.default_url = "/lab/tree/notebooks/00_start_here.ipynb"

# What a learner puts into ~/.jupyter must not change their server, which other learners' pages may reach. JupyterLab's
# own settings (theme, keys) stay theirs.
c.Spawner.disable_user_config = True

# A class starts all at once, and on the first day every server has notebooks to copy and to sign.
c.Spawner.start_timeout = c.Spawner.http_timeout = 300

# --- What all kernels get ---
# The environment of the course's own command: its JupyterLab settings (sliders are saved with the page), the
# clone's package, the environment's kernel.
FROM_THE_COURSE = ("PATH", "PYTHONPATH", "JUPYTER_CONFIG_PATH", "JUPYTER_PREFER_ENV_PATH")
environment = child_environment(ROOT, sys.executable)
c.Spawner.environment = {name: environment[name] for name in FROM_THE_COURSE}

# One thread each: the models are small, and in a class the neighbour's kernel has the other cores.
# benchmarks/classroom.py --unlimited measures what this changes.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
c.Spawner.environment |= dict.fromkeys(THREADS, "1")

# --- Giving memory back ---
# A kernel that is idle and that no open tab belongs to ends after an hour; what is in a notebook stays, its
# variables go, and running it again takes half a minute. A tab that is open keeps its kernel. A server
# without kernels ends after four hours without any request; JupyterLab then offers to start it again.
c.Spawner.args = [
    "--MappingKernelManager.cull_idle_timeout=3600",
    "--MappingKernelManager.cull_interval=300",
    "--ServerApp.shutdown_no_activity_timeout=14400",
]
if os.geteuid() == 0:
    c.Spawner.args += ["--ServerApp.allow_root=True"]  # of use where even the learners are root: in containers

# --- Restarts lose nothing ---
# Stopping the hub (Ctrl-C, a crash, an update of this file) leaves servers, kernels and the proxy running:
# who is logged in works on. The next start finds them by the database, and the cookies by the secret.
#
# CLASS 4: under systemd this holds only with `KillMode=process` in the hub's unit, or it ends them all.
#   To stop everything, stop the learners' servers first, in Admin → Stop all.
#       c.Authenticator.admin_users = {"your-name"}

c.JupyterHub.cleanup_servers = False
c.JupyterHub.cleanup_proxy = False
c.JupyterHub.db_url = f"sqlite:///{DATA / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(DATA / "cookie_secret")
c.ConfigurableHTTPProxy.pid_file = str(DATA / "proxy.pid")
