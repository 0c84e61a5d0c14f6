"""Alarms of streams. mitmproxy's own wake-ups are dropped when the client leaves, and what it was
fetching may still be for others.
"""

import asyncio
from dataclasses import dataclass

from mitmproxy.proxy import commands


@dataclass
class Alarm:
    """After how many seconds it rings."""

    seconds: float


@dataclass
class CachyAlarmHook(commands.StartHook):
    """Completes when the time has come."""

    name = "cachy_alarm"
    alarm: Alarm


async def ring(alarm: Alarm) -> None:
    """Waits for the time to come."""
    await asyncio.sleep(alarm.seconds)
