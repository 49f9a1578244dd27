"""The notebooks: structure, stored outputs, what must not drift, and a run of every sheet."""

import base64
import io
import itertools
import re
import shutil
import subprocess

import nbformat
import pytest
from PIL import Image

from course_utils import exercises, notebooks

LECTURES, SHEETS, WORKED = notebooks.lectures(), notebooks.sheets(), notebooks.worked_sheets()
ALL = [*LECTURES, *SHEETS, *WORKED]


def by_name(path):
    return f"{path.parent.name}/{path.stem}"


every_notebook = pytest.mark.parametrize("path", ALL, ids=by_name)
every_lecture = pytest.mark.parametrize("path", LECTURES, ids=by_name)
every_run = pytest.mark.parametrize("path", [*LECTURES, *WORKED], ids=by_name)
every_worked_sheet = pytest.mark.parametrize("path", WORKED, ids=by_name)


def code_cells(path):
    return [cell for cell in notebooks.read(path).cells if cell.cell_type == "code"]


def tags(cell):
    return cell.metadata.get("tags", [])


def figures(path):
    for cell in code_cells(path):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                yield cell, output


def printed(notebook):
    return "".join(o.text for c in notebook.cells for o in c.get("outputs", []) if o.output_type == "stream")


# --- structure ------------------------------------------------------------------------------------


@every_notebook
def test_it_is_a_valid_notebook_of_less_than_a_megabyte(path):
    nbformat.validate(notebooks.read(path))
    assert path.stat().st_size < 1_000_000


@every_notebook
def test_cells_are_short_and_none_is_empty(path):
    for cell in notebooks.read(path).cells:
        assert cell.source.strip()
        if cell.cell_type == "code":
            assert len(cell.source.splitlines()) <= 25, cell.source


@every_notebook
def test_it_has_one_title_and_headings_in_order(path):
    text = "\n".join(c.source for c in notebooks.read(path).cells if c.cell_type == "markdown")
    text = re.sub(r"```.*?```", "", text, flags=re.S)
    levels = [len(mark) for mark in re.findall(r"^(#+) ", text, re.M)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(deeper - level <= 1 for level, deeper in itertools.pairwise(levels))


@every_notebook
def test_links_resolve(path):
    for cell in notebooks.read(path).cells:
        if cell.cell_type != "markdown":
            continue
        for target in re.findall(r"\]\(([^)]+)\)", cell.source):
            target = target.partition("#")[0]
            if target.startswith("attachment:"):
                assert target.removeprefix("attachment:") in cell.attachments
            elif target and not target.startswith("http"):
                assert (path.parent / target).exists(), target
            elif target:
                assert notebooks.address().removeprefix("https://github.com") in target
                if "colab" in target:
                    assert target.endswith(f"/notebooks/{path.name}")  # also in a worked sheet
                else:
                    assert (notebooks.ROOT / target.partition("/blob/main/")[2]).is_file(), target


@every_notebook
def test_every_picture_in_the_text_has_an_alt_text(path):
    for cell in notebooks.read(path).cells:
        if cell.cell_type == "markdown":
            assert not re.search(r"!\[\s*\]\(|<img(?![^>]*alt=)", cell.source)


@every_notebook
def test_no_trace_of_the_machine_that_ran_it(path):
    notebook = notebooks.read(path)
    assert notebook.metadata.language_info == {"name": "python"}
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"/(home|root|tmp|work|Users)/", re.sub(r'"image/png": "[^"]*"', "", text))


@every_lecture
def test_a_lecture_has_the_shape_of_a_lecture(path):
    cells = notebooks.read(path).cells
    first = cells[0].source
    for part in ("![", "**After this lecture you can**", "**Time**", "minutes", "**Before**", "in Colab]("):
        assert part in first, part
    assert sum("setup" in tags(c) for c in cells) == 1
    assert len(first.splitlines()) < 16
    if not path.stem.startswith("00"):
        text = "\n".join(c.source for c in cells if c.cell_type == "markdown")
        assert f"]({path.stem}_exercises.ipynb)" in text
        assert text.count("**Predict") >= 4
        assert "### References" in text


@every_lecture
def test_no_three_code_cells_stand_in_a_row(path):
    kinds = "".join(cell.cell_type[0] for cell in notebooks.read(path).cells)
    assert "ccc" not in kinds


