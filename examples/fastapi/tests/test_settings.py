from __future__ import annotations

import pytest

from accounts.settings import Settings


def test_without_a_word_it_is_production():
    assert Settings.from_env({}).mode == "production"
    assert Settings.from_env({"ONCECODE_MODE": "development"}).mode == "development"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_a_postgresql_database_keeps_users_and_codes(scheme):
    settings = Settings.from_env({"DATABASE_URL": f"{scheme}://u:p@db/app"})
    assert settings.database_url == "postgresql+asyncpg://u:p@db/app"
    assert settings.store == f"{scheme}://u:p@db/app"


def test_codes_can_be_kept_in_redis():
    env = {"DATABASE_URL": "postgres://db/app", "REDIS_URL": "redis://cache"}
    assert Settings.from_env(env).store == "redis://cache"
    assert Settings.from_env({**env, "ONCECODE_STORE": "sqlite:a.db"}).store == "sqlite:a.db"


def test_settings_show_no_secret():
    env = {"ONCECODE_SECRET": "very secret", "SMTP_URL": "smtp://u:pass@mail"}
    shown = repr(Settings.from_env(env))
    assert "very secret" not in shown
    assert "pass" not in shown
