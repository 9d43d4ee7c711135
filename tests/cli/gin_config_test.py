import argparse
import dataclasses
import pathlib

import pytest

from codelaw import errors
from codelaw import records
from codelaw.cli import gin_config


@dataclasses.dataclass(frozen=True)
class BorderTestEntry:
  schedule: records.Schedule
  folder: str
  limit: int = 3


def border_test_sum(one, two):
  return one + two


PARTS = (records.Schedule, records.Stage, records.MixtureRates)
TEXT = """
include 'part.gin'
FOLDER = %gin.REQUIRED
BorderTestEntry.schedule = @Schedule()
BorderTestEntry.folder = %FOLDER
Schedule.stages = [@main/Stage(), @cooldown/Stage()]
main/Stage.name = 'main'
main/Stage.mixture = @main/MixtureRates()
cooldown/Stage.name = 'cooldown'
cooldown/Stage.mixture = @cooldown/MixtureRates()
"""


@pytest.fixture
def load(tmp_path):
  (tmp_path / 'run.gin').write_text(TEXT)
  (tmp_path / 'part.gin').write_text("MixtureRates.rates = {'a': 1}\n")

  def run(*bindings, files=('run.gin',)):
    others, gin_bindings = gin_config.split_bindings(list(bindings))
    assert not others
    args = argparse.Namespace(
      gin_file=[str(tmp_path / f) for f in files],
      gin_search_paths=[str(tmp_path)],
      gin_bindings=gin_bindings,
    )
    return gin_config.load(args, BorderTestEntry, PARTS)

  return run


def test_builds_records_with_scopes_and_overrides(load):
  entry = load("--gin.FOLDER='x'", '--gin.BorderTestEntry.limit', '7')
  assert type(entry) is BorderTestEntry
  assert (entry.folder, entry.limit) == ('x', 7)
  both = load(
    "--gin.FOLDER='x'", "--gin.cooldown/MixtureRates.rates={'b': 1}"
  ).schedule
  assert [s.mixture.shares() for s in both.stages] == [{'a': 1.0}, {'b': 1.0}]


def test_functions_give_values_and_defaults_can_be_replaced(tmp_path):
  (tmp_path / 'run.gin').write_text(TEXT)
  (tmp_path / 'part.gin').write_text("MixtureRates.rates = {'a': 1}\n")
  args = argparse.Namespace(
    gin_file=[str(tmp_path / 'run.gin')],
    gin_search_paths=[str(tmp_path)],
    gin_bindings=["FOLDER = 'x'", 'BorderTestEntry.limit = @border_test_sum()'],
  )
  parts = (*PARTS, border_test_sum)
  defaults = ('border_test_sum.one = 3', "FOLDER = 'replaced'")
  overrides = ('border_test_sum.two = 4', 'NOT_IN_THE_FILES = 1')
  entry = gin_config.load(args, BorderTestEntry, parts, overrides, defaults)
  assert (entry.folder, entry.limit) == ('x', 7)


def test_a_second_load_starts_afresh(load):
  load("--gin.FOLDER='x'", '--gin.BorderTestEntry.limit=7')
  assert load("--gin.FOLDER='x'").limit == 3


@pytest.mark.parametrize(
  ('binding', 'message'),
  [
    ("--gin.cooldwn/MixtureRates.rates={'b': 1}", 'cooldwn/MixtureRates'),
    ('--gin.FODLER=3', 'Nothing uses the gin binding FODLER'),
    ('--gin.MixtureRates.rate={}', "doesn't have a parameter named"),
    ('--gin.MixtureRate.rates={}', 'No configurable matching'),
    ("--gin.MixtureRates.rates={'a': -1}", 'at least 0'),
    ("--gin.MixtureRates.rates={'a': 0}", 'positive, finite sum'),
    ('--gin.FOLDER=here and there', 'does not build'),
  ],
)
def test_mistakes_are_one_sentence(load, binding, message):
  with pytest.raises(errors.UserError, match=message) as caught:
    load("--gin.FOLDER='x'", binding)
  assert '\n' not in str(caught.value)


def test_what_must_be_set_is_named(load):
  with pytest.raises(errors.UserError, match='FOLDER'):
    load()


def test_a_missing_file_is_named(load):
  with pytest.raises(errors.UserError, match='nowhere.gin'):
    load("--gin.FOLDER='x'", files=('nowhere.gin',))


def test_a_flag_without_value_is_named():
  with pytest.raises(errors.UserError, match='--gin.SEED needs a value'):
    gin_config.split_bindings(['--gin.SEED'])


def test_the_config_root_holds_the_shipped_files():
  assert (pathlib.Path(gin_config.config_root()) / 'models').is_dir()
