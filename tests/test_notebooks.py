"""Every notebook runs from its first cell to its last, offline, in an empty folder."""

import pytest

from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def run_notebook(notebook, folder):
    from nbclient import NotebookClient

    NotebookClient(notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": str(folder)}}).execute()


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_to_its_end(path, tmp_path):
    import nbformat

    run_notebook(nbformat.read(path, as_version=4), tmp_path)


def test_there_are_notebooks():
    assert NOTEBOOKS


def test_a_cell_that_fails_fails_the_test_and_a_cell_sees_its_folder(tmp_path):
    from nbclient.exceptions import CellExecutionError
    from nbformat.v4 import new_code_cell, new_notebook

    cells = [new_code_cell("open('made', 'w').write('here')"), new_code_cell("1 / 0")]
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        run_notebook(new_notebook(cells=cells), tmp_path)
    assert (tmp_path / "made").read_text() == "here"
