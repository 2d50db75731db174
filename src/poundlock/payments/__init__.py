"""Payment records of a market: a ledger of one file a day, indicators written once for a laptop and a cluster, netting, and what is wrong with the data."""
