"""The programs in the README, run as a user would run them."""

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
    for program in programs("node"):
        assert ran(program, in_javascript(tmp_path), "node") == "verified +15551234567"


def test_the_programs_in_python_run(tmp_path: Path) -> None:
    for program in programs("python"):
        said = ran(program, tmp_path / "main.py", sys.executable)
        assert said == "verified +15551234567"


def in_javascript(folder: Path) -> Path:
    """A file that can import the package."""
    installed = folder / "node_modules" / "oncecode"
    installed.parent.mkdir()
    installed.symlink_to(CHECKOUT / "bindings-node")
    return folder / "main.mjs"


def programs(language: str) -> list[str]:
    """The fenced blocks after `<!-- runs: language -->`."""
    marked = rf"^<!-- runs: {language} -->\s*^```\w+\n(.*?)^```$"
    found = re.findall(marked, README.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found, f"the README has no program that runs in {language}"
    return found


def ran(program: str, file: Path, command: str) -> str:
    """The last line that a program said."""
    file.write_text(program, "utf-8")
    process = subprocess.run(
        [command, file.name],
        cwd=file.parent,
        env={**os.environ, "ONCECODE_SECRET": "s" * 44},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout.splitlines()[-1]
