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
    "limit": "limits",
    "link": "links",
    "session": "sessions",
    "token": "tokens",
}
FILES = Path(__file__).parents[2] / "tests/cases"
CASES = [
    (service, case)
    for file, service in SERVICES.items()
    for case in json.loads((FILES / f"{file}.json").read_text("utf-8"))
]
FIELD = re.compile(r"\{(\w+)\.([\w.]+)(?:\|(\w+))?\}")


@pytest.mark.parametrize(
    ("service", "case"), CASES, ids=[f"{service}: {case['name']}" for service, case in CASES]
)
async def test_case(service, case, open_client):
    options = {"mode": "development", "sender": "none:", **case.get("options", {})}
    once = await open_client("memory:", **snake_case(options))
    saved: dict = {}
    for step in case["steps"]:
        method = getattr(getattr(once, service), snake_name(step["do"]))
        given = filled(step["with"], saved)
        arguments = {ARGUMENTS.get(name, name): value for name, value in snake_case(given).items()}
        if "fails" in step:
            with pytest.raises(oncecode.OncecodeError) as failed:
                await result_of(method, arguments)
            assert_has(failed.value, step["fails"])
        else:
            result = await result_of(method, arguments)
            if isinstance(result, list):
                result = {"length": len(result)}
            if step["do"] in {"sign", "signStateless"}:
                result = {"token": result}
            assert_has(result, filled(step["gives"], saved) if "gives" in step else {})
            saved[step.get("save")] = result


ARGUMENTS = {"except": "except_"}


async def result_of(method, arguments):
    """Of methods that are awaited and of those that are not."""
    result = method(**arguments)
    return await result if inspect.isawaitable(result) else result


def test_there_are_cases():
    assert len(CASES) > 100


def assert_has(actual, expected):
    if not isinstance(expected, dict):
        assert actual == expected
        return
    for name, value in snake_case(expected).items():
        found = actual.get(name) if isinstance(actual, dict) else getattr(actual, name)
        if name == "retry_after_seconds" and isinstance(value, list):
            assert value[0] <= found <= value[1]
        elif isinstance(value, dict) and not isinstance(found, dict):
            assert_has(found, value)
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


APPS = {"claims", "data", "fingerprint", "jwk", "keys", "reply", "value"}


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
    name, fields, filter_name = reference.groups()
    found = saved[name]
    for field in fields.split("."):
        found = found[field] if isinstance(found, dict) else getattr(found, snake_name(field))
    return FILTERS[filter_name](found)


def digits_from(zero):
    return lambda code: "".join(chr(zero + int(digit)) for digit in code)


FILTERS = {
    None: str,
    "wrong": lambda code: "".join(str((int(digit) + 1) % 10) for digit in code),
    "spaced": lambda code: f"{code[:3]} {code[3:]}",
    "fullwidth": digits_from(0xFF10),
    "arabic": digits_from(0x0660),
    "lower": str.lower,
    "altered": lambda token: token[:-12] + ("B" if token[-12] == "A" else "A") + token[-11:],
    "short": lambda code: code[:-1],
}
