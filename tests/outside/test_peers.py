"""Peers' own tests, pointed at us. Which of them are not for us, and why: NOT_OURS in peers/."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SUITES = HERE.parent.parent / ".venv" / "peers"


def run(suite: str, plugin: str, *files: str) -> tuple[int, str]:
    """How many passed, where all did, and what was said otherwise."""
    (folder,) = SUITES.glob(f"{suite}-*/")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-c",
        str(HERE / "peers/pytest.ini"),
    ]
    command += ["--rootdir", str(folder), "-p", plugin, *files]
    paths = os.pathsep.join([str(HERE / "peers"), str(folder)])
    environment = {**os.environ, "PYTHONPATH": paths}
    ran = subprocess.run(
        command,
        check=False,
        cwd=folder,
        env=environment,
        text=True,
        capture_output=True,
        timeout=300,
    )
    passed = re.search(r"^(\d+) passed", ran.stdout, re.MULTILINE)
    fine = ran.returncode == 0 and passed
    return (int(passed[1]) if fine else 0), ran.stdout + ran.stderr


def test_the_strategies_of_limits() -> None:
    passed, said = run(
        "limits", "limits_suite", "tests/test_strategy.py", "tests/aio/test_strategy.py"
    )
    # 18 in memory and 18 on Redis.
    assert passed == 36, said


def test_the_locks_of_redis_py() -> None:
    passed, said = run("redis", "locks_suite", "tests/test_lock.py")
    assert passed == 20, said
