"""How often JupyterLab loses the saved widgets of a notebook, without the course's extension and with it.

    python benchmarks/lost_widgets.py --openings 50
    python benchmarks/lost_widgets.py --openings 50 --slower 15 --kernel-later 0 --notebook 07_kl_vanishing
    python benchmarks/lost_widgets.py --openings 10 --slower 1 --kernel-later 0 --provoke "a broken connection"

A notebook is opened again and again, in turn in a JupyterLab without the extension (`vae_lessons/jupyter`) and in one
with it. The machine is slow on purpose: the page's processor is slowed, and a kernel starts up to some seconds later,
as where a whole class starts at once. `--provoke` adds what loses the widgets for sure; `PROVOKED` has the ways.
A learner has lost widgets if the browser has painted the error at any time, or if one of them is not there after
`PATIENCE`. `--record` keeps the row in tests/trust/widgets.json, beside those of other ways.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, Page

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from browser import Lab, chromium, evaluate, new_page, opened, serve
from trust import Row, renew, table

from vae_lessons.files import written_whole

PATIENCE = 15  # seconds for all widgets of a notebook, once its kernel is there
WIDGET = "application/vnd.jupyter.widget-view+json"

# Break the kernel's connection, once, when JupyterLab asks for the n-th time which widgets the kernel has.
BREAK = """() => {
    const send = WebSocket.prototype.send;
    let count = 0;
    window.provoked = false;
    WebSocket.prototype.send = function (data) {
        const text = typeof data === 'string' ? data : new TextDecoder().decode(data);
        if (text.includes('comm_info_request')) count += 1;
        if (count < N) return send.call(this, data);
        WebSocket.prototype.send = send;
        window.provoked = true;
        this.close();
    };
}"""
# What loses the widgets of the next notebook.
PROVOKED = {
    # A step of a renderer's search for its model takes more than its two seconds, and until the manager has
    # restored all, as in a page too busy to keep time.
    "a late last look": """() => {
        const set = window.setTimeout;
        const isRestored = async () => {
            for (const panel of jupyterapp.shell.widgets('main'))
                for (const cell of panel.content?.widgets ?? [])
                    for (const item of cell.outputArea?.widgets ?? [])
                        for (const place of item.children())
                            if (place._manager) return (await place._manager.promise).restoredStatus;
        };
        window.provoked = false;
        window.setTimeout = (work, ms, ...more) => {
            if (ms !== 100 || !String(work).includes('[native code]')) return set(work, ms, ...more);
            window.provoked = true;
            return set(async () => {
                while (!await isRestored()) await new Promise(done => set(done, 20));
                window.setTimeout = set;
                work();
            }, 2100);
        };
    }""",
    # The second of the manager's two questions is lost with the connection: it was about to read the notebook.
    "a broken connection": BREAK.replace("N", "2", 1),
    # The first is lost: the manager waits for its answer.
    "one broken earlier": BREAK.replace("N", "1", 1),
}
# From now on, remember whether the browser has ever painted the error, on the screen or below.
WATCH = """() => {
    window.seen = false;
    if (window.watching) return;
    window.watching = true;
    const look = () => {
        const outputs = [...document.querySelectorAll('.jp-OutputArea-output.jupyter-widgets')];
        window.seen ||= outputs.some(output => output.textContent === 'Error displaying widget: model not found');
        requestAnimationFrame(look);
    };
    look();
}"""
SEEN = "() => window.seen"
# What stands in each widget's place.
PLACES = """widget => panel.content.widgets.flatMap(cell => [...cell.outputArea?.widgets ?? []])
    .flatMap(item => [...item.children()]).filter(place => place.mimeType === widget).map(place =>
        [...place.children()].length === 1 ? 'widget' : place.node.querySelector('img, pre') ? 'still'
            : place.node.textContent.startsWith('Error') ? 'error' : 'nothing')"""
# What a JupyterLab without the extension has in its place.
NO_EXTENSION = """
(window._JUPYTERLAB ??= {})['lost-widgets'] = {init() {}, get: async () => () => ({default: [], __esModule: true})};
"""


class Opening(NamedTuple):
    """What one opening of a notebook came to."""

    error_seen: bool
    places: list[str]
    seconds: float

    @property
    def is_well(self) -> bool:
        return not self.error_seen and set(self.places) == {"widget"}


def leave_out(page: Page) -> None:
    """Load JupyterLab without the extension."""
    page.route("**/lost_widgets.js*", lambda route: route.fulfill(content_type="text/javascript", body=NO_EXTENSION))


def start_kernels_later(lab: Lab, seconds: float) -> None:
    """Each kernel sleeps when it starts, for any time up to so many seconds."""
    startup = lab.course.parent / "home/.ipython/profile_default/startup"
    startup.mkdir(parents=True)
    (startup / "sleep.py").write_text(f"import random, time; time.sleep(random.uniform(0, {seconds}))")


@contextmanager
def slow_page(browser: Browser, lab: Lab, slower: float, *, with_extension: bool) -> Iterator[Page]:
    """JupyterLab in a page whose processor is slowed so many times."""
    page = new_page(browser, [])
    if not with_extension:
        leave_out(page)
    page.goto(lab.address)
    page.wait_for_function("window.jupyterapp")
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slower})
    yield page
    page.close()


def open_once(page: Page, path: str, n_widgets: int, provocation: str | None) -> Opening:
    """Open a notebook, wait until something stands in each widget's place, and close it."""
    evaluate(page, WATCH)
    if provocation:
        evaluate(page, provocation)
    begun = time.monotonic()
    with opened(page, path):
        deadline = time.monotonic() + PATIENCE
        while True:
            error_seen, places = evaluate(page, SEEN), evaluate(page, PLACES, WIDGET)
            # An error stays where it is; a picture may still become a widget, and so may an error that nobody has seen.
            settled = {"widget", "error"} if error_seen else {"widget"}
            if (len(places) == n_widgets and set(places) <= settled) or time.monotonic() > deadline:
                return Opening(error_seen, places, time.monotonic() - begun)
            page.wait_for_timeout(200)


