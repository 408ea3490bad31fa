"""Verifies a code that another language issued: python verify.py STORE PHONE CODE."""

import asyncio
import os
import sys

import oncecode


async def main(store: str, to: str, code: str) -> None:
    once = await oncecode.Oncecode.open(
        store, secret=os.environ["ONCECODE_SECRET"], mode="development"
    )
    async with once:
        done = await once.codes.verify(to=to, purpose="login", code=code)
        print(f"Python  verified {code} for {done.identifier}")
        try:
            await once.codes.verify(to=to, purpose="login", code=code)
        except oncecode.CodeNotFound as error:
            print(f"Python  refused the second use: {error.code}")


asyncio.run(main(*sys.argv[1:]))
