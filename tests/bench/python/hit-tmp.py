import asyncio, sys, resource, os
from time import perf_counter
from oncecode import Oncecode
async def main(url, secs):
    once = await Oncecode.open(url, secret="a secret of thirty-two bytes or more!", sender="none:" if os.environ.get("NOSEND") else (lambda m: None), mode="development", limits={"plenty": {"max": 1_000_000, "window_seconds": 3600}}, deadline_ms=5000, key_prefix="bench-services")
    users=[f"user-{n}" for n in range(1000)]; turn=0
    def user():
        nonlocal turn; turn+=1; return users[turn%1000]
    async def lanes(n, dur):
        c0=resource.getrusage(resource.RUSAGE_SELF); b=perf_counter(); calls=0
        async def lane():
            nonlocal calls
            while perf_counter()-b<dur:
                await once.limits.hit("plenty", key=user()); calls+=1
        await asyncio.gather(*(lane() for _ in range(n)))
        c=resource.getrusage(resource.RUSAGE_SELF)
        return calls/(perf_counter()-b), (c.ru_utime+c.ru_stime-c0.ru_utime-c0.ru_stime)/calls*1e6
    await lanes(16,.3)
    print(await lanes(16,secs))
    await once.close()
asyncio.run(main(sys.argv[1], float(sys.argv[2])))
