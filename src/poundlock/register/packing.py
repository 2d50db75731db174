"""From a register, and the folder of a run, to what goes into an evidence pack."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as changed
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poundlock.problems import Problem, ProblemsFound
from poundlock.register.acts import ERASED, stamp
from poundlock.register.members import ENTRIES, PAYLOADS, result_environment, result_inputs
from poundlock.register.pack import PackContent, Packed, write_pack
from poundlock.register.rows import Record
from poundlock.register.telling import log
from poundlock.register.verify import Broken, Verified, verify_pack
from poundlock.rollout.canonical import Json
from poundlock.rollout.chain import Entry
from poundlock.rollout.machine import book
from poundlock.rollout.refusal import Refused
from poundlock.version import VERSION

if TYPE_CHECKING:
    from poundlock.register.store import Register  # not at run time: a pack is verified without a database

_SIGNED = ("propose", "approve", "hold", "roll-back")


def pack_of(
    register: Register,
    key: str,
    programme: str,
    path: Path,
    *,
    at: datetime,
    run: Path | None = None,
    plan: Path | None = None,
    with_inputs: bool = True,
    licence: str = "",
    replace: bool = False,
) -> Packed:
    """Write the evidence pack of a programme. key: the register's, PEM. run: folder of result.json and report.html. plan: the plan file of that run,
    whose folder holds the inputs. with_inputs: False leaves them out, so that only their digests stand. A checkpoint is made of what stands.

    Payloads of other programmes are left out; their entries are not, for the chain. Raises ProblemsFound where the run's files are missing.
    """
    if programme and register.state(book.object_of(programme)) is None:
        known = ", ".join(name.removeprefix("programme:") for name in register.objects("programme:")) or "none yet"
        raise Refused(f"refused: no programme '{programme}' in this register; there are: {known}")
    note_of_now = register.checkpoint(at=at)
    outputs = _outputs(run)
    inputs = _inputs(outputs, plan) if with_inputs else {}
    environment = (
        result_environment(outputs["result.json"], platform.python_version())
        if outputs
        else {"python": platform.python_version(), "poundlock": VERSION, "seed": None, "scenarios": None}
    )
    content = PackContent(
        register=register.name,
        public=register.public,
        programme=programme,
        entries=_of_programme(register, programme),
        checkpoints=tuple(dict.fromkeys((*register.checkpoints(), note_of_now))),
        decisions=decisions(register.records(), programme),
        inputs=inputs,
        outputs=outputs,
        environment=environment,
        made_at=stamp(at),
        licence=licence,
    )
    return write_pack(path, content, key, replace=replace)


def _outputs(run: Path | None) -> dict[str, bytes]:
    if run is None:
        return {}
    missing = [name for name in ("result.json", "report.html") if not (run / name).is_file()]
    if missing:
        cure = "name the folder that `poundlock run PLAN --out` wrote"
        raise ProblemsFound([Problem(str(run), None, f"no {name}", "one", cure) for name in missing])
    return {name: (run / name).read_bytes() for name in ("result.json", "report.html")}


def _inputs(outputs: Mapping[str, bytes], plan: Path | None) -> dict[str, Path | bytes]:
    if not outputs:
        return {}
    if plan is None:
        cure = "name the plan file, or leave the inputs out with --without-inputs"
        raise ProblemsFound([Problem("result.json", None, "no plan beside it", "the plan that was run", cure)])
    names = result_inputs(outputs["result.json"])
    missing = [name for name in names if not (plan.parent / name).is_file()]
    if missing:
        raise ProblemsFound(
            [
                Problem(str(plan.parent / name), None, "no such file", "an input of the run", "bring it back")
                for name in missing
            ]
        )
    return {name: plan.parent / name for name in names}


def _of_programme(register: Register, programme: str) -> Iterator[Record]:
    """Every entry; payloads of other programmes left out."""
    mine = {book.PEOPLE, book.object_of(programme)}
    for entry, text, salt in register.records():
        if programme and entry.act != ERASED and entry.object not in mine:
            yield entry, None, ""
        else:
            yield entry, text, salt


def decisions(records: Iterable[Record], programme: str) -> Json:
    """Every decision and order with who signed it, for reading; what was signed, and with which key, stands in the payloads."""
    found: dict[str, dict[str, Any]] = {}
    for (entry, text, _), moves in log(records):
        if entry.act not in _SIGNED or text is None or (programme and entry.object != book.object_of(programme)):
            continue
        body = json.loads(text)
        name = (
            f"{entry.object}/{body['decision']}" if "decision" in body else f"{entry.object}/{entry.act}-{entry.number}"
        )
        if entry.act != "approve":
            why = body["details"]["why"] if "details" in body else body["why"]
            found[name] = {
                "decision": name,
                "matter": body.get("matter", entry.act),
                "run": body["run"],
                "why": why,
                "signatures": [],
            }
            found[name] |= {"details": body["details"]} if "details" in body else {}
        signature = {k: getattr(entry, k) for k in ("number", "at", "actor", "role")}
        signature |= {"interests": body.get("interests", ""), "signature": body["signature"]}
        found[name]["signatures"].append(signature)
        found[name]["effect"] = list(moves)
    return list(found.values())


def verified(path: Path, *, key: str | None = None, checkpoints: Sequence[str] = ()) -> Verified:
    """A pack verified by every rule of the machine, and its list of decisions held against what was signed. Of the programme that it is about
    nothing may be left out that rules rest on. Raises what `verify_pack` raises."""
    seen = _Seen()
    found = verify_pack(
        path,
        key=key,
        replay=lambda pairs: book.replay(seen.of(pairs)),
        decisions=_as_packed,
        checkpoints=checkpoints,
    )
    broken = tuple(seen.absent(found.programme))
    return changed(found, ok=found.ok and not broken, findings=(*found.findings, *broken))


@dataclass
class _Seen:
    """What a replay was given. withheld: entries without a payload that rules rest on. whole: all entries were taken."""

    objects: set[str] = field(default_factory=set)
    withheld: list[Entry] = field(default_factory=list)
    whole: bool = False

    def of(self, pairs: Iterable[tuple[Entry, str | None]]) -> Iterator[tuple[Entry, str | None]]:
        for entry, text in pairs:
            self.objects.add(entry.object)
            if text is None and not book.erasable(entry.act):
                self.withheld.append(entry)
            yield entry, text
        self.whole = True

    def absent(self, programme: str) -> Iterator[Broken]:
        about = book.object_of(programme)
        if programme and self.whole and about not in self.objects:
            yield Broken(
                f"'{ENTRIES}'", f"no entry of programme {programme}", "entries of the programme that the pack is about"
            )
        mine = [e for e in self.withheld if not programme or e.object == about]
        if mine:
            said = f"{len(mine)} without payload, the first entry {mine[0].number} ({mine[0].act})"
            yield Broken(
                f"'{PAYLOADS}'", said, "the payload of every act that rules rest on: what is left out cannot be judged"
            )


def _as_packed(pairs: Iterable[tuple[Entry, str | None]]) -> Json:
    """Of whichever programmes the payloads are there; nothing where the acts are against the rules, which the replay tells."""
    try:
        return decisions(((entry, text, "") for entry, text in pairs), "")
    except Refused:
        return []