def count_widgets(notebook: Path) -> int:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return sum(WIDGET in output.get("data", {}) for cell in cells for output in cell.get("outputs", []))


def in_turns(arguments: argparse.Namespace) -> dict[bool, list[Opening]]:
    """So many openings without the extension, and so many with it; those that are kept count."""
    path, provocation = f"notebooks/{arguments.notebook}.ipynb", PROVOKED.get(arguments.provoke)
    done = kept(arguments.keep)
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder)) as lab, chromium() as browser:
        start_kernels_later(lab, arguments.kernel_later)
        n_widgets = count_widgets(lab.course / path)
        while (n := min(arguments.a_page, arguments.openings - min(map(len, done.values())))) > 0:
            with_extension = len(done[True]) < len(done[False])
            with slow_page(browser, lab, arguments.slower, with_extension=with_extension) as page:
                done[with_extension] += [open_once(page, path, n_widgets, provocation) for _ in range(n)]
            keep(arguments.keep, done)
            print(*(f"{'with' if way else 'without'}: {in_words(some)}" for way, some in done.items()), flush=True)
    return done


def kept(path: Path | None) -> dict[bool, list[Opening]]:
    """The openings of earlier runs."""
    found = json.loads(path.read_text()) if path and path.exists() else [[], []]
    return {way: [Opening(*opening) for opening in openings] for way, openings in zip((False, True), found)}


def keep(path: Path | None, done: dict[bool, list[Opening]]) -> None:
    if path:
        with written_whole(path) as part:
            part.write_text(json.dumps([done[False], done[True]]))


def in_words(openings: list[Opening]) -> str:
    """What was seen, in one line."""
    lost = Counter(place for opening in openings for place in opening.places if place != "widget")
    seen = f"{sum(opening.error_seen for opening in openings)} of {len(openings)} showed the error"
    return "; ".join([seen, *(f"{n} places ended with {place}" for place, n in lost.items())])


def row(arguments: argparse.Namespace, done: dict[bool, list[Opening]]) -> Row:
    """With the extension an opening holds if all widgets are there and no error was painted."""
    page = f"page slowed {arguments.slower:g} times" if arguments.slower > 1 else ""
    kernel = f"kernel up to {arguments.kernel_later:g} s later" if arguments.kernel_later else ""
    how = ", ".join(filter(None, [page, kernel, arguments.provoke]))
    without, with_it = done[False], done[True]
    seconds = " and ".join(f"{statistics.median(each.seconds for each in some):.0f}" for some in (without, with_it))
    note = f"without the extension {in_words(without)}; with it {in_words(with_it)}; median {seconds} s"
    return Row(f"{arguments.notebook}: {how}", len(with_it), sum(each.is_well for each in with_it), note)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--openings", type=int, default=50, help="without the extension, and as many with it")
    parser.add_argument("--slower", type=float, default=2, help="how many times the page's processor is slowed")
    parser.add_argument("--kernel-later", type=float, default=2, help="how many seconds later a kernel may start")
    parser.add_argument("--notebook", default="03_elbo")
    parser.add_argument("--provoke", choices=PROVOKED, help="lose the widgets for sure")
    parser.add_argument("--a-page", type=int, default=5, help="openings before the page is loaded anew")
    parser.add_argument("--keep", type=Path, help="a file of openings, so that a long run can be cut into several")
    parser.add_argument("--record", action="store_true", help="keep the row in tests/trust/widgets.json")
    arguments = parser.parse_args()
    done = in_turns(arguments)
    found = row(arguments, done)
    print(table([found]))
    if arguments.record:
        renew("widgets", [found])
    return int(found.held < found.cases)


if __name__ == "__main__":
    sys.exit(main())