@pytest.mark.parametrize("path", SHEETS, ids=by_name)
def test_a_sheet_asks_checks_and_hints(path):
    name = path.stem.removesuffix("_exercises")
    questions = exercises.sheet(name)
    text = "\n".join(cell.source for cell in notebooks.read(path).cells)
    for q in questions:
        number = q.name[1:]
        assert f"## Question {number}: " in text
        for call in (f"\n{q.name}.check(", f"# {q.name}.hint()", f"# {q.name}.solution()"):
            assert call in text
    assert name.startswith("00") or 4 <= len(questions) <= 6
    assert (path.parent / f"{name}.ipynb").exists()


# --- stored outputs -------------------------------------------------------------------------------


@every_run
def test_outputs_come_from_one_run_in_order_without_an_error(path):
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error" and output.get("name") != "stderr", output


@every_run
def test_outputs_come_from_the_cpu_profile_and_meet_their_bars(path):
    text = printed(notebooks.read(path))
    assert "profile cpu, seed 0" in text
    assert not re.search(r"^✗ .*\(bar: ", text, re.M)


@every_run
def test_every_figure_has_an_alt_text_and_a_readable_size(path):
    for _, output in figures(path):
        assert len(output.data["text/plain"]) > 20
        assert output.metadata["image/png"]["alt"] == output.data["text/plain"]
        width, height = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))).size
        assert 300 <= width <= 950 and 80 <= height <= 650


@every_lecture
def test_a_lecture_shows_pictures_and_compares_a_result_with_a_bar(path):
    assert len(list(figures(path))) >= 2
    assert re.search(r"^✓ .*\(bar: ", printed(notebooks.read(path)), re.M)


@every_lecture
def test_the_map_and_the_lecture_name_the_same_minutes(path):
    on_the_map = re.search(rf"{path.name}\) \| [^|]+ \| (\d+) \|", (notebooks.ROOT / "README.md").read_text())
    in_the_lecture = re.search(r"\*\*Time\*\* (\d+) minutes", notebooks.read(path).cells[0].source)
    assert on_the_map[1] == in_the_lecture[1]


@every_lecture
def test_the_readme_shows_the_values_that_a_lecture_printed(path):
    readme = (notebooks.ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(rf"^\| {path.stem[:2]} \| [^|]+ \| ([\d.]+)°? \|", readme, re.M)
    assert len(shown) == len(re.findall(rf"^\| {path.stem[:2]} \| ", readme, re.M))
    assert shown or path.stem.startswith("00")
    values = [float(value) for value in re.findall(r": ([\d.]+) \(bar", printed(notebooks.read(path)))]
    for number in shown:
        digits = len(number.partition(".")[2])
        assert float(number) in [round(value, digits) for value in values], number


# --- nothing is written twice ---------------------------------------------------------------------


@every_run
def test_quoted_cells_set_up_cells_and_links_are_up_to_date(path):
    notebook = notebooks.read(path)
    assert notebooks.synced(notebook, path) == notebook, "run `make sync`"


def test_a_quoted_function_is_its_source_without_its_docstring():
    text = notebooks.quoted("quote:course_utils.models.linear_autoencoder:linear_autoencoder")
    assert text.startswith("def linear_autoencoder(input_shape, code=32):\n    exact = ")
    assert '"""' not in text
    assert text.endswith('name="linear_autoencoder")')


def test_a_quoted_part_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"README\.md: no part between <!-- nothing -->"):
        notebooks.quoted("quote:README.md:nothing")


def test_the_readme_shows_the_picture_of_lecture_00():
    attachment = notebooks.read(LECTURES[0]).cells[0].attachments["result.png"]["image/png"]
    assert (notebooks.ROOT / "notebooks" / "00_start_here.png").read_bytes() == base64.b64decode(attachment)


@every_worked_sheet
def test_the_sheet_is_its_worked_sheet_without_the_answers(path):
    sheet = notebooks.read(notebooks.ROOT / "notebooks" / path.name)
    worked = notebooks.blank_sheet(notebooks.read(path))
    assert [c.source for c in sheet.cells] == [c.source for c in worked.cells], "run `make exercises`"
    assert "SOLUTION" not in "".join(c.source for c in sheet.cells)
    assert all(c.execution_count is None and not c.outputs for c in sheet.cells if c.cell_type == "code")


