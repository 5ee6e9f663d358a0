"""A real JupyterHub with the course's configuration, and what a learner's browser sends to it.

The hub gets free ports of this machine's loopback device and a folder of its own; nothing of the person
who runs the tests is read or changed. Every process of it carries that folder in its environment, which
is how `close` finds them, also those that outlived their hub.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests
import websocket

ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "teaching" / "jupyterhub_config.py"
PATIENCE = 180  # seconds for one step on a busy machine; every wait ends as soon as its condition holds
RECONNECTIONS = 7  # that JupyterLab tries in a row
CELL = {"silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}  # and its code


def missing() -> str:
    """Why no hub can be started here, or nothing."""
    if not Path("/proc/self/environ").exists():
        return "needs Linux: processes are found through /proc"
    if subprocess.call([sys.executable, "-c", "import jupyterhub"], stderr=subprocess.DEVNULL) != 0:
        return "jupyterhub is not installed in this environment"
    if shutil.which("configurable-http-proxy") is None:
        return "configurable-http-proxy is not on the PATH"
    return ""


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    """The first true value of the condition."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.1)
    raise TimeoutError(f"{what}: not within {PATIENCE} s")


def free_ports(n: int) -> list[int]:
    """Ports that were free a moment ago, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Hub:
    """JupyterHub in `folder`, from `config`."""

    def __init__(self, folder: Path, config: Path = CONFIG) -> None:
        self.folder, self.config = folder.resolve(), config
        public, hub, api = free_ports(3)
        self.url = f"http://127.0.0.1:{public}"
        self.options = [f"--JupyterHub.bind_url={self.url}", f"--JupyterHub.hub_port={hub}"]
        self.options += [f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{api}"]

    @property
    def log(self) -> str:
        return (self.folder / "hub.log").read_text(errors="replace")

    def start(self) -> None:
        """Start the hub, and wait until it can log somebody in."""
        command = [sys.executable, "-m", "jupyterhub", "-f", str(self.config), *self.options]
        environment = os.environ | {"VAE_HUB_DATA": str(self.folder)}
        with (self.folder / "hub.log").open("ab") as log:
            # A session of its own: Ctrl-C reaches the test or benchmark alone, which then closes the hub.
            apart = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "start_new_session": True}
            self.process = subprocess.Popen(command, cwd=self.folder, env=environment, **apart)
        wait_for(self._answers, "the hub's start")

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"the hub ended with {self.process.returncode}:\n{self.log[-3000:]}")
        try:
            return requests.get(f"{self.url}/hub/login", timeout=5).ok
        except requests.RequestException:
            return False

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End the hub alone, as Ctrl-C, a service manager or a crash would."""
        self.process.send_signal(number)
        self.process.wait(PATIENCE)

    def processes(self) -> dict[int, str]:
        """The pid and command line of everything that this hub started, and of itself."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if int(folder.name) != os.getpid() and os.fsencode(self.folder) in (folder / "environ").read_bytes():
                    command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    found[int(folder.name)] = command
            except OSError:  # ended, or another user's
                continue
        return {pid: command for pid, command in found.items() if command}  # a zombie has none

    def close(self) -> None:
        """End the hub and everything it started: a request first, force after ten seconds."""
        for number, seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
            for pid in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            deadline = time.monotonic() + seconds
            while self.processes() and time.monotonic() < deadline:
                time.sleep(0.1)
        if hasattr(self, "process"):
            self.process.wait()


@contextlib.contextmanager
def running_hub(folder: Path, config: Path = CONFIG) -> Iterator[Hub]:
    """A hub that can log somebody in; it leaves no process behind, whatever happens."""
    hub = Hub(folder, config)
    try:
        hub.start()
        yield hub
    finally:
        hub.close()


class Learner:
    """One browser: logs in, has its server started, and talks to it with its cookies."""

    def __init__(self, hub: Hub, name: str) -> None:
        self.hub, self.name, self.browser, self.reconnections = hub, name, requests.Session(), 0
        self.home = hub.folder / "learners" / name
        self.notebooks = self.home / "vae_course" / "notebooks"

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request as a page of the hub (`/hub/…`) or of the learner's server (`/user/…`) does."""
        headers = {"X-XSRFToken": self._token(path), "Referer": self.hub.url + path}
        answer = self.browser.request(method, self.hub.url + path, headers=headers, timeout=PATIENCE, **options)
        if not answer.ok:
            raise RuntimeError(f"{self.name}: {method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer

    def _token(self, path: str) -> str:
        """The token against forged requests that hub or server set for their pages."""
        prefix = "/hub/" if path.startswith("/hub/") else f"/user/{self.name}/"
        return next((one.value for one in self.browser.cookies if (one.name, one.path) == ("_xsrf", prefix)), "")

    def log_in(self) -> None:
        self.request("GET", "/hub/login")
        fields = {"username": self.name, "password": "", "_xsrf": self._token("/hub/")}
        self.request("POST", "/hub/login", data=fields, allow_redirects=False)

    def start_server(self) -> None:
        """Have the server started, wait until it is, and open JupyterLab's page, which sets its cookies."""
        self.request("POST", f"/hub/api/users/{self.name}/servers/")
        wait_for(self.is_ready, f"the server of {self.name}")
        self.request("GET", f"/user/{self.name}/lab")

    def is_ready(self) -> bool:
        """Whether the hub takes the learner's server for running."""
        user = self.request("GET", f"/hub/api/users/{self.name}").json()
        return bool(user["servers"].get("", {}).get("ready"))

    def api(self, method: str, path: str, **options: Any) -> Any:
        """What the learner's server answers, from JSON."""
        answer = self.request(method, f"/user/{self.name}/api/{path}", **options)
        return answer.json() if answer.content else None

    def read(self, path: str) -> Any:
        """The content of a file, a notebook as a dictionary."""
        return self.api("GET", f"contents/{path}")["content"]

    def save(self, path: str, content: Any) -> None:
        kind = "notebook" if path.endswith(".ipynb") else "file"
        form = "json" if kind == "notebook" else "text"
        self.api("PUT", f"contents/{path}", json={"type": kind, "format": form, "content": content})

    def open_kernel(self, path: str) -> Kernel:
        """A kernel for the notebook at `path`, as opening it in JupyterLab starts one."""
        wish = {"path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"}}
        return Kernel(self, self.api("POST", "sessions", json=wish)["kernel"]["id"])


