"""Running an evidence pack again: the same to the byte, or what differs; never from other inputs than the pack's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from poundlock import Assessment, ProblemsFound, evaluate
from poundlock.cli.packs import reproduce_command, verify_command
from poundlock.figures import result_json
from poundlock.register import reproduce as room
from poundlock.register.members import RESULT, result_environment
from poundlock.register.pack import PackContent, write_pack
from poundlock.register.reproduce import Unrepeatable, reproduce_pack
from poundlock.rollout.signing import Checkpoint, public_of, signed_checkpoint
from test_register_pack import KEY, NAME, members_of, rows, stored

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, starter_source: Path) -> Write:
    """Packs of the starter plan. result: text of result.json. with_inputs: whether they are in it."""

    def written(result: str, *, with_inputs: bool = True, plan: Path | None = None, **other: object) -> Path:
        names = [one["file"] for one in json.loads(result)["provenance"]["inputs"]]
        folder = plan or starter_source
        values: dict[str, object] = {
            "register": NAME,
            "public": public_of(KEY),
            "programme": "starter",
            "entries": rows(),
            "checkpoints": [],
            "decisions": [],
            "inputs": {name: folder / name for name in names} if with_inputs else {},
            "outputs": {"result.json": result.encode()},
            "environment": result_environment(result.encode(), "3.0.0"),
            "made_at": "2026-11-26T21:04:05Z",
        }
        return write_pack(tmp_path / "pack.zip", PackContent(**(values | other)), KEY, replace=True).path  # type: ignore[arg-type]

    return written


@pytest.fixture
def already_run(monkeypatch: pytest.MonkeyPatch, starter_run: Assessment) -> None:
    """The second run gives what the first gave, without its time."""
    monkeypatch.setattr(room, "run", lambda checked, progress: starter_run)


@pytest.fixture
def cli() -> Callable[..., tuple[int, str]]:
    app = Typer(pretty_exceptions_enable=False)
    app.command("verify")(verify_command)
    app.command("reproduce")(reproduce_command)

    def called(*words: object) -> tuple[int, str]:
        told = CliRunner().invoke(app, [str(word) for word in words])
        if told.exception is not None and not isinstance(told.exception, SystemExit):
            raise told.exception
        return told.exit_code, told.output

    return called


def test_a_run_is_the_same_to_the_byte(write: Write, starter_run: Assessment) -> None:
    seen: list[str] = []

    @contextmanager
    def watch(title: str, count: int) -> Iterator[Callable[[str, int], None]]:
        assert (title, count) == (starter_run.plan.title, starter_run.plan.scenarios.count)
        yield lambda task, done: seen.append(task)

    found = reproduce_pack(write(result_json(starter_run)), watch=watch)
    assert (found.same, found.verb, found.differences, found.count, found.largest) == (True, "run", (), 0, None)
    assert seen
    assert any(note.startswith("Python 3.0.0 then") for note in found.notes)
    assert not any("numpy" in note for note in found.notes)


def test_an_evaluation_alone_is_repeated_as_one(write: Write, starter_source: Path) -> None:
    found = reproduce_pack(write(result_json(evaluate(starter_source / "plan.yaml"))))
    assert (found.same, found.verb) == (True, "evaluate")


@pytest.mark.usefixtures("already_run")
def test_what_differs_is_told_by_its_path_with_both_values(write: Write, starter_run: Assessment) -> None:
    said = json.loads(result_json(starter_run))
    level = said["worlds"][0]["rounds"]
    said["worlds"][0]["rounds"] = level * 2
    said["title"] = "Another title"
    said["gates"] = said["gates"][1:]
    said["extra"] = [1, 2]
    found = reproduce_pack(write(json.dumps(said, indent=2, ensure_ascii=False) + "\n"))
    assert not found.same
    told = {d.path: (d.packed, d.found, d.relative) for d in found.differences}
    count = len(said["gates"])
    assert told == {
        "$.title": ("Another title", starter_run.plan.title, None),
        "$.gates": (f"{count} values", f"{count + 1} values", None),
        "$.worlds[0].rounds": (level * 2, level, 0.5),
        "$.extra": ("2 values", "absent", None),
    }
    assert found.largest == 0.5


@pytest.mark.usefixtures("already_run")
def test_a_result_that_is_written_otherwise_is_not_the_same(write: Write, starter_run: Assessment) -> None:
    found = reproduce_pack(write(json.dumps(json.loads(result_json(starter_run)))))
    assert (found.same, found.count) == (False, 0)


@pytest.mark.usefixtures("already_run")
def test_absent_inputs_are_taken_from_a_folder_with_the_same_digests(
    write: Write, starter_run: Assessment, starter: Path
) -> None:
    path = write(result_json(starter_run), with_inputs=False)
    with pytest.raises(Unrepeatable, match=r"inputs are not in the pack .* --inputs"):
        reproduce_pack(path)
    assert reproduce_pack(path, inputs=starter).same
    with (starter / "panel.csv").open("a", encoding="utf-8") as stream:
        stream.write("\n")
    (starter / "pools.csv").unlink()
    with pytest.raises(Unrepeatable, match=r"panel.csv: found SHA-256 .*; pools.csv: No such file"):
        reproduce_pack(path, inputs=starter)


def test_inputs_beside_and_above_the_plan_come_to_their_places(
    write: Write, starter: Path, starter_run: Assessment
) -> None:
    above = starter.parent / "tables"
    above.mkdir()
    (starter / "panel.csv").rename(above / "panel.csv")
    plan = starter / "plan.yaml"
    plan.write_text(plan.read_text(encoding="utf-8").replace("panel.csv", "../tables/panel.csv"), encoding="utf-8")
    path = write(result_json(evaluate(plan)), plan=starter)
    assert "inputs/tables/panel.csv" in members_of(path)
    assert "inputs/plan/plan.yaml" in members_of(path)
    assert reproduce_pack(path).same


def test_a_pack_that_is_broken_or_has_no_result_is_not_run(write: Write, starter_run: Assessment) -> None:
    path = write(result_json(starter_run))
    stored(path, members_of(path) | {"inputs/panel.csv": b"other"})
    with pytest.raises(Unrepeatable, match=r"not what it was: 'inputs/panel.csv'"):
        reproduce_pack(path)
    with pytest.raises(Unrepeatable, match=r"has no outputs/result.json"):
        reproduce_pack(write(result_json(starter_run), outputs={}))


def test_a_plan_that_reads_a_file_outside_of_the_pack_is_not_run(
    write: Write, starter_run: Assessment, starter: Path, tmp_path: Path
) -> None:
    """Somebody signs a plan that names a file of the machine that repeats it."""
    secret = tmp_path / "secret.csv"
    (starter / "panel.csv").rename(secret)
    plan = starter / "plan.yaml"
    plan.write_text(plan.read_text(encoding="utf-8").replace("panel.csv", str(secret)), encoding="utf-8")
    said = json.loads(result_json(evaluate(plan)))
    said["provenance"]["inputs"] = [one for one in said["provenance"]["inputs"] if "secret" not in one["file"]]
    path = write(json.dumps(said), plan=starter)
    with pytest.raises(Unrepeatable, match="reads other files than the result tells of"):
        reproduce_pack(path)


def test_a_plan_that_does_not_check_says_why(write: Write, starter: Path, starter_run: Assessment) -> None:
    plan = starter / "plan.yaml"
    plan.write_text(plan.read_text(encoding="utf-8") + "nonsense: 1\n", encoding="utf-8")
    said = json.loads(result_json(starter_run))
    for one in said["provenance"]["inputs"]:
        if one["file"] == "plan.yaml":
            one["sha256"] = sha256(plan.read_bytes()).hexdigest()
    with pytest.raises(ProblemsFound, match="nonsense"):
        reproduce_pack(write(json.dumps(said), plan=starter))


@pytest.mark.usefixtures("already_run")
def test_the_commands_end_as_they_say(
    write: Write, starter_run: Assessment, cli: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    path = write(result_json(starter_run), entries=[], programme="")
    note = tmp_path / "note.txt"
    note.write_text(signed_checkpoint(Checkpoint(NAME, 9, "0" * 64), NAME, KEY), encoding="utf-8")

    code, said = cli("verify", path)
    assert code == 0
    assert "verified" in said
    code, said = cli("verify", path, "--key", public_of(KEY), "--json")
    assert (code, json.loads(said)["ok"]) == (0, True)
    code, said = cli("verify", path, "--checkpoint", note)
    assert code == 1
    for part in ("checkpoint 1 from elsewhere", "found     0 entries in the pack", "expected  at least 9"):
        assert part in said
    code, said = cli("verify", path, "--checkpoint", note, "--json")
    assert (code, json.loads(said)["findings"][0]["where"]) == (1, "checkpoint 1 from elsewhere")
    code, said = cli("verify", write(result_json(starter_run)))
    assert code == 1  # acts that the rules do not know
    assert "entry 1 (registered of programme:zhejiang)" in said
    code, said = cli("reproduce", path)
    assert code == 0
    assert "the same to the byte" in said
    code, said = cli("reproduce", path, "--json")
    assert (code, json.loads(said)["same"]) == (0, True)


@pytest.mark.usefixtures("already_run")
def test_the_commands_say_what_differs_and_end_with_1(
    write: Write, starter_run: Assessment, cli: Callable[..., tuple[int, str]]
) -> None:
    said = json.loads(result_json(starter_run))
    said["system"]["institutions"] += 1
    code, told = cli("reproduce", write(json.dumps(said)))
    assert code == 1
    assert "$.system.institutions" in told
    assert "8" in told


def test_a_wrong_call_ends_with_2(
    write: Write, starter_run: Assessment, cli: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    path = write(result_json(starter_run), with_inputs=False)
    text = tmp_path / "a.txt"
    text.write_text("no zip", encoding="utf-8")
    for words in (
        ("verify", tmp_path / "absent.zip"),
        ("verify", tmp_path),
        ("verify", text),
        ("verify", path, "--key", "short"),
        ("verify", path, "--checkpoint", tmp_path / "absent.txt"),
        ("reproduce", path),
        ("reproduce", text),
        ("reproduce", tmp_path / "absent.zip"),
        ("reproduce", path, "--inputs", tmp_path / "absent"),
    ):
        code, said = cli(*words)
        assert code == 2, words
        assert "Cure" in said, (words, said)
    assert RESULT in members_of(path)
