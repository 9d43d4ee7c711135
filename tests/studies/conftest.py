"""Shards and plans, those of the tests of training; a study played by hand."""

import pytest

from tests.studies import submitted
from tests.train import conftest as of_training

shards_dir = of_training.shards_dir
make_plan = of_training.make_plan


@pytest.fixture
def played(tmp_path):
  return submitted.Played(tmp_path)
