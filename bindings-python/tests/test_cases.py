"""`tests/cases/code.json`, which every language answers alike."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import oncecode

CASES = json.loads((Path(__file__).parents[2] / "tests/cases/code.json").read_text("utf-8"))
REFERENCE = re.compile(r"\{(\w+)\.(\w+)(?:\|(\w+))?\}")


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
async def test_case(case, open_client):
    options = in_python(case.get("options", {}))
    once = await open_client("memory:", mode="development", sender="none:", **options)
    saved: dict[str, object] = {}
    for at, step in enumerate(case["steps"]):
        await hold(once, step, saved, f"step {at}")


def test_the_cases_are_all_there():
    assert len(CASES) > 30


async def hold(once: Any, step: dict, saved: dict[str, object], place: str) -> None:
    call = getattr(once.codes, step["do"])(**filled(step["with"], saved))
    if "fails" in step:
        with pytest.raises(oncecode.OncecodeError) as refused:
            await call
        assert_has(refused.value, step["fails"], place)
        return
    result = await call
    assert_has(result, filled(step["gives"], saved), place)
    if "save" in step:
        saved[step["save"]] = result


def assert_has(actual: object, expected: object, place: str) -> None:
    if not isinstance(expected, dict):
        assert actual is expected, place
        return
    for name, wanted in expected.items():
        value = getattr(actual, snake_case(name))
        if name == "retryAfterSeconds" and isinstance(wanted, list):
            assert isinstance(value, int), f"{place}: {name}"
            assert wanted[0] <= value <= wanted[1], f"{place}: {name}"
        else:
            assert value == wanted, f"{place}: {name}"


def in_python(options: Any) -> Any:
    """Options with their names as Python spells them."""
    if not isinstance(options, dict):
        return options
    return {snake_case(name): in_python(value) for name, value in options.items()}


def snake_case(name: str) -> str:
    return re.sub(r"[A-Z]", lambda capital: "_" + capital[0].lower(), name)


def filled(value: Any, saved: dict[str, object]) -> Any:
    """`value` with every `{name.field|filter}` replaced."""
    if isinstance(value, str):
        return fill(value, saved)
    if isinstance(value, list):
        return [filled(item, saved) for item in value]
    if isinstance(value, dict):
        return {name: filled(item, saved) for name, item in value.items()}
    return value


def fill(text: str, saved: dict[str, object]) -> str:
    found = REFERENCE.fullmatch(text)
    if found is None:
        return text
    name, field, kind = found.groups()
    value = getattr(saved[name], snake_case(field))
    return FILTERS[kind](value) if kind else value


def in_digits_from(zero: int):
    return lambda code: "".join(chr(zero + int(digit)) for digit in code)


FILTERS = {
    "wrong": lambda code: "".join(str((int(digit) + 1) % 10) for digit in code),
    "spaced": lambda code: f"{code[:3]} {code[3:]}",
    "fullwidth": in_digits_from(0xFF10),
    "arabic": in_digits_from(0x0660),
    "lower": str.lower,
    "short": lambda code: code[:-1],
}
