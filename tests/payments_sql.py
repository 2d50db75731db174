"""Hand-written DuckDB SQL for every partial and indicator of the ledger: the oracle that the expressions and kernels are held against."""

ACTIVITY = """
SELECT payer_institution, payer_region, platform, count(*) AS payments, sum(amount)::BIGINT AS value
FROM read_parquet('{file}') WHERE status = 'settled' GROUP BY ALL ORDER BY ALL"""

RECEIVED = """
SELECT payee_institution, payee_region, platform, count(*) AS payments, sum(amount)::BIGINT AS value
FROM read_parquet('{file}') WHERE status = 'settled' GROUP BY ALL ORDER BY ALL"""

REGION_FLOWS = """
SELECT payer_region, payee_region, count(*) AS payments, sum(amount)::BIGINT AS value
FROM read_parquet('{file}') WHERE status = 'settled' GROUP BY ALL ORDER BY ALL"""

INSTITUTION_FLOWS = """
SELECT payer_institution, payee_institution, count(*) AS payments, sum(amount)::BIGINT AS value
FROM read_parquet('{file}') WHERE status = 'settled' GROUP BY ALL ORDER BY ALL"""

MINUTE = "greatest(0, least(1439, date_diff('minute', TIMESTAMPTZ '{day} 00:00:00+00', time_bucket(INTERVAL 1 MINUTE, time))))"

MINUTES = f"""
WITH settled AS (SELECT *, {MINUTE} AS minute FROM read_parquet('{{file}}') WHERE status = 'settled'),
sides AS (
  SELECT minute, payer_institution AS institution, 1 AS s, amount AS vs, 0 AS r, 0 AS vr FROM settled
  UNION ALL SELECT minute, payee_institution, 0, 0, 1, amount FROM settled)
SELECT minute::BIGINT AS minute, institution, sum(s)::BIGINT AS payments_sent, sum(vs)::BIGINT AS value_sent,
  sum(r)::BIGINT AS payments_received, sum(vr)::BIGINT AS value_received
FROM sides GROUP BY ALL ORDER BY ALL"""

PAIRS = f"""
SELECT ({MINUTE})::BIGINT AS minute, payer_institution, payee_institution, sum(amount)::BIGINT AS value
FROM read_parquet('{{file}}') WHERE status = 'settled' GROUP BY ALL ORDER BY ALL"""

_SUMS = """count(*) AS records, sum(amount)::BIGINT AS value, count(*) FILTER (status = 'settled') AS settled_records,
  coalesce(sum(amount) FILTER (status = 'settled'), 0)::BIGINT AS settled_value"""
_NAMES = "payer_institution, payee_institution, payer_region, payee_region, platform"
_START, _END = "TIMESTAMPTZ '{day} 00:00:00+00'", "TIMESTAMPTZ '{day} 00:00:00+00' + INTERVAL 24 HOUR"

ODD = f"""
SELECT ({MINUTE})::BIGINT AS minute,
  CASE WHEN amount < 0 THEN 'negative' WHEN amount = 0 THEN 'zero' ELSE '' END AS amount_kind,
  CASE WHEN time < {_START} THEN 'late' WHEN time >= {_END} THEN 'impossible' ELSE '' END AS time_kind, {_NAMES}, {_SUMS}
FROM read_parquet('{{file}}') WHERE amount <= 0 OR time < {_START} OR time >= {_END} GROUP BY ALL ORDER BY ALL"""

COPIED = f"""
WITH sound AS (SELECT * FROM read_parquet('{{file}}') WHERE amount > 0 AND time >= {_START} AND time < {_END}),
variants AS (SELECT COLUMNS(*), count(*) AS copies FROM sound GROUP BY ALL),
placed AS (
  SELECT *, row_number() OVER (PARTITION BY record_id ORDER BY time, amount, payer_institution, payee_institution, payer_region, payee_region,
      platform, channel, currency, status) AS place FROM variants),
surplus AS (
  SELECT *, 'duplicate' AS kind, unnest(range(copies - 1)) FROM placed WHERE copies > 1
  UNION ALL SELECT *, 'conflict', 0 FROM placed WHERE place > 1)
SELECT ({MINUTE})::BIGINT AS minute, kind, {_NAMES}, {_SUMS}
FROM surplus GROUP BY ALL ORDER BY ALL"""

BY_NAME = {
    "activity": ACTIVITY,
    "received": RECEIVED,
    "region-flows": REGION_FLOWS,
    "institution-flows": INSTITUTION_FLOWS,
    "minutes": MINUTES,
    "pairs": PAIRS,
    "odd-records": ODD,
    "copied-records": COPIED,
}
"""By the name of the partial; {file} and {day} are filled in."""

SHARES_BY_MONTH = """
SELECT strftime(day, '%Y-%m') AS month, platform, sum(amount)::BIGINT AS value,
  sum(amount) / sum(sum(amount)) OVER (PARTITION BY strftime(day, '%Y-%m')) AS share
FROM ledger WHERE status = 'settled' GROUP BY ALL ORDER BY ALL"""
