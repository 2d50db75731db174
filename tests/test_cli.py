"""The command line as a user meets it: exit codes, what is printed where, what is written and what is not."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import EXAMPLES, ROOT, edit


def poundlock(*arguments: object, cwd: Path, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "poundlock", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


@pytest.fixture
def quick(starter: Path) -> Path:
    edit(starter / "plan.yaml", "count: 10000", "count: 5000")
    return starter


def test_run_prints_a_verdict_and_writes_both_files(quick: Path):
    done = poundlock("run", "plan.yaml", "--out", "out", cwd=quick)
    assert done.returncode == 0, done.stderr
    assert "Verdict: " in done.stdout
    assert "passed" in done.stdout or "not decided" in done.stdout
    assert "Do local banks together keep three quarters" in done.stdout
    assert "What would change it" in done.stdout
    assert sorted(p.name for p in (quick / "out").iterdir()) == ["report.html", "result.json"]
    assert "out/report.html" in done.stdout
    json.loads((quick / "out" / "result.json").read_text(encoding="utf-8"))


def test_json_goes_alone_to_standard_output(quick: Path):
    done = poundlock("run", "plan.yaml", "--json", "--out", "out", cwd=quick)
    assert json.loads(done.stdout) == json.loads((quick / "out" / "result.json").read_text(encoding="utf-8"))
    assert "report.html" in done.stderr


def test_problems_end_with_two_and_nothing_written(quick: Path):
    edit(quick / "plan.yaml", "seed: 1", "seed: -1")
    edit(quick / "institutions.csv", ",54000", ",x")
    done = poundlock("run", "plan.yaml", "--out", "out", cwd=quick)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "2 problems in plan.yaml; nothing was run or written." in done.stderr
    assert re.search(
        r"institutions\.csv:2\n  found     loans = 'x'\n  expected  a finite number\n  cure      correct loans",
        done.stderr,
    )
    assert not (quick / "out").exists()


def test_check_says_what_it_read(quick: Path):
    done = poundlock("check", "plan.yaml", cwd=quick)
    assert (done.returncode, "no problem found" in done.stdout) == (0, True)
    assert json.loads(poundlock("check", "plan.yaml", "--json", cwd=quick).stdout)["ok"]
    edit(quick / "plan.yaml", "seed: 1", "seed: one")
    said = poundlock("check", "plan.yaml", "--json", cwd=quick)
    assert said.returncode == 2
    assert json.loads(said.stdout)["problems"][0]["found"] == "scenarios.seed = 'one'"


def test_init_refuses_a_folder_that_is_in_use_and_keeps_it(tmp_path: Path):
    assert poundlock("init", "new/plan", cwd=tmp_path).returncode == 0
    before = {p.name: p.read_bytes() for p in (tmp_path / "new" / "plan").iterdir()}
    again = poundlock("init", "new/plan", cwd=tmp_path)
    assert again.returncode == 2
    assert "exists already" in again.stderr
    assert {p.name: p.read_bytes() for p in (tmp_path / "new" / "plan").iterdir()} == before
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["plan"]


def wait_until_busy(process: int, seconds: float = 4.0) -> None:
    """Until the process has used some seconds of processor time: it is past reading, in its scenarios."""
    ticks = os.sysconf("SC_CLK_TCK")
    for _ in range(1200):
        fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
        if (int(fields[11]) + int(fields[12])) / ticks > seconds:
            return
        time.sleep(0.05)
    raise AssertionError("the run never got to work")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see when the run is at work")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_the_old_report_and_nothing_half(number: signal.Signals, quick: Path):
    edit(quick / "plan.yaml", "count: 5000", "count: 2000000")
    (quick / "out").mkdir()
    (quick / "out" / "report.html").write_text("the old report")
    running = subprocess.Popen(
        [sys.executable, "-m", "poundlock", "run", "plan.yaml", "--out", "out"],
        cwd=quick,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        wait_until_busy(running.pid)
        running.send_signal(number)
        _, said = running.communicate(timeout=60)
    finally:
        running.kill()
        running.communicate()
    assert running.returncode == 130
    assert "Interrupted; nothing was written." in said
    assert "Traceback" not in said
    assert {p.name: p.read_text() for p in (quick / "out").iterdir()} == {"report.html": "the old report"}


def test_an_interrupt_in_a_finaliser_is_no_fault():
    """It would be told as "Exception ignored in", with a traceback; other faults still are."""
    code = (
        "import sys\nfrom poundlock.cli.screen import quiet\nsys.unraisablehook = quiet\n"
        "class Last:\n    def __init__(self, mistake): self.mistake = mistake\n    def __del__(self): raise self.mistake\n"
        "Last(KeyboardInterrupt('lost'))\nLast(ValueError('a fault'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "a fault" in done.stderr
    assert "lost" not in done.stderr


def test_an_out_that_is_a_file_is_refused_before_work(quick: Path):
    (quick / "out").write_text("mine")
    done = poundlock("run", "plan.yaml", "--out", "out", cwd=quick)
    assert done.returncode == 2
    assert "--out needs a folder" in done.stderr
    assert (quick / "out").read_text() == "mine"


def test_help_and_version(tmp_path: Path):
    overview = poundlock("--help", cwd=tmp_path, env=os.environ | {"COLUMNS": "100"}).stdout
    for word in ("run", "check", "contagion", "init", "schema", "Exit status"):
        assert word in overview
    for command in ("run", "check", "init"):
        assert "Example:" in poundlock(command, "--help", cwd=tmp_path).stdout
    assert poundlock("--version", cwd=tmp_path).stdout.startswith("poundlock ")


def test_words_in_brackets_are_printed_not_styled(quick: Path):
    edit(quick / "plan.yaml", "title: Starter plan (made-up figures)", "title: 'A plan [/] with [bold]brackets[/bold]'")
    done = poundlock("run", "plan.yaml", cwd=quick)
    assert done.returncode == 0, done.stderr
    assert "A plan [/] with [bold]brackets[/bold]" in done.stdout


def test_contagion_prints_who_lost_what(tmp_path: Path):
    system = EXAMPLES / "contagion" / "system.yaml"
    done = poundlock(
        "contagion", system, "--shock", "platform-a=25%", "--outage", "clearer-1=5", "--out", "out", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "Synthetic system" in done.stdout
    assert re.search(r"Platform A \(made up\) +64 +64 .*failed +shock 64", done.stdout)
    assert "converged" in done.stdout
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "contagion.svg",
        "institutions.csv",
        "result.json",
        "scenarios.csv",
    ]
    assert "Written: out/contagion.svg" in done.stdout + done.stderr


def test_contagion_ranks_without_a_shock_and_json_stands_alone(tmp_path: Path):
    system = EXAMPLES / "contagion" / "system.yaml"
    done = poundlock("contagion", system, "--json", cwd=tmp_path)
    plain = json.loads(done.stdout)
    assert plain["ranking"]["converged"] is True
    assert len(plain["institutions"]) == 10
    shown = poundlock("contagion", system, cwd=tmp_path)
    assert "Importance by default-costs" in shown.stdout


def test_contagion_of_scenarios(tmp_path: Path):
    folder = EXAMPLES / "contagion"
    done = poundlock("contagion", folder / "system.yaml", "--scenarios", folder / "scenarios.csv", cwd=tmp_path)
    assert "all of it" in done.stdout
    assert "5 scenarios, 10 institutions" in done.stdout


def test_contagion_tells_every_problem_and_writes_nothing(tmp_path: Path):
    system = EXAMPLES / "contagion" / "system.yaml"
    done = poundlock("contagion", system, "--shock", "nobody", "--run", "bank-1", "--out", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "2 problems" in done.stderr
    assert not (tmp_path / "out").exists()
    json_form = poundlock("contagion", system, "--shock", "nobody", "--json", cwd=tmp_path)
    assert json.loads(json_form.stdout)["ok"] is False


def test_schema_of_system_files(tmp_path: Path):
    done = poundlock("schema", "system", cwd=tmp_path)
    assert done.stdout == (ROOT / "schema" / "system.schema.json").read_text(encoding="utf-8"), "run `make schema`"


def test_networks_that_cannot_be_had_are_a_problem_not_a_traceback(tmp_path):
    from conftest import edit
    from poundlock.desk import plan_schema_text
    from poundlock.starter import write_starter

    plan = write_starter(tmp_path / "plan", plan_schema_text())
    edit(plan, "# Did it work?", "networks: { method: fitness, count: 2, density: 1.0 }\n\n# Did it work?")
    done = poundlock("run", plan, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr + done.stdout
    assert "networks of layer" in done.stderr + done.stdout
    line = plan.read_text(encoding="utf-8")[: plan.read_text(encoding="utf-8").index("networks:")].count("\n") + 1
    assert f"plan.yaml:{line}" in done.stderr + done.stdout
