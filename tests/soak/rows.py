"""The rows of the table, from what a soak found."""

import json
from collections import Counter
from collections.abc import Sequence

from .ledger import Note
from .plan import ENDING
from .report import (
    CALM_FACTOR,
    CALM_MORE,
    DESCRIPTORS_MORE,
    LONGEST_ROUND,
    LONGEST_WAIT,
    MEMORY_FACTOR,
    MEMORY_MORE,
    SETTLED,
    THREADS_MORE,
    Row,
    at_most,
    grown,
    none,
)
from .service import START
from .soak import Soak


def _told(notes: Sequence[Note], epoch: float) -> list[str]:
    return [
        f"{note.job}, {note.begin - epoch:.1f} to {note.end - epoch:.1f} s: {note.what}"
        for note in notes
    ]


def _longest(notes: Sequence[Note]) -> float:
    return notes[0].end - notes[0].begin if notes else 0.0


def rows(soak: Soak) -> list[Row]:
    """Return all rows."""
    return [*_done(soak), *_answers(soak), *_proxy(soak), *_held(soak), *_left(soak)]


def _done(soak: Soak) -> list[Row]:
    ledger, done = soak.ledger, soak.disturber.done
    rounds: dict[str, int] = {}
    for job, count in ledger.rounds.items():
        rounds[job.partition(" ")[0]] = rounds.get(job.partition(" ")[0], 0) + count
    idle = [job.name for job in soak.jobs if not ledger.rounds[job.name]]
    return [
        Row("jobs", str(len(soak.jobs))),
        Row("rounds", str(ledger.rounds.total())),
        *(Row(f"  {kind}", str(count)) for kind, count in sorted(rounds.items())),
        none("jobs without a round", idle),
        Row("requests of curl", str(ledger.requests)),
        Row("requests at the origin", str(soak.origin.answered)),
        Row("answers spoiled at the origin", str(sum(soak.origin.spoiled.values()))),
        Row("disturbances", ", ".join(f"{k} {v}" for k, v in sorted(done.items())) or "none"),
    ]


def _answers(soak: Soak) -> list[Row]:
    ledger, epoch = soak.ledger, soak.journal.epoch
    failures, waits = ledger.failures(), ledger.waits()
    reasons = Counter(why.partition(":")[0] for _, why in failures.explained)
    rounds = ledger.long_rounds()
    return [
        none("wrong bodies", [*ledger.wrong, *_told(ledger.mismatches(), epoch)]),
        none("answers that were too old", _told(ledger.stale(), epoch)),
        none("cached files taken for a person's", _told(ledger.persons, epoch)),
        none("failures that nothing explains", _told(failures.open, epoch)),
        Row("failures that a fault or restart explains", str(len(failures.explained))),
        *(Row(f"  {why}", str(count)) for why, count in sorted(reasons.items())),
        at_most(
            "longest wait without a fault",
            _longest(waits),
            LONGEST_WAIT,
            " s",
            _told(waits[:10], epoch),
        ),
        at_most(
            "longest round without a fault",
            _longest(rounds),
            LONGEST_ROUND,
            " s",
            _told(rounds[:10], epoch),
        ),
    ]


def _proxy(soak: Soak) -> list[Row]:
    service, mishaps = soak.service, soak.service.mishaps()
    return [
        none("ends and starts not in order", service.problems),
        at_most("slowest start", service.slowest_start, START, " s"),
        none("mistakes in the log", [m.text for m in mishaps if m.kind == "mistake"]),
        none("waiters rescued", [m.text for m in mishaps if m.kind == "rescued"]),
        none("problems of the soak itself", soak.problems),
    ]


def _settled(soak: Soak) -> float:
    """Return when the processes of the end had been at work for a while."""
    ending = [step.at for step in soak.plan.disturbances if step.kind in ENDING]
    return soak.journal.epoch + max([soak.plan.warm_up, *ending]) + SETTLED


def _held(soak: Soak) -> list[Row]:
    begin, end = soak.rests[0], soak.rests[-1]
    most = begin.pss_mb * MEMORY_FACTOR + MEMORY_MORE
    peak = max(held.pss_mb for held in soak.samples)
    calm = [held.pss_mb for held in soak.samples if held.at >= _settled(soak)]
    settled = calm[: len(calm) // 4 + 1]
    least = sorted(settled)[len(settled) // 2] if settled else end.pss_mb
    return [
        grown("memory (PSS)", begin.pss_mb, end.pss_mb, most, " MB"),
        grown(
            "memory since the last restart (PSS)",
            least,
            end.pss_mb,
            least * CALM_FACTOR + CALM_MORE,
            " MB",
        ),
        Row("memory (RSS)", f"{begin.rss_mb:.0f} → {end.rss_mb:.0f} MB"),
        Row("memory at most (PSS)", f"{peak:.0f} MB"),
        grown(
            "descriptors", begin.descriptors, end.descriptors, begin.descriptors + DESCRIPTORS_MORE
        ),
        grown("threads", begin.threads, end.threads, begin.threads + THREADS_MORE),
        grown("processes", begin.processes, end.processes, begin.processes),
        grown("zombies", begin.zombies, end.zombies, 0),
        grown("files being written", begin.writing, end.writing, 0),
        none("temporary files that are left", soak.left),
    ]


def _left(soak: Soak) -> list[Row]:
    try:
        broken = json.loads(soak.verified.output)["broken"]
    except (ValueError, LookupError):
        broken = [soak.verified]
    return [
        none("misses of what was just stored, at the end", soak.unstored),
        none("entries that `cachy verify` finds broken", [str(each) for each in broken]),
        none("files of curl's hosts that are torn", soak.torn),
    ]
