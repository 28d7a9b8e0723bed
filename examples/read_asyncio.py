import asyncio
from datetime import UTC, datetime, timedelta

from cosemic import Meter
from cosemic.simulator import Fleet


async def main(now: datetime) -> None:
    async with Fleet.of(1) as fleet, Meter.connect(fleet.endpoints[0].url) as meter:
        print(await meter.read("1-0:1.8.0"))
        for row in await meter.load_profile("1-0:99.1.0", now - timedelta(hours=1), now):
            print(row.interval_start, *row.values)


asyncio.run(main(datetime.now(UTC)))
