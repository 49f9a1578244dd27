"""The project as a whole: installation, import, start-up, the files around the code."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def python(code, **environment):
    """Run code in a fresh interpreter and return what it printed."""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_importing_adds_less_than_half_a_second_to_keras():
    code = """
import time, keras
start = time.perf_counter()
import course_utils
print(time.perf_counter() - start)
"""
    assert min(float(python(code)) for _ in range(3)) < 0.5


def test_import_and_setup_print_nothing_but_one_line():
    code = "import course_utils; course_utils.setup()"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.count("\n") == 1 and run.stdout.startswith("Keras ")
    assert run.stderr == ""


@pytest.mark.skipif(os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow", reason="for the others")
def test_another_back_end_needs_no_tensorflow():
    code = """
import sys, course_utils
course_utils.setup()
from course_utils import data, exercises, metrics, models, plots, training
assert len(data.load("digits", limit=3)) == 3
print("tensorflow" in sys.modules)
"""
    assert python(code).splitlines()[-1] == "False"


def test_requirements_have_lower_bounds_and_no_upper_ones():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    lines += (ROOT / "tests" / "requirements.txt").read_text().splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for line in [*lines, *project["dependencies"]]:
        requirement = line.partition("#")[0].strip()
        if requirement and requirement != "-e .":
            assert re.fullmatch(r"[A-Za-z0-9_-]+>=[\d.]+", requirement), requirement


def test_what_course_utils_imports_is_required():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = {re.split(r"[>=]", line)[0] for line in project["dependencies"]}
    imported = set()
    for path in (ROOT / "course_utils").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module.partition(".")[0])
    names = {"PIL": "pillow", "sklearn": "scikit-learn"}
    optional = {"IPython", "jax", "nbclient", "nbformat", "tensorflow", "tensorflow_datasets", "torch"}
    foreign = imported - set(sys.stdlib_module_names) - optional - {"course_utils"}
    assert {names.get(name, name) for name in foreign} == required
    student = (ROOT / "requirements.txt").read_text()
    students = "keras tensorflow tensorflow-datasets matplotlib scikit-learn jupyterlab nbval"
    for name in students.split():
        assert re.search(rf"^{name}>=", student, re.M), name


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("vendor.github-workflows", ".github/workflows/course.yml"),
        ("vendor.citation-file-format", "CITATION.cff"),
    ],
)
def test_files_for_other_tools_follow_their_schema(schema, file):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(ROOT / file)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_workflow_calls_make_targets_that_exist():
    workflow = (ROOT / ".github" / "workflows" / "course.yml").read_text()
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"- run: make (\S+)", workflow)
    assert {"test", "test-gpu"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.M), target
    for version in ("3.11", "3.12", "3.13"):
        assert f'"{version}"' in workflow


def test_every_make_target_of_the_readme_exists():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"make ([a-z-]+)", (ROOT / "README.md").read_text()):
        assert re.search(rf"^[a-z -]*\b{target}\b[a-z -]*:", makefile, re.M), target


def test_ci_runs_the_test_command_of_the_readme():
    assert "`make test`" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"^exec make test\b", (ROOT / ".ci" / "run").read_text(), re.M)


def test_links_of_the_readme_resolve():
    for file in ("README.md", "data/README.md"):
        path = ROOT / file
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
            assert target.startswith("http") or (path.parent / target).exists(), target


def test_the_address_of_the_course_is_the_same_everywhere():
    address = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"]
    for file in ("README.md", "CITATION.cff"):
        assert address in (ROOT / file).read_text(encoding="utf-8")


def test_make_names_the_python_it_needs_where_there_is_none(tmp_path):
    command = ["make", "-C", str(ROOT), f"VENV={tmp_path / 'venv'}", "PYTHON=", "lab"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode != 0
    assert "needs Python 3.11, 3.12 or 3.13" in run.stderr
    assert not (tmp_path / "venv").exists()
