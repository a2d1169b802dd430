"""conftest.py - SQLAlchemy's plugin, which runs its dialect suite in a pytest of its own.

SHARDD_MODE=forced: tables get comments for shardd. SHARDD_COUNT names a file that gets a
line for each table made: sharded, other, or no key (it has no primary key).
"""
import os

import pytest
from sqlalchemy import String, UniqueConstraint, event
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateTable, Table
from sqlalchemy.types import Integer

pytest.register_assert_rewrite("sqlalchemy.testing.assertions")

from sqlalchemy.testing.plugin.pytestplugin import *  # noqa: E402,F401,F403


def is_parent(table):
    return any(f.column.table is table for t in table.metadata.tables.values() if t is not table
               for f in t.foreign_keys if f.column.table is table)


def refers_to_itself(table):
    return any(f.column.table is table for f in table.foreign_keys)


def key_of(table):
    """A column that all unique keys have, or None."""
    unique = [set(c.columns) for c in table.constraints if isinstance(c, UniqueConstraint)]
    unique += [set(i.columns) for i in table.indexes if i.unique]
    for column in table.primary_key.columns:
        if isinstance(column.type, (Integer, String)) and all(column in u for u in unique):
            return column.name
    return None


def wish(table):
    """Parents are copied everywhere, so that children may lie anywhere."""
    if "TEMPORARY" in table._prefixes or table.comment or not list(table.primary_key.columns):
        return ""
    key = key_of(table)
    if key is None or is_parent(table) or refers_to_itself(table):
        return " COMMENT 'shardd: reference'"
    return f" COMMENT 'shardd: key({key})'"


if os.environ.get("SHARDD_MODE") == "forced":
    @compiles(CreateTable, "mysql", "mariadb")
    def with_comment(create, compiler, **more):
        return compiler.visit_create_table(create, **more).rstrip() + wish(create.element)


if "SHARDD_COUNT" in os.environ:
    @event.listens_for(Table, "after_create")
    def count(table, connection, **_):
        if "TEMPORARY" in table._prefixes:
            return
        name = connection.dialect.identifier_preparer.format_table(table)
        plan = connection.exec_driver_sql(f"EXPLAIN SHARDD SELECT 1 FROM {name}"
                                          .replace("%", "%%")).fetchone()
        kind = "sharded" if plan[0].startswith("scatter") else "other"
        if not list(table.primary_key.columns):
            kind = "no key"
        with open(os.environ["SHARDD_COUNT"], "a", encoding="utf-8") as file:
            file.write(kind + "\n")
