"""The lectures as a student meets them: JupyterLab by `make lab`, a browser, Run All Cells.

The other tests run notebooks without a window. Here a headless Chromium looks at what is on the page:
that every cell was run, that figures and the title picture are shown, that nothing runs over its edge.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from course_utils import notebooks

webdriver = pytest.importorskip("selenium.webdriver")
ui = pytest.importorskip("selenium.webdriver.support.ui")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="skipped: no Chromium with its chromedriver"),
    pytest.mark.skipif(not shutil.which("make"), reason="skipped: no make"),
]

FLAGS = """--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync
    --disable-background-networking --disable-component-update --window-size=1400,1000"""
SETTINGS = {
    # All cells are on the page at once, so that the tests can count what they show.
    "notebook-extension/tracker": {"windowingMode": "none"},
    # No question about news above the notebook.
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
# What a student would see, as one dictionary.
LOOK = """
const all = (css) => [...document.querySelectorAll('.jp-Notebook ' + css)];
const shown = (css) => all(css).filter(img => img.naturalWidth > 0).length;
const parts = [...all('.jp-OutputArea-output'), ...all('.jp-RenderedMarkdown')];
const pages = [document.documentElement, ...document.querySelectorAll('.jp-WindowedPanel-outer')];
return {
    prompts: all('.jp-CodeCell .jp-InputPrompt').map(e => e.innerText.trim()),
    text: all('.jp-OutputArea-output').map(e => e.innerText).join('\\n'),
    // Newer releases of JupyterLab draw a traceback as stderr, older ones as an error.
    red: all('[data-mime-type$="jupyter.error"], [data-mime-type$="jupyter.stderr"]').map(e => e.innerText),
    figures: shown('.jp-OutputArea-output img'),
    title_pictures: shown('.jp-Cell:first-child .jp-MarkdownOutput img'),
    broken_formulas: all('mjx-merror, mjx-mtext[style*=red]').map(e => e.closest('.jp-Cell').innerText),
    too_wide: [...pages, ...parts].filter(e => e.scrollWidth > e.clientWidth).map(e => e.innerText),
};
"""


# --- the server -----------------------------------------------------------------------------------


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def lab_environment(folder):
    """Short trainings, and none of the settings that whoever runs the tests has made for JupyterLab."""
    for name, values in SETTINGS.items():
        file = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(values))
    # Inside `make test`, MAKEFLAGS would hand that make's variables to this one.
    ours = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "COURSE_STRICT")}
    return ours | {
        "COURSE_PROFILE": "smoke",
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
    }


def wait_for_answer(url, server, log, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            return urllib.request.urlopen(url, timeout=5).close()
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.5)
    pytest.fail(f"JupyterLab does not answer:\n{log.read_text()[-2000:]}")


def stop(server):
    """End make and JupyterLab; JupyterLab ends its kernels, which live in sessions of their own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, number)
            server.wait(timeout=30)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A copy of the course, JupyterLab running in it: (its notebooks, function from a path to its URL)."""
    folder = tmp_path_factory.mktemp("lab")
    course = folder / "course"
    ignored = shutil.ignore_patterns(".venv*", ".git", "*_cache", "__pycache__", ".ipynb_checkpoints")
    shutil.copytree(notebooks.ROOT, course, ignore=ignored)
    port, token = free_port(), secrets.token_hex(16)
    options = f"--no-browser --allow-root --ip=127.0.0.1 --port={port} --ServerApp.port_retries=0"
    options += f" --IdentityProvider.token={token}"
    # -o: the environment that runs this test has all it needs, make must not install anything.
    command = ["make", "-o", f"{sys.prefix}/.student", "lab", f"VENV={sys.prefix}", f"LAB={options}"]
    log = folder / "log.txt"
    with log.open("w") as file:
        server = subprocess.Popen(
            command,
            cwd=course,
            env=lab_environment(folder),
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_for_answer(f"http://127.0.0.1:{port}/api", server, log)
        # The folder that JupyterLab takes for its root depends on how `make lab` starts it.
        root = json.loads(next((folder / "runtime").glob("jpserver-*.json")).read_text())["root_dir"]
        # reset: without what the test before had open
        address = f"http://127.0.0.1:{port}/lab/tree/{{}}?reset&token={token}"
        yield course / "notebooks", lambda path: address.format(path.relative_to(root).as_posix())
    finally:
        stop(server)


# --- the browser ----------------------------------------------------------------------------------


@pytest.fixture
def browser(tmp_path):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in [*FLAGS.split(), f"--user-data-dir={tmp_path / 'chromium'}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def click(browser, css, text=""):
    """Click on the first thing to be seen that this selector finds and that bears this text."""

    def find(_):
        found = browser.find_elements("css selector", css)
        return next((e for e in found if e.is_displayed() and e.text.startswith(text)), None)

    ui.WebDriverWait(browser, 60).until(find, f"{css} {text}").click()


def choose(browser, menu, item):
    click(browser, ".lm-MenuBar-itemLabel", menu)
    click(browser, ".lm-Menu-itemLabel", item)


def run_all(browser, url, count):
    """Open a notebook, run it as a student would, and wait until `count` cells have been run."""
    browser.get(url)
    wait = ui.WebDriverWait(browser, 300, poll_frequency=1)
    # JupyterLab says "idle" before there is a kernel. The debugger's button wakes up last, when the kernel
    # has answered; a restart before that, quicker than any student, can lose the connection.
    ready = ".jp-DebuggerBugButton[aria-disabled=false]"
    wait.until(lambda b: b.find_elements("css selector", ready), "the kernel did not start")
    choose(browser, "Edit", "Clear Outputs of All Cells")  # or stored outputs would pass for new ones
    wait.until(lambda b: set(b.execute_script(LOOK)["prompts"]) == {"[ ]:"})
    choose(browser, "Run", "Restart Kernel and Run All Cells")
    click(browser, ".jp-Dialog .jp-mod-accept")
    prompts = [f"[{number}]:" for number in range(1, count + 1)]

    def ended(_):
        page = browser.execute_script(LOOK)
        return page["prompts"] == prompts or page["red"]

    wait.until(ended, "not every cell was run")
    time.sleep(1)  # the last figure is drawn a moment after its cell has ended
    return browser.execute_script(LOOK)


def complaints(browser):
    """Errors in the console that come from the notebook, not from JupyterLab at its own business.

    JupyterLab asks for `attachment:` addresses before it puts the pictures in their place; whether
    they got there is checked by looking at the pictures.
    """
    own = ("attachment:", "favicon", "/static/lab/", "/lab/api/", "/lab/extensions/")
    log = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    return [message for message in log if not any(part in message for part in own)]


def opened(lab, browser, tmp_path, name):
    """The stored notebook, and what its page shows after a run."""
    folder, url = lab
    path = folder / f"{name}.ipynb"
    notebook = notebooks.read(path)
    count = sum(cell.cell_type == "code" and bool(cell.source.strip()) for cell in notebook.cells)
    try:
        return notebook, run_all(browser, url(path), count)
    finally:
        browser.save_screenshot(tmp_path / f"{name}.png")


# --- the tests ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["00_start_here", "02_pca_to_autoencoders"])
def test_a_lecture_runs_in_jupyterlab_and_shows_its_figures(lab, browser, tmp_path, name):
    notebook, page = opened(lab, browser, tmp_path, name)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert page["red"] == []
    assert "profile smoke" in page["text"]
    assert page["figures"] == sum("image/png" in output.get("data", {}) for output in outputs)
    assert page["title_pictures"] == 1
    assert page["broken_formulas"] == [] and page["too_wide"] == []
    assert complaints(browser) == []


def test_a_blank_sheet_runs_in_jupyterlab_and_says_not_attempted(lab, browser, tmp_path):
    name = "00_start_here_exercises"
    if not (lab[0] / f"{name}.ipynb").exists():
        pytest.skip(f"skipped: no {name}")
    _, page = opened(lab, browser, tmp_path, name)
    assert page["red"] == []
    assert page["text"].count("Not attempted") == 2
    assert page["too_wide"] == [] and complaints(browser) == []
