"""Which tests of a suite are for us."""

from __future__ import annotations


def choose(config, items, not_ours: dict[str, str]) -> None:
    """Leaves out tests and classes by their exact names; a name that is no longer there is an error."""
    names = [{item.originalname, item.cls.__name__} for item in items]
    unknown = set(not_ours) - set().union(*names)
    if unknown:
        raise LookupError(f"the suite has no {sorted(unknown)}")
    others = [item for item, known in zip(items, names) if known & set(not_ours)]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]
