"""Addresses outside the book: derived from the checkout's remote, or given, or left out; never invented."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit


class Published(NamedTuple):
    """Where the book is to stand, and where its source does.

    Attributes:
        address: of the book, with a slash at its end; empty where it is not known.
        repository: "owner/name" on GitHub; empty where the source is elsewhere.
    """

    address: str
    repository: str

    @property
    def path(self) -> str:
        """The path of the address, which a page shown for any address begins its links with."""
        return urlsplit(self.address).path or "/"

    @property
    def colab(self) -> str:
        """The notebooks for Colab, in the branch with the book; what is not on GitHub cannot be opened there."""
        folder = f"https://colab.research.google.com/github/{self.repository}/blob/gh-pages/colab"
        return folder if self.repository else ""

    @property
    def clone(self) -> str:
        """The commands that bring the project and go there; empty where its address is not known."""
        folder = self.repository.rpartition("/")[2]
        return f"git clone https://github.com/{self.repository}\ncd {folder}\n" if self.repository else ""

    @property
    def colab_cell(self) -> str:
        """What a notebook begins with in Colab: the package alone, so that Colab's own versions stay as they are."""
        return (
            "# The course's package. Colab has the others, and they stay as they are.\n"
            "# (Notebook 00 then calls some of them untested: all claims hold with those of August 2026.)\n"
            f'%pip install --quiet --no-deps "vae_lessons @ git+https://github.com/{self.repository}"'
        )

    def report_page(self, page: str) -> str:
        """The address that begins a report on this page; empty where there is no repository to write to."""
        title = quote(f"{page}: ")
        return f"https://github.com/{self.repository}/issues/new?title={title}" if self.repository else ""

    @property
    def report(self) -> str:
        """Where a mistake is reported, in words for a page."""
        if not self.repository:
            return "Write to those from whom you have the course, or to its repository, if you have the address."
        return f"Write [a report](https://github.com/{self.repository}/issues/new) in the project's repository."


def published(root: Path, address: str = "") -> Published:
    """What the remote `origin` tells: GitHub serves a project's pages at owner.github.io/name/."""
    remote = subprocess.run(["git", "-C", root, "remote", "get-url", "origin"], capture_output=True, text=True).stdout
    return from_remote(remote.strip(), address)


def from_remote(remote: str, address: str = "") -> Published:
    found = re.fullmatch(r"(?:https://|git@|ssh://git@)github\.com[:/]([\w.-]+)/([\w.-]+?)(?:\.git)?/?", remote)
    if found is None:
        return Published(_closed(address), "")
    owner, name = found.groups()
    own_page = "" if name.lower() == f"{owner.lower()}.github.io" else f"{name}/"
    return Published(_closed(address) or f"https://{owner.lower()}.github.io/{own_page}", f"{owner}/{name}")


def _closed(address: str) -> str:
    return f"{address.rstrip('/')}/" if address else ""