def test_blanking_keeps_indentation_and_open_names():
    source = "def f(x):\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION\n\n\nq1.check(f)"
    worked = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    assert notebooks.blank_sheet(worked).cells[0].source == "def f(x):\n    ...\n\n\nq1.check(f)"
    worked.cells[0].source = "x = ...  # a number\n### BEGIN SOLUTION\nx = 3\n### END SOLUTION\n\nq1.check(x)"
    assert notebooks.blank_sheet(worked).cells[0].source == "x = ...  # a number\n\nq1.check(x)"


@pytest.mark.skipif(not WORKED, reason="the worked sheets have been withheld")
def test_there_is_a_sheet_for_every_worked_sheet_and_for_every_lecture():
    assert [p.name for p in SHEETS] == [p.name for p in WORKED]
    assert [p.stem.removesuffix("_exercises") for p in SHEETS] == [p.stem for p in LECTURES]
    assert list(exercises.names()) == [p.stem for p in LECTURES]


# --- runs -----------------------------------------------------------------------------------------


@pytest.mark.notebooks
@pytest.mark.parametrize("path", SHEETS, ids=by_name)
def test_a_blank_sheet_runs_and_says_not_attempted(path):
    questions = exercises.sheet(path.stem.removesuffix("_exercises"))
    text = printed(notebooks.run(notebooks.read(path), path.parent))
    assert text.count("… Not attempted yet.") == len(questions)
    assert "✗" not in text and "✓" not in text


@every_worked_sheet
def test_a_worked_sheet_came_out_right(path):
    questions = exercises.sheet(path.stem.removesuffix("_exercises"))
    text = printed(notebooks.read(path))
    assert text.count("✓ ") == len(questions)
    assert "✗" not in text and "…" not in text


@pytest.fixture
def not_installed(tmp_path, monkeypatch):
    """New kernels do not find course_utils, as on Colab: its editable install is hidden from them."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import sys\n"
        f"sys.path = [folder for folder in sys.path if folder != {str(notebooks.ROOT)!r}]\n"
        "sys.meta_path = [f for f in sys.meta_path if 'editable' not in getattr(f, '__module__', '')]\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("COURSE_PROFILE", "smoke")


# The set-up cell is the same in all: on a change, the first lecture and its sheet will do.
OTHERS = [pytest.param(path, marks=pytest.mark.slow) for path in [*LECTURES[1:], *SHEETS[1:]]]
ALONE = [LECTURES[0], SHEETS[0], *OTHERS]


@pytest.mark.notebooks
@pytest.mark.parametrize("path", ALONE, ids=by_name)
def test_a_notebook_copied_alone_into_an_empty_folder_runs(path, tmp_path, monkeypatch, not_installed):
    folder = tmp_path / "a folder with spaces"
    folder.mkdir()
    shutil.copy(path, folder)
    monkeypatch.setenv("COURSE_SOURCE", str(notebooks.ROOT))
    notebook = notebooks.read(folder / path.name)
    # `folder` has a value only where the set-up cell had to fetch the package.
    where = nbformat.v4.new_code_cell("print('fetched from', folder)")
    notebook.cells.insert(1 + next(i for i, c in enumerate(notebook.cells) if "setup" in tags(c)), where)
    text = printed(notebooks.run(notebook, folder))
    assert f"fetched from {notebooks.ROOT}" in text and "profile smoke" in text
    assert [p.name for p in folder.iterdir()] == [path.name]


@pytest.mark.notebooks
def test_a_notebook_alone_clones_the_course_once(tmp_path, monkeypatch, not_installed):
    origin = tmp_path / "origin"
    ignored = shutil.ignore_patterns(".venv*", ".git", "__pycache__")
    shutil.copytree(notebooks.ROOT, origin, ignore=ignored)
    for command in ("init -q", "add -A", "-c user.name=a -c user.email=a@b.org commit -q -m all"):
        subprocess.run(["git", "-C", str(origin), *command.split()], check=True)
    monkeypatch.setenv("COURSE_SOURCE", f"file://{origin}")
    code = notebooks.SETUP.format(address="nowhere") + "print(course_utils.__file__)"
    folder = tmp_path / "alone"
    folder.mkdir()
    for _ in range(2):  # the second run finds the clone in place
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
        text = printed(notebooks.run(notebook, folder))
        assert str(folder / "segmentation-course" / "course_utils") in text
