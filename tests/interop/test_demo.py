"""What `make demo` shows, once all is built."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
SECONDS = 60


def test_the_demo_shows_a_code_of_node_verified_once_by_python() -> None:
    shown = subprocess.run(
        [str(CHECKOUT / "scripts" / "demo")],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (shown.returncode, shown.stderr) == (0, ""), shown.stderr
    said = shown.stdout
    code = re.search(r"verified (\d{6}) for \+15551234567", said)
    assert code, said
    message = said.partition("refused")[0]
    assert code[1] in message, "the console shows the message"
    assert re.search(r"WRONG_CODE\b.*\b4\b", said), "with the attempts left"
    assert re.search(r"refused the second use: CODE_NOT_FOUND", said)
