"""The shorter way of hooks through the addons does what mitmproxy's own does."""

import asyncio
import logging
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from mitmproxy import command, exceptions, flow, hooks, options
from mitmproxy.addonmanager import AddonManager
from mitmproxy.proxy.layers.http._hooks import HttpRequestHook
from mitmproxy.test import tflow

from cachy import walk


class Master:
    """As much of mitmproxy's as addons need."""

    def __init__(self) -> None:
        self.options = options.Options()
        self.commands = command.CommandManager(self)
        self.addons = AddonManager(self)


class Addon:
    """Notes what it is called for."""

    def __init__(self, name: str, said: list[str]) -> None:
        self.name = name
        self.said = said


class Plain(Addon):
    """Has a handler."""

    def request(self, _: flow.Flow) -> None:
        """Notes the call."""
        self.said.append(self.name)

    def update(self, flows: list[flow.Flow]) -> None:
        """Notes the call."""
        self.said.append(f"{self.name} {len(flows)}")


class Patient(Addon):
    """Has one that takes its time."""

    async def request(self, _: flow.Flow) -> None:
        """Notes the call, and others run meanwhile."""
        await asyncio.sleep(0)
        self.said.append(self.name)


class Nested(Plain):
    """Has addons of its own."""

    def __init__(self, name: str, said: list[str], *addons: Any) -> None:
        super().__init__(name, said)
        self.addons = list(addons)


class Raising(Addon):
    """Has one that fails."""

    def __init__(self, name: str, said: list[str], error: Exception) -> None:
        super().__init__(name, said)
        self.error = error

    def request(self, _: flow.Flow) -> None:
        """Fails."""
        raise type(self.error)(*self.error.args)


class Curious(Addon):
    """Can't be asked for its handler, once it is under way."""

    @property
    def request(self) -> None:
        """Fails."""
        if self.said:
            raise RuntimeError("nobody may ask")


class Setting(Plain):
    """Gives another addon a handler, and takes its own away."""

    def __init__(self, name: str, said: list[str], other: Any) -> None:
        super().__init__(name, said)
        self.other = other

    def request(self, _: flow.Flow) -> None:
        """Does so."""
        self.said.append(self.name)
        self.other.request = lambda _: self.said.append("set just now")
        setattr(self, "request", None)  # noqa: B010


class Adding(Addon):
    """Adds and removes addons while a hook is on its way."""

    def __init__(self, name: str, said: list[str], master: Master, victim: Any) -> None:
        super().__init__(name, said)
        self.master = master
        self.victim = victim

    def request(self, _: flow.Flow) -> None:
        """Does so, once."""
        self.said.append(self.name)
        if self.victim in self.master.addons:
            self.master.addons.remove(self.victim)
            self.master.addons.add(Plain("added", self.said))


def module(name: str, said: list[str]) -> ModuleType:
    """A script."""
    found = ModuleType(name)
    found.__dict__["request"] = lambda _: said.append(name)
    return found


def build(master: Master, said: list[str]) -> list[Any]:
    """Addons of all kinds."""
    late = Addon("late", said)
    victim = Plain("victim", said)
    importing = Addon("importing", said)
    importing.__dict__["request"] = asyncio  # A module of that name, which is no handler.
    wrong = Addon("wrong", said)
    wrong.__dict__["request"] = "no handler"
    return [
        Plain("first", said),
        Addon("silent", said),
        Patient("patient", said),
        Nested("outer", said, Plain("inner", said), Nested("deep", said, module("script", said))),
        Nested("broken", said, Raising("inner error", said, ValueError("x")), Plain("never", said)),
        Raising("error", said, ValueError("y")),
        Curious("curious", said),
        importing,
        wrong,
        Setting("setting", said, late),
        late,
        Adding("adding", said, master, victim),
        victim,
        Plain("last", said),
    ]


Built = Callable[[Master, list[str]], list[Any]]


def heard(shorter: bool, addons: Built, caplog: pytest.LogCaptureFixture) -> tuple[Any, ...]:
    """What comes of two requests: the calls, the log and where its errors come from, and what is raised."""

    async def run() -> tuple[Any, ...]:
        said: list[str] = []
        master = Master()
        assert type(master.addons) is AddonManager
        master.addons.add(*addons(master, said))
        if shorter:
            walk.shorten(master.addons)
        caplog.clear()
        raised = []
        for _ in range(2):
            try:
                await master.addons.handle_lifecycle(HttpRequestHook(tflow.tflow()))
            except Exception as error:  # noqa: BLE001
                raised.append(repr(error))
            said.append("-")
        lines = []
        for record in caplog.records:
            trace = record.exc_info[2] if record.exc_info else None
            where = None
            while trace is not None:
                where, trace = trace.tb_frame.f_code.co_name, trace.tb_next
            lines.append((record.levelno, record.getMessage().split(" object at ")[0], where))
        if shorter:
            walk.restore(master.addons)
        assert type(master.addons) is AddonManager
        return said, lines, raised

    with caplog.at_level(logging.WARNING):
        return asyncio.run(run())


def halting(_: Master, said: list[str]) -> list[Any]:
    """One stops the hook."""
    halt = Raising("halt", said, exceptions.AddonHalt())
    return [Plain("a", said), Nested("b", said, halt), Plain("never", said)]


def refusing(_: Master, said: list[str]) -> list[Any]:
    """One raises what is for the caller."""
    refusal = Raising("refusing", said, exceptions.OptionsError("no"))
    return [Plain("a", said), refusal, Plain("never", said)]


@pytest.mark.parametrize("addons", [build, halting, refusing])
def test_as_the_original(addons: Built, caplog: pytest.LogCaptureFixture) -> None:
    """The same calls in the same order, and the same is said of what fails."""
    original = heard(False, addons, caplog)
    assert original[0]
    assert heard(True, addons, caplog) == original


def test_somebody_elses(caplog: pytest.LogCaptureFixture) -> None:
    """A manager that is no longer mitmproxy's own stays as it is."""

    class Other(AddonManager):
        pass

    async def run() -> None:
        manager: AddonManager = Other(Master())  # type: ignore[no-untyped-call]
        walk.shorten(manager)
        walk.restore(manager)
        assert type(manager) is Other
        await manager.trigger_event(hooks.RunningHook())

    asyncio.run(run())
    assert not caplog.records
