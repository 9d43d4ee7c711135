"""The confirmation of a study whose runs an engine trains."""

import argparse
import dataclasses
import json
import pathlib
import shutil

import pytest

from codelaw import records
from codelaw.cli import gin_config
from codelaw.cli import main
from codelaw.cli import study as study_verb
from codelaw.cli import train
from codelaw.studies import study as study_lib
from codelaw.studies import sweep
from tests import example
from tests.studies import submitted


@dataclasses.dataclass
class Engine(submitted.Engine):
  """Trains what it was trained before: copies of a finished study's runs.

  Attributes:
    finished: folder of that study.
    plans: run id -> what its job was told to train.
  """

  finished: pathlib.Path = pathlib.Path()
  plans: dict = dataclasses.field(default_factory=dict)

  def commands(self, job):
    super().commands(job)
    *_, flag = job.command
    args = argparse.Namespace(
      gin_file=[flag.removeprefix('--gin_file=')],
      gin_search_paths=[],
      gin_bindings=[],
    )
    (settings,) = train.load(args)
    place = pathlib.Path(settings.model_dir)
    shutil.copytree(self.finished / place.parent.name / place.name, place)
    self.plans[place.name] = settings.plan
    self.put(job.name, 'finished')
    return ()


@pytest.fixture
def study(finished, example_copy):
  """The finished study before its confirmation, with an engine."""
  folder = example_copy / example.STUDY
  shutil.rmtree(folder / 'confirmation')
  (folder / 'confirmation.json').unlink()
  flags = [
    flag.replace("'results", f"'{example_copy}/results")
    for flag in example.FLAGS
  ]
  others, bindings = gin_config.split_bindings(flags)
  args = main.build_parser('study').parse_args(others)
  args.gin_bindings = bindings
  plan = study_verb.load(args)
  models = {plan.run.model, *(r.plan.model for r in sweep.planned_runs(plan))}
  return dataclasses.replace(
    plan,
    engine=Engine(finished=finished.study),
    slices=[sweep.Slice(model, submitted.TOPOLOGY) for model in models],
    max_jobs=3,
    poll_seconds=0.0,
  )


@pytest.mark.slow
def test_its_runs_are_jobs_and_it_ends_like_the_local_one(study, finished):
  root = study.root
  for jobs in (3, 4):  # as many as may hold a slice, and what is left
    assert study_lib.run(study, 'command', lambda *_: None, once=True) is None
    assert len(study.engine.log) == jobs
    assert not (root / 'confirmation.json').exists()
  outcome = study_lib.run(study, 'command', lambda *_: None, once=False)
  assert {verb for verb, _ in study.engine.log} == {'submit'}
  there = {file.name for file in (finished.study / 'confirmation').iterdir()}
  assert {*study.engine.plans, 'runs.csv'} == there
  for run_id, plan in study.engine.plans.items():
    record = records.read_run_record(finished.study / 'confirmation' / run_id)
    assert (
      dataclasses.replace(plan, shards_dir=record.plan.shards_dir)
      == record.plan
    )
  assert outcome.confirmation is not None
  for name in ('confirmation.json', 'confirmation/runs.csv'):
    assert (root / name).read_bytes() == (finished.study / name).read_bytes()
  histories = json.loads((root / 'jobs.json').read_text())['runs']
  for run_id in study.engine.plans:
    assert [a['ended'] for a in histories[run_id]['attempts']] == ['finished']
