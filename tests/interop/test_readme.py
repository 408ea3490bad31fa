"""The README's programs, run as a user would run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
README = CHECKOUT / "README.md"
SECONDS = 30


def test_the_programs_in_javascript_run(tmp_path: Path) -> None:
    installed = tmp_path / "node_modules" / "oncecode"
    installed.parent.mkdir()
    installed.symlink_to(CHECKOUT / "bindings-node")
    for program in programs("node"):
        assert verifies(program, tmp_path / "main.mjs", "node")


def test_the_programs_in_python_run(tmp_path: Path) -> None:
    for program in programs("python"):
        assert verifies(program, tmp_path / "main.py", sys.executable)


def programs(language: str) -> list[str]:
    """The fenced blocks after `<!-- runs: language -->`."""
    marked = rf"^<!-- runs: {language} -->\s*^```\w+\n(.*?)^```$"
    found = re.findall(marked, README.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found, f"the README has no program that runs in {language}"
    return found


def verifies(program: str, file: Path, command: str) -> bool:
    file.write_text(program, "utf-8")
    ran = subprocess.run(
        [command, file.name],
        cwd=file.parent,
        env={**os.environ, "ONCECODE_SECRET": "s" * 44},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()[-1] == "verified +15551234567"
