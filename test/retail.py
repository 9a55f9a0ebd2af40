"""Reads clean.events with PyIceberg and Polars at one snapshot and prints rows, customers and revenue of source retail."""

import sys
from decimal import Decimal

import polars as pl
from pyiceberg.catalog.sql import SqlCatalog

data, snapshot = sys.argv[1], int(sys.argv[2])
catalog = SqlCatalog("kith", uri=f"sqlite:///{data}/lake/lake.db", warehouse=f"file://{data}/lake")
table = catalog.load_table("clean.events")


def answer(frame: pl.DataFrame) -> str:
    rows = frame.filter(pl.col("source") == "retail")
    revenue = sum(p * Decimal(q) for p, q in zip(rows["price"], rows["quantity"]) if p is not None and q is not None)
    return f"{rows.height},{rows['user_id'].drop_nulls().n_unique()},{round(revenue)}"


fields = ("source", "user_id", "price", "quantity")
print("pyiceberg", answer(pl.from_arrow(table.scan(selected_fields=fields, snapshot_id=snapshot).to_arrow())))
print("polars", answer(pl.scan_iceberg(table, snapshot_id=snapshot).select(fields).collect()))
