"""The cheapest money that holds a tail limit under clearing: capital before the shock, a fund after it, whole rescues."""

from poundlock.risk.rescue.rescue import Rescue, cheapest_fund, cheapest_injection, cheapest_rescues

__all__ = ["Rescue", "cheapest_fund", "cheapest_injection", "cheapest_rescues"]
