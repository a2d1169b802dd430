"""conftest.py - SQLAlchemy's plugin, which runs its dialect suite in a pytest of its own."""
import os

import pytest
import sqlalchemy
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateTable

pytest.register_assert_rewrite("sqlalchemy.testing.assertions")

from sqlalchemy.testing.plugin.pytestplugin import *  # noqa: E402,F401,F403
