"""test_suite.py - the tests themselves come with SQLAlchemy."""
from sqlalchemy.testing.suite import *  # noqa: F401,F403
