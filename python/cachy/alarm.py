"""Alarms of streams. mitmproxy's own wake-ups are dropped when the client leaves, and what it was
fetching may still be for others.
"""

import asyncio
from dataclasses import dataclass, field

from mitmproxy.proxy import commands


@dataclass
class Alarm:
    """After how many seconds it rings."""

    seconds: float
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def call_off(self) -> None:
        """Has it ring at once, when nobody listens: until then it holds all of a client's connection."""
        self.over.set()


@dataclass
class CachyAlarmHook(commands.StartHook):
    """Completes when the time has come."""

    name = "cachy_alarm"
    alarm: Alarm


async def ring(alarm: Alarm) -> None:
    """Waits for the time to come, or for the alarm to be called off."""
    timer = asyncio.get_running_loop().call_later(alarm.seconds, alarm.over.set)
    try:
        await alarm.over.wait()
    finally:
        timer.cancel()
