"""The programs in docs/, run as a user would run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
SECONDS = 30
COMMANDS = {"node": ("node", "main.mjs"), "python": (sys.executable, "main.py")}
MARKED = re.compile(
    r"^<!-- runs: (\w+) -->\s*^```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
PROGRAMS = [
    pytest.param(language, program, id=f"{guide.stem}-{language}-{number}")
    for guide in sorted((CHECKOUT / "docs").glob("*.md"))
    for number, (language, program) in enumerate(
        MARKED.findall(guide.read_text("utf-8"))
    )
]


def test_the_guides_have_programs() -> None:
    assert len(PROGRAMS) >= 5


@pytest.mark.parametrize(("language", "program"), PROGRAMS)
def test_a_program_runs(language: str, program: str, tmp_path: Path) -> None:
    command, name = COMMANDS[language]
    packages = CHECKOUT / "bindings-node" / "node_modules"
    installed = tmp_path / "node_modules"
    installed.mkdir()
    (installed / "oncecode").symlink_to(CHECKOUT / "bindings-node")
    (installed / "express").symlink_to(packages / "express")
    (tmp_path / name).write_text(program, "utf-8")
    ran = subprocess.run(
        [command, name],
        cwd=tmp_path,
        env={**os.environ, "ONCECODE_SECRET": "s" * 44},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip()
