"""For authors: what is written once and copied into notebooks, and how their outputs are stored.

    python -m course_utils.notebooks sync        quoted cells, set-up cells and links, from their source
    python -m course_utils.notebooks exercises   sheets in notebooks/ from worked sheets in solutions/
    python -m course_utils.notebooks outputs [NAME …]   run notebooks and store what they print

A cell with the tag `quote:course_utils.models.unet:unet` holds the source of that function, its
docstring left out (of a method: `quote:module:Class.method`); `quote:README.md:map` holds the part of
a file between `<!-- map -->` and `<!-- /map -->`. The tag `setup` marks the set-up cell. Of a cell with
the tag `title-picture`, the stored figure becomes the picture of the title cell.
"""

import ast
import base64
import copy
import importlib
import inspect
import operator
import re
import sys
import textwrap
import tomllib
from pathlib import Path

import nbformat

from course_utils.exercises import MARKED

ROOT = Path(__file__).parents[1]

SETUP = '''\
import importlib.util
import os
import sys

if importlib.util.find_spec("course_utils") is None:  # not installed, as on Colab
    source = os.environ.get("COURSE_SOURCE", "{address}")
    folder = next((f for f in ("..", source) if os.path.isdir(f"{{f}}/course_utils")), "segmentation-course")
    if not os.path.isdir(folder):
        !git clone --quiet --depth 1 {{source}} {{folder}}
    sys.path.insert(0, folder)

import course_utils
'''


def lectures():
    """Paths of the lectures, in order."""
    return [p for p in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")) if p not in sheets()]


def sheets():
    """Paths of the blank sheets, in order."""
    return sorted((ROOT / "notebooks").glob("*_exercises.ipynb"))


def worked_sheets():
    """Paths of the worked sheets, in order."""
    return sorted((ROOT / "solutions").glob("*_exercises.ipynb"))


def read(path):
    return nbformat.read(path, as_version=4)


def write(notebook, path):
    """Write a notebook as git likes it: no trace of the machine that ran it."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    nbformat.write(notebook, path)


def address():
    """Where the course lives, from `pyproject.toml`."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"]


# --- sync -----------------------------------------------------------------------------------------


def quoted(tag):
    """The text that a cell with this `quote:` tag must hold.

    Raises:
        ValueError: the file has no such part.
    """
    _, place, name = tag.split(":")
    if place.endswith(".md"):
        part = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- /{name} -->", (ROOT / place).read_text(), re.S)
        if not part:
            raise ValueError(f"{place}: no part between <!-- {name} --> and <!-- /{name} -->.")
        return part[1].strip().replace("](notebooks/", "](")
    function = operator.attrgetter(name)(importlib.import_module(place))
    lines = textwrap.dedent(inspect.getsource(function)).splitlines()
    body = ast.parse("\n".join(lines)).body[0].body
    if ast.get_docstring(ast.parse("\n".join(lines)).body[0]) is not None:
        del lines[body[0].lineno - 1 : body[0].end_lineno]
    return "\n".join(lines)


def synced(notebook, path):
    """A copy of a notebook with every copied part as its source has it now."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        for tag in cell.metadata.get("tags", []):
            if tag.startswith("quote:"):
                cell.source = quoted(tag)
            if tag == "setup":
                tail = cell.source.partition("import course_utils\n")[2]
                cell.source = SETUP.format(address=address()) + tail
        if cell.cell_type == "markdown":
            cell.source = _with_address(cell.source, path)
    _copy_title_picture(notebook)
    return notebook


def _with_address(text, path):
    """Text whose links to Colab and to files of the course lead to where the course lives now."""
    place = address().replace("https://github.com", "https://colab.research.google.com/github")
    colab = f"{place}/blob/main/notebooks/{path.name}"  # of a worked sheet, its blank twin
    text = re.sub(r"\[Open in Colab\]\([^)]*\)", f"[Open in Colab]({colab})", text)
    return re.sub(r"\]\(https://github\.com/[^/]+/[^/]+/blob/main/", f"]({address()}/blob/main/", text)


def _copy_title_picture(notebook):
    for cell in notebook.cells:
        if "title-picture" not in cell.metadata.get("tags", []):
            continue
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                picture = "".join(output.data["image/png"].split())
                notebook.cells[0].attachments = {"result.png": {"image/png": picture}}


def sync():
    """Bring every notebook up to date with what it copies, and the README's picture with lecture 00."""
    for path in [*lectures(), *worked_sheets()]:
        write(synced(read(path), path), path)
    picture = read(lectures()[0]).cells[0].attachments["result.png"]["image/png"]
    (ROOT / "notebooks" / "00_start_here.png").write_bytes(base64.b64decode(picture))


# --- exercises ------------------------------------------------------------------------------------


def blank_sheet(worked):
    """The sheet that a student gets: answers replaced by `...`, nothing run.

    An answer behind a line that already leaves `name = ...` open is just left out.
    """
    sheet = copy.deepcopy(worked)
    for cell in sheet.cells:
        if cell.cell_type == "code":
            cell.source = MARKED.sub(_blank, cell.source).rstrip()
            cell.outputs, cell.execution_count = [], None
    return sheet


def _blank(match):
    before = match.string[: match.start()].rstrip()
    left_open = re.search(r"= \.\.\.(\s*#.*)?$", before)
    return "" if left_open else f"{match['indent']}...\n"


def exercises():
    """Write every sheet in notebooks/ anew from its worked sheet."""
    for path in worked_sheets():
        write(blank_sheet(read(path)), ROOT / "notebooks" / path.name)


# --- outputs --------------------------------------------------------------------------------------


def run(notebook, folder, timeout=1200):
    """Run a notebook in a fresh kernel, in place.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raised.
    """
    from nbclient import NotebookClient

    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()
    return notebook


def outputs(*names):
    """Run lectures and worked sheets and store what they print; all, or those whose path holds a name."""
    for path in [*lectures(), *worked_sheets()]:
        if names and not any(name in str(path.relative_to(ROOT)) for name in names):
            continue
        print(path.relative_to(ROOT), flush=True)
        notebook = run(synced(read(path), path), path.parent)
        write(synced(notebook, path), path)


if __name__ == "__main__":
    commands = {"sync": sync, "exercises": exercises, "outputs": outputs}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(f"usage: python -m course_utils.notebooks {{{','.join(commands)}}}")
    commands[sys.argv[1]](*sys.argv[2:])
