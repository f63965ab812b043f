"""A run of tests ends, whatever hangs in it and whichever worker dies: in a pytest of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

TESTS = Path(__file__).parents[2]
CONFTEST = """
import pytest
from support import hanging_tests
from support.whole_files import WholeFiles

hanging_tests.HEED_SECONDS = hanging_tests.END_SECONDS = 6

def pytest_configure(config):
    config.pluginmanager.register(hanging_tests.HangingTests())

@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return WholeFiles(config, log)
"""
FILES = {
    "test_0_before.py": "def test_one(): pass\ndef test_two(): pass",
    "test_1_heeds.py": """
import threading
def test_first(): pass
def test_waits(): threading.Event().wait()
def test_next(): pass
""",
    "test_2_dies.py": """
import os
def test_first(): pass
def test_dies(): os._exit(1)
def test_next(): pass
""",
    "test_3_does_not_heed.py": """
import pytest, threading
from concurrent.futures import ThreadPoolExecutor
@pytest.fixture
def hangs_at_its_end():
    yield
    with ThreadPoolExecutor() as threads:
        threads.submit(threading.Event().wait).result()
def test_waits(hangs_at_its_end): pass
def test_fails(hangs_at_its_end): raise ValueError("seen")
def test_next(): pass
""",
}


def test_the_run_ends_and_runs_all_else(tmp_path: Path) -> None:
    """One worker has every file: what it has finished must not stop the one that replaces it."""
    for name, text in {"conftest.py": CONFTEST, **FILES}.items():
        (tmp_path / name).write_text(text)
    options = ["-n1", "--dist=loadfile", "--no-loadscope-reorder", "--timeout=2", "-v"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--rootdir=.", "."],
        cwd=tmp_path,
        env={"PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    said = re.findall(r"\] (PASSED|FAILED|ERROR) test_(\d)\w+.py::test_(\w+)", done.stdout)
    assert said == [
        ("PASSED", "0", "one"),
        ("PASSED", "0", "two"),
        ("PASSED", "1", "first"),
        ("FAILED", "1", "waits"),
        ("PASSED", "1", "next"),
        ("PASSED", "2", "first"),
        ("FAILED", "2", "dies"),
        ("PASSED", "2", "next"),
        ("PASSED", "3", "waits"),
        ("FAILED", "3", "waits"),
        ("FAILED", "3", "fails"),
        ("FAILED", "3", "fails"),
        ("PASSED", "3", "next"),
    ], done.stdout
    assert done.returncode == 1, done.stdout
    # Each says where: of what heeds in its report, of a process that ends before it does.
    assert "threading.Event().wait()" in done.stdout, done.stderr
    assert len(re.findall(r'_does_not_heed.py", line \d in hangs_at_its_end', done.stderr)) == 2
