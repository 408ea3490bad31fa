"""What tests type."""

from __future__ import annotations

PHONE = "+14158675309"


def wrong(code: str, by: int = 1) -> str:
    """Another code of the same form; each `by` gives another one."""
    return f"{(int(code) + by) % 10 ** len(code):0{len(code)}}"


def phone(number: int) -> str:
    """A phone number for each number from 0 to 9999."""
    return f"+1415867{number:04}"
