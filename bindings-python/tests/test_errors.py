"""The exceptions are the core's kinds."""

import copy
import pickle

import pytest

import oncecode
from oncecode import _native, errors

TABLE = _native.error_table()


def kinds() -> set:
    groups = (oncecode.Refused, oncecode.Fault)
    return {kind for group in groups for kind in group.__subclasses__()}


def test_every_kind_of_the_core_has_its_class_and_no_class_is_without_kind():
    ours = {
        (k.__name__, k.code, k.status, k.retryable, issubclass(k, oncecode.Refused))
        for k in kinds()
    }
    assert ours == set(TABLE)


def test_every_class_can_be_imported_from_the_package():
    for name, *_ in TABLE:
        assert getattr(oncecode, name) is getattr(errors, name)
        assert name in oncecode.__all__


@pytest.mark.parametrize("kind", sorted(kinds(), key=lambda kind: kind.__name__))
def test_exceptions_survive_pickle_and_copy(kind):
    error = kind("why", retry_after_seconds=7, attempts_left=2)
    for clone in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(clone) is kind
        assert str(clone) == "why"
        assert (clone.retry_after_seconds, clone.attempts_left) == (7, 2)


async def test_an_error_from_the_core_survives_pickle(options):
    async with await oncecode.Oncecode.open("memory:", **options) as once:
        await once.codes.issue(to="ann@example.com", purpose="login")
        with pytest.raises(oncecode.Cooldown) as refused:
            await once.codes.issue(to="ann@example.com", purpose="login")
    clone = pickle.loads(pickle.dumps(refused.value))
    assert clone.retry_after_seconds == refused.value.retry_after_seconds
    assert (clone.code, clone.status, clone.attempts_left) == ("COOLDOWN", 429, None)


def test_one_base_class_catches_everything():
    assert all(issubclass(kind, oncecode.OncecodeError) for kind in kinds())
