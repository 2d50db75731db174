"""The lower storey of contingent claims: what is called, received and owed under promises, in every lane. Loops only."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from poundlock.contagion.compiled import inner
from poundlock.contagion.flat import BIGGEST, ON_CLAIMS, ON_SHORTFALL, OPEN, UNSETTLED
from poundlock.contagion.valuation import CLEARING, clearing, default_costs

WHOLE = 1e-11  # support that leaves no more than this of the shortfall and of all debts has made its beneficiary whole


@inner
def _called(promises, c, block, loss, owed_besides):
    """What promise c owes on this loss goes into block.due in the open lanes; the payer is visited again if that changed.

    owed_besides: other obligations of the payer. A change is a move like that of a share lost, relative to all that the payer
    owes: the payer may have been visited already, so that nothing else would keep the lane from ending.
    """
    share, deductible, limit = promises.share[c], promises.deductible[c], promises.limit[c]
    marks, changed = block.marks, 0
    for lane in range(len(loss)):
        owed = min(limit, share * max(0.0, loss[lane] - deductible))
        before = block.due[c, lane]
        after = owed if marks[OPEN, lane] == 1.0 else before
        block.due[c, lane] = after
        if after != before:
            changed = 1
            moved = abs(after - before) / (owed_besides + max(after, before))
            marks[BIGGEST, lane] = max(marks[BIGGEST, lane], moved)
    if changed > 0:
        block.todo[promises.payer[c]] = 1


@inner
def promised(network, promises, i, block, row):
    """Add to row what i receives under promises made to it, less what it owes under its own. Support is for what is missing before
    the latter (with it, a supporter of i could make i's creditors better off by what i promised, and the map would not be
    monotone); what rounding leaves of it does not count as a failure."""
    groups, width = len(network.code), len(row)
    covered, shortfall, copied = block.share, block.behind[0], False
    for c in range(promises.payee_starts[i], promises.payee_starts[i + 1]):
        kind, paid_by = promises.kind[c], promises.payer[c] * groups + promises.group[c]
        if kind == ON_CLAIMS:
            for lane in range(width):
                covered[lane] = 0.0
            for k in range(promises.cover_starts[c], promises.cover_starts[c + 1]):
                for lane in range(width):
                    covered[lane] += promises.cover_amount[k] * block.lost[promises.cover_slot[k], lane]
            _called(promises, c, block, covered, network.owed[promises.payer[c]])
        elif kind == ON_SHORTFALL:
            if not copied:  # before any support: each covers its own part of what is missing
                for lane in range(width):
                    shortfall[lane] = -row[lane]
                copied = True
            _called(promises, c, block, shortfall, network.owed[promises.payer[c]])
        for lane in range(width):
            kept = block.due[c, lane] * (1.0 - block.lost[paid_by, lane])
            row[lane] += kept - block.due[c, lane] if kind == UNSETTLED else kept
    if copied:
        for lane in range(width):
            missing = -row[lane]
            if 0.0 < missing <= WHOLE * (shortfall[lane] + network.owed[i]):
                row[lane] = 0.0
    for k in range(promises.payer_starts[i], promises.payer_starts[i + 1]):
        c = promises.of_payer[k]
        if promises.kind[c] != UNSETTLED:
            for lane in range(width):
                row[lane] -= block.due[c, lane]


@inner
def promised_by_rank(network, promises, i, block):
    """Obligations of i under promises: of each group's own rank (extra) and of later ranks (behind), in every lane."""
    groups, width = len(network.code), len(block.row)
    for g in range(groups):
        for lane in range(width):
            block.extra[g, lane] = block.behind[g, lane] = 0.0
    for k in range(promises.payer_starts[i], promises.payer_starts[i + 1]):
        c = promises.of_payer[k]
        for g in range(groups):
            for lane in range(width):
                if network.rank[g] == promises.rank[c]:
                    block.extra[g, lane] += block.due[c, lane]
                elif network.rank[g] < promises.rank[c]:
                    block.behind[g, lane] += block.due[c, lane]


@inner
def share_with_promises(network, promises, i, g, block, share):
    """Share that creditors of group g lose on i where what is promised comes on top of the other obligations."""
    for lane in range(len(share)):
        equity, extra, behind = block.row[lane], block.extra[g, lane], block.behind[g, lane]
        here, junior = network.rank_owed[i, g] + extra, network.junior[i, g] + behind
        inverse = 1.0 / here if here > 0.0 else 0.0
        if network.code[g] == CLEARING:
            share[lane] = clearing(equity, junior, inverse)
        else:
            assets, owed = block.base[i, lane] + network.beyond[i], network.owed[i]
            for k in range(promises.payer_starts[i], promises.payer_starts[i + 1]):
                owed += block.due[promises.of_payer[k], lane]
            share[lane] = default_costs(equity, junior, inverse, owed, assets, network.first[g], network.second[g])
