"""Shards and plans: those of the tests of training."""

from tests.train import conftest as of_training

shards_dir = of_training.shards_dir
make_plan = of_training.make_plan
