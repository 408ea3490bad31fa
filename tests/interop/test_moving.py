"""Moving between stores as a user does: the example program, and the packages while it runs."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sqlite3
import subprocess
import uuid
from pathlib import Path
from urllib.parse import unquote, urlsplit

import oncecode
import pytest

CHECKOUT = Path(__file__).parents[2]
SECRET = "s" * 44
COUNT = 30


@pytest.fixture
def program(tmp_path: Path) -> list[str]:
    """The example, installed as a user would have it."""
    shutil.copy(CHECKOUT / "examples" / "move-stores" / "move.mjs", tmp_path)
    installed = tmp_path / "node_modules" / "oncecode"
    installed.parent.mkdir()
    installed.symlink_to(CHECKOUT / "bindings-node")
    return ["node", str(tmp_path / "move.mjs")]


def run(program: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*program, *arguments],
        env={**os.environ, "ONCECODE_SECRET": SECRET},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def opened(url: str, prefix: str) -> oncecode.Oncecode:
    return await oncecode.Oncecode.open(
        url,
        secret=SECRET,
        mode="development",
        sender="none:",
        key_prefix=prefix,
        deadline_ms=10_000,
    )


def mariadb(url: str, script: str) -> str:
    at = urlsplit(url)
    client = [
        "mariadb",
        "--no-defaults",
        "--protocol=tcp",
        "-NB",
        f"-h{at.hostname}",
        f"-P{at.port}",
    ]
    return subprocess.run(
        [*client, f"-u{at.username}", at.path.strip("/")],
        env={**os.environ, "MYSQL_PWD": unquote(at.password or "")},
        input=script,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_example_moves_a_running_app(program: list[str], tmp_path: Path) -> None:
    asyncio.run(moved_while_it_runs(program, tmp_path))


async def moved_while_it_runs(program: list[str], tmp_path: Path) -> None:
    prefix = f"move-{uuid.uuid4().hex[:8]}"
    old, new = os.environ["ONCECODE_TEST_REDIS"], f"sqlite:{tmp_path}/new.db"
    codes: dict[str, str] = {}
    async with await opened(old, prefix) as once:
        for n in range(COUNT):
            sent = await once.codes.issue(to=f"user{n}@example.com", purpose="login")
            codes[f"user{n}@example.com"] = str(sent.code)
    async with await opened(f"moving:{new}|{old}", prefix) as app:
        copying = asyncio.to_thread(
            run, program, "--from", old, "--to", new, "--prefix", prefix, "--batch", "5"
        )

        async def verified() -> None:
            for to, code in codes.items():
                assert (
                    await app.codes.verify(to=to, purpose="login", code=code)
                ).identifier == to

        done, _ = await asyncio.gather(copying, verified())
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"^moved   \d+ challenges, 0 values and counters$", done.stdout, re.MULTILINE
    )
    assert re.search(r"\[#+\.*\] \d+ of \d+", done.stderr), done.stderr
    async with await opened(new, prefix) as app:
        for to, code in codes.items():
            with pytest.raises(oncecode.CodeNotFound):
                await app.codes.verify(to=to, purpose="login", code=code)


def test_the_example_says_what_is_wrong(program: list[str], tmp_path: Path) -> None:
    assert run(program).returncode == 2
    absent = run(program, "--from", f"sqlite:{tmp_path}/a.db", "--to", "hunter2://x")
    assert absent.returncode == 1
    assert "CONFIG: " in absent.stderr and "hunter2" not in absent.stderr


@pytest.mark.parametrize("database", ["postgres", "mysql", "sqlite"])
def test_the_views_of_the_docs_show_what_is_there(
    database: str, tmp_path: Path
) -> None:
    page = (CHECKOUT / "docs" / "monitoring.md").read_text("utf-8")
    found = re.search(
        rf"<!-- views: {database} -->\s*```sql\n(.*?)```", page, re.DOTALL
    )
    assert found
    views, prefix = found[1], "oncecode_"
    if database == "postgres":
        schema = f"views_{uuid.uuid4().hex[:8]}"
        url, where = os.environ["ONCECODE_TEST_POSTGRES"], {"schema": schema}
    elif database == "mysql":
        prefix = f"v{uuid.uuid4().hex[:8]}_"
        url, where = os.environ["ONCECODE_TEST_MYSQL"], {"table_prefix": prefix}
        views = views.replace("oncecode_", prefix)
    else:
        url, where = f"sqlite:{tmp_path}/codes.db", {}
    asyncio.run(used(url, where))
    statements = [
        "SELECT purpose || ' ' || attempts_left FROM oncecode_live ORDER BY attempts_left",
        "SELECT purpose FROM oncecode_verified",
        "SELECT purpose || ' ' || live || ' ' || verified_last_hour || ' ' || spent || ' '"
        + " || with_failures || ' ' || to_purge FROM oncecode_summary",
    ]
    if database == "postgres":
        script = f"SET search_path TO {schema}; {views}" + ";".join(statements)
        said = subprocess.run(
            ["psql", url, "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", script],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        drop = ["psql", url, "-qX", "-c", f"DROP SCHEMA {schema} CASCADE"]
        subprocess.run(drop, capture_output=True, check=True)
    elif database == "mysql":
        script = ";".join(statements).replace("oncecode_", prefix)
        said = mariadb(
            url, f"SET sql_mode = 'PIPES_AS_CONCAT'; {views}{script}"
        ).splitlines()
        tables = ", ".join(
            prefix + table for table in ["challenges", "entries", "migrations"]
        )
        shown = ", ".join(prefix + view for view in ["live", "verified", "summary"])
        made = [
            "gate",
            "hit",
            "issue",
            "attempt",
            "put_absent",
            "take",
            "count",
            "purge",
        ]
        routines = "".join(f"DROP PROCEDURE {prefix}{routine}_1;" for routine in made)
        mariadb(url, f"DROP VIEW {shown}; DROP TABLE {tables}; {routines}")
    else:
        connection = sqlite3.connect(tmp_path / "codes.db")
        connection.executescript(views)
        said = [row[0] for ask in statements for row in connection.execute(ask)]
        connection.close()
    assert said == ["signup 4", "signup 5", "signup", "signup 2 1 0 1 0"]


async def used(url: str, where: dict[str, str]) -> None:
    """One code verified, one guessed at, one waiting."""
    async with await oncecode.Oncecode.open(
        url,
        secret=SECRET,
        mode="development",
        sender="none:",
        deadline_ms=10_000,
        **where,
    ) as once:
        sent = {}
        for name in ["ann", "bob", "cy"]:
            sent[name] = await once.codes.issue(
                to=f"{name}@example.com", purpose="signup"
            )
        await once.codes.verify(
            to="ann@example.com", purpose="signup", code=str(sent["ann"].code)
        )
        wrong = f"{(int(str(sent['bob'].code)) + 1) % 1_000_000:06}"
        with pytest.raises(oncecode.WrongCode):
            await once.codes.verify(to="bob@example.com", purpose="signup", code=wrong)
