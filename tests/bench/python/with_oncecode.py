import oncecode
from harness import contest


async def connect(url):
    once = await oncecode.Oncecode.open(
        url,
        secret="a secret of the benchmark only, 0123456789",
        mode="development",
        sender="none:",
    )

    async def flow(to):
        sent = await once.codes.issue(to=to, purpose="login")
        await once.codes.verify(to=to, purpose="login", code=sent.code)

    return flow, once.close


contest(connect)
