"""`tests/cases/*.json`, which every language answers alike."""

import inspect
import json
import re
from pathlib import Path

import pytest

import oncecode

SERVICES = {
    "code": "codes",
    "lock": "locks",
    "idempotency": "idempotency",
    "cache": "cache",
    "totp": "totp",
}
FILES = Path(__file__).parents[2] / "tests/cases"
CASES = [
    (service, case)
    for file, service in SERVICES.items()
    for case in json.loads((FILES / f"{file}.json").read_text("utf-8"))
]
FIELD = re.compile(r"\{(\w+)\.(\w+)(?:\|(\w+))?\}")


@pytest.mark.parametrize(
    ("service", "case"), CASES, ids=[f"{service}: {case['name']}" for service, case in CASES]
)
async def test_case(service, case, open_client):
    options = {"mode": "development", "sender": "none:", **case.get("options", {})}
    once = await open_client("memory:", **snake_case(options))
    saved: dict = {}
    for step in case["steps"]:
        method = getattr(getattr(once, service), snake_name(step["do"]))
        arguments = snake_case(filled(step["with"], saved))
        if "fails" in step:
            with pytest.raises(oncecode.OncecodeError) as failed:
                await answer(method, arguments)
            assert_has(failed.value, step["fails"])
        else:
            result = await answer(method, arguments)
            assert_has(result, filled(step["gives"], saved) if "gives" in step else {})
            saved[step.get("save")] = result


async def answer(method, arguments):
    """Some methods have no need to wait."""
    result = method(**arguments)
    return await result if inspect.isawaitable(result) else result


def test_there_are_cases():
    assert len(CASES) > 62


def assert_has(actual, expected):
    if not isinstance(expected, dict):
        assert actual == expected
        return
    for name, value in snake_case(expected).items():
        found = getattr(actual, name)
        if name == "retry_after_seconds" and isinstance(value, list):
            assert value[0] <= found <= value[1]
        else:
            assert (name, found) == (name, value)


def snake_case(value):
    """The value with its keys as they are in Python, save those that are the app's."""
    if isinstance(value, list):
        return [snake_case(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        snake_name(key): item if key in APPS else snake_case(item) for key, item in value.items()
    }


APPS = {"data", "fingerprint", "reply", "value"}


def snake_name(name):
    return re.sub("[A-Z]", lambda hump: "_" + hump[0].lower(), name)


def filled(value, saved):
    """The value with every `{name.field|filter}` replaced."""
    if isinstance(value, dict):
        return {key: filled(item, saved) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, saved) for item in value]
    if not isinstance(value, str) or not (reference := FIELD.fullmatch(value)):
        return value
    name, field, filter_name = reference.groups()
    return FILTERS[filter_name](getattr(saved[name], field))


def digits_from(zero):
    return lambda code: "".join(chr(zero + int(digit)) for digit in code)


FILTERS = {
    None: str,
    "wrong": lambda code: "".join(str((int(digit) + 1) % 10) for digit in code),
    "spaced": lambda code: f"{code[:3]} {code[3:]}",
    "fullwidth": digits_from(0xFF10),
    "arabic": digits_from(0x0660),
    "lower": str.lower,
    "short": lambda code: code[:-1],
}
