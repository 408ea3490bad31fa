"""What the documentation shows runs."""

import asyncio
import doctest
import inspect
import re
import textwrap
from pathlib import Path

import pytest

import oncecode
from oncecode import blocking, client

README = Path(__file__).parent.parent / "README.md"
EXAMPLE = re.compile(r"```python\n(.*?)```", re.DOTALL)


def test_the_packages_docstring_is_a_doctest():
    outcome = doctest.testmod(oncecode)
    assert outcome.attempted > 0
    assert outcome.failed == 0


@pytest.mark.parametrize("text", [README.read_text(), blocking.__doc__], ids=["README", "blocking"])
def test_examples_run(text):
    examples = EXAMPLE.findall(text)
    assert examples
    for example in examples:
        exec(compile(example, "example", "exec"), {"__name__": "__main__"})


def test_the_example_of_the_client_runs():
    (example,) = EXAMPLE.findall(inspect.getdoc(client.Oncecode) or "")
    names: dict = {"Oncecode": oncecode.Oncecode}
    exec(f"async def main():\n{textwrap.indent(example, '    ')}\n    return done", names)
    assert asyncio.run(names["main"]()).identifier == "+14158675309"
