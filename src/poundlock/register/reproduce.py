"""Run the plan of an evidence pack again, from its inputs alone, and compare what comes out with what the pack holds, to the byte."""

from __future__ import annotations

import hashlib
import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from poundlock.desk import check, evaluate, run
from poundlock.figures import result_json
from poundlock.register.log_lines import parsed
from poundlock.register.members import ENVIRONMENT, LOCK, RESULT, Input, Manifest, input_members, result_inputs
from poundlock.register.opened import OpenPack, opened
from poundlock.register.pack import lock_text
from poundlock.rollout.canonical import Json
from poundlock.version import VERSION

SHOWN: Final = 20
Watch = Callable[[str, int], AbstractContextManager[Callable[[str, int], None]]]


class Unrepeatable(ValueError):  # noqa: N818 - it says why, and the cure
    """The pack cannot be run again: it is broken, has no result, or its inputs are absent."""


@dataclass(frozen=True, slots=True)
class Differs:
    """One value that came out otherwise. path: into result.json, as $.gates[0].evidence.value. packed, found: as JSON; 'absent' where there is
    none. relative: difference over the larger of the two, of numbers; None of anything else."""

    path: str
    packed: Json
    found: Json
    relative: float | None


@dataclass(frozen=True, slots=True)
class Reproduced:
    """What a second run came to. same: result.json is the same to the byte. differences: the first ones. count: how many there are. largest: of the
    relative differences of all. notes: what differs between then and now."""

    same: bool
    verb: str
    sha256: str
    differences: tuple[Differs, ...]
    count: int
    largest: float | None
    notes: tuple[str, ...]


def reproduce_pack(path: Path, *, inputs: Path | None = None, watch: Watch | None = None) -> Reproduced:
    """Run the plan again. inputs: folder of the plan, where the pack leaves inputs out; their digests must be those of the pack.
    watch: opened with the plan's title and its number of scenarios while they are run; what it gives is told the progress, as by `run`.

    Raises Unrepeatable or NotAPack where it cannot be run, ProblemsFound for a plan that does not check, OSError for a file that cannot be read.
    """
    with path.open("rb") as stream, tempfile.TemporaryDirectory(prefix="poundlock-") as folder:
        pack, manifest, packed = _result_of(opened(stream))
        plan = _placed(pack, manifest, packed, Path(folder), inputs)
        notes = _notes(pack)
        found, verb = _run_again(plan, packed, watch)
    values = list(_differences(parsed(packed), parsed(found), "$"))
    return Reproduced(
        same=found == packed,
        verb=verb,
        sha256=hashlib.sha256(found).hexdigest(),
        differences=tuple(values[:SHOWN]),
        count=len(values),
        largest=max((d.relative for d in values if d.relative is not None), default=None),
        notes=notes,
    )


def _result_of(pack: OpenPack) -> tuple[OpenPack, Manifest, bytes]:
    if pack.broken or pack.manifest is None:
        first = f": {pack.broken[0]}" if pack.broken else ""
        raise Unrepeatable(
            f"The pack is not what it was{first}. Cure: `poundlock verify` says all; ask for the pack again."
        )
    if RESULT not in pack.members:
        raise Unrepeatable(f"The pack has no {RESULT}. Cure: ask for a pack of a programme whose plan was run.")
    return pack, pack.manifest, pack.read(RESULT)


def _placed(pack: OpenPack, manifest: Manifest, packed: bytes, folder: Path, outside: Path | None) -> Path:
    """Every input in its place below `folder`; the path of the plan there, which is the first input that the result names."""
    told = result_inputs(packed)
    by_name = {one.name: one for one in manifest.inputs}
    if not told or set(told) - set(by_name):
        raise Unrepeatable("The result and the manifest name other inputs. Cure: ask for the pack again.")
    absent = [one for one in manifest.inputs if one.member is None]
    if absent and outside is None:
        names = ", ".join(one.name for one in absent[:5]) + (", ..." if len(absent) > 5 else "")
        raise Unrepeatable(
            f"{len(absent)} inputs are not in the pack ({names}). Cure: --inputs with the folder of the plan."
        )
    wrong = [said for one in absent if outside and (said := _unlike(one, outside))]
    if wrong:
        raise Unrepeatable(
            f"The inputs are not those of the pack: {'; '.join(wrong[:10])}. Cure: give the folder that the run was made in."
        )
    places = input_members(by_name)
    for name, one in by_name.items():
        place = folder / places[name]
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("xb") as stream:
            for chunk in (
                pack.chunks(one.member) if one.member else iter([(outside or folder).joinpath(name).read_bytes()])
            ):
                stream.write(chunk)
    return folder / places[next(iter(told))]


def _unlike(one: Input, outside: Path) -> str:
    """What is wrong with an input outside of the pack, or nothing."""
    try:
        with outside.joinpath(one.name).open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        return f"{one.name}: {error.strerror}"
    return "" if found == one.sha256 else f"{one.name}: found SHA-256 {found[:12]}..., expected {one.sha256[:12]}..."


def _run_again(plan: Path, packed: bytes, watch: Watch | None) -> tuple[bytes, str]:
    """The second result, and the verb that made it: an evaluation alone tells of no worlds."""
    checked = check(plan)
    if {one.name: one.digest for one in checked.inputs} != result_inputs(packed):
        raise Unrepeatable("The plan reads other files than the result tells of. Cure: ask for the pack again.")
    if "worlds" not in parsed(packed):
        return result_json(evaluate(checked)).encode(), "evaluate"
    with watch(checked.plan.title, checked.plan.scenarios.count) if watch else nullcontext() as report:
        return result_json(run(checked, report)).encode(), "run"


def _notes(pack: OpenPack) -> tuple[str, ...]:
    """What is another version than then."""
    then = parsed(pack.read(ENVIRONMENT))
    said = [
        f"{what} {then.get(name)} then, {now} now"
        for what, name, now in (("Poundlock", "poundlock", VERSION), ("Python", "python", platform.python_version()))
        if isinstance(then, Mapping) and then.get(name) != now
    ]
    packages = [
        dict(line.split("==", 1) for line in text.splitlines() if "==" in line)
        for text in (pack.read(LOCK).decode(), lock_text())
    ]
    before, today = packages
    changed = sorted(name for name in before.keys() | today.keys() if before.get(name) != today.get(name))
    said.extend(f"{name} {before.get(name, 'absent')} then, {today.get(name, 'absent')} now" for name in changed)
    return tuple(said)


def _differences(packed: Json, found: Json, path: str) -> Iterator[Differs]:
    """Every value that differs, walking both."""
    if isinstance(packed, dict) and isinstance(found, dict):
        for key in (*packed, *(key for key in found if key not in packed)):
            yield from _differences(packed.get(key, "absent"), found.get(key, "absent"), f"{path}.{key}")
    elif isinstance(packed, list) and isinstance(found, list) and len(packed) == len(found):
        for k, (one, other) in enumerate(zip(packed, found, strict=True)):
            yield from _differences(one, other, f"{path}[{k}]")
    elif type(packed) is not type(found) or packed != found:
        yield Differs(path, _short(packed), _short(found), _relative(packed, found))


def _relative(packed: Json, found: Json) -> float | None:
    if type(packed) not in (int, float) or type(found) not in (int, float):
        return None
    return abs(packed - found) / max(abs(packed), abs(found)) if packed != found else 0.0


def _short(value: Json) -> Json:
    return f"{len(value)} values" if isinstance(value, list | dict) else value