class Kernel:
    """A connection to one kernel, as a notebook's tab has it: where it breaks off, it is made again."""

    def __init__(self, learner: Learner, kernel_id: str) -> None:
        self.learner, self.id, self.session = learner, kernel_id, uuid.uuid4().hex
        self.connect()

    def connect(self) -> None:
        """Connect under the session's name, for which the server has kept what came while nobody listened."""
        page, url = f"/user/{self.learner.name}/api/kernels/{self.id}/channels", self.learner.hub.url
        cookies = self.learner.browser.prepare_request(requests.Request("GET", url + page)).headers["Cookie"]
        address = f"{url.replace('http', 'ws', 1)}{page}?session_id={self.session}"
        self.socket = websocket.create_connection(address, PATIENCE, cookie=cookies, origin=url)

    def receive(self) -> str | bytes:
        """The next message; as JupyterLab does, seven times in a row, later each time, a lost connection is made again."""
        for attempt in range(RECONNECTIONS):
            try:
                return self.socket.recv()
            except (websocket.WebSocketConnectionClosedException, ConnectionError):
                self.socket.shutdown()
                self.learner.reconnections += 1
                time.sleep(2**attempt / 4)
                self.connect()
        return self.socket.recv()

    def close(self) -> None:
        """Close the tab; the kernel stays."""
        self.socket.close()

    def run(self, code: str) -> list[dict[str, Any]]:
        """Run a cell, and return its outputs once the kernel is idle again."""
        kinds = ("stream", "display_data", "execute_result", "error")
        return [
            {"output_type": kind} | {name: content[name] for name in content if name != "transient"}
            for kind, content in self.answers(self.send("execute_request", CELL | {"code": code}))
            if kind in kinds
        ]

    def send(self, kind: str, content: dict[str, Any]) -> str:
        """Send a message to the kernel, and return its number."""
        header = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "username": "", "version": "5.3"}
        header |= {"session": self.session, "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
        self.socket.send(json.dumps(message | {"buffers": []}))
        return header["msg_id"]

    def answers(self, request: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The kind and content of each message that follows from that one, until the kernel is idle again."""
        while True:
            text = self.receive()
            message = json.loads(text) if isinstance(text, str) else {}  # binary: an image for a widget
            kind, content = message.get("msg_type"), message.get("content", {})
            if message.get("parent_header", {}).get("msg_id") != request:
                continue
            if kind == "status" and content["execution_state"] == "idle":
                return
            yield kind, content

    def text(self, code: str) -> str:
        """What a cell prints; an error of the cell is raised here."""
        outputs = self.run(code)
        if errors := [output for output in outputs if output["output_type"] == "error"]:
            raise RuntimeError("\n".join(errors[0]["traceback"]))
        return "".join(output.get("text", "") for output in outputs)
