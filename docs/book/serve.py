"""The finished book on this machine alone, as a web server would show it."""

from __future__ import annotations

import contextlib
import webbrowser
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Handler(SimpleHTTPRequestHandler):
    """Files of the folder below the path `top`, in silence; the book's own page where there is none."""

    def __init__(self, *arguments: Any, top: str, **options: Any) -> None:
        self.top = top
        super().__init__(*arguments, **options)

    def translate_path(self, path: str) -> str:
        inside = path.startswith(self.top)
        return super().translate_path(f"/{path.removeprefix(self.top)}" if inside else "/no such file")

    def handle(self) -> None:
        """A reader who turns the page before all has come is no error."""
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: one line for every picture helps nobody."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        page = Path(self.directory) / "404.html"
        if code != 404 or not page.exists():
            super().send_error(code, message, explain)
            return
        body = page.read_bytes()
        self.send_response(404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def server(folder: Path, port: int = 0, top: str = "/") -> ThreadingHTTPServer:
    """A server on the loopback address; port 0 takes a free one."""
    return ThreadingHTTPServer(("127.0.0.1", port), partial(Handler, directory=str(folder), top=top))


def serve(folder: Path, port: int, top: str, *, show: bool) -> None:
    """Serve until Ctrl-C, under the path that the book will have; `show` opens a browser."""
    with server(folder, port, top) as running:
        address = f"http://127.0.0.1:{running.server_address[1]}{top}"
        print(f"\nThe book is at  {address}\nCtrl-C here stops it.\n", flush=True)
        if show:
            webbrowser.open(address)
        running.serve_forever()
