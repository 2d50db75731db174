"""Ten million records with faults planted in them: is every one found, and none invented? `python benchmarks/planted.py [--rows 1000000] [--days 10]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from poundlock.payments.planting import Planted
from test_payments_quality import found_in

FAULTS = Planted(
    duplicates=40,
    conflicting=30,
    late=60,
    late_duplicates=20,
    impossible=20,
    zero=50,
    negative=60,
    silent=1,
    missing_days=1,
    unbalanced=2,
)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rows", type=int, default=1_000_000, help="a day")
    asked.add_argument("--days", type=int, default=10)
    given = asked.parse_args()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        _, found, key = found_in(Path(place), FAULTS, rows=given.rows, count=given.days)
    assert found.records is not None
    quality = found.records.quality
    planted = Counter(one.kind for one in key.planted)
    planted["late"] += planted["late duplicate"]  # a late duplicate is late too
    silent = {one.day for one in key.of_kind("gap")}
    unseen = [
        one
        for one in key.of_kind("unbalanced")
        if one.day in quality.missing or (one.day in silent and one.side == "received")
    ]
    print(f"{'kind':16}{'planted':>9}{'found':>9}")
    for fault in quality.faults:
        print(f"{fault.kind:16}{planted[fault.kind]:9}{fault.count:9}")
    print(
        f"of the unbalanced, {len(unseen)} lie on days without records or on the receivers' side of a day with a gap, and cannot be told"
    )
    print(f"{time.perf_counter() - start:.0f} s with making them")


if __name__ == "__main__":
    main()
