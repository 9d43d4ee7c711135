"""The studies of paper A hold what the paper prints, large and small."""

import argparse
import collections
import csv
import functools
import itertools

import pytest

from codelaw import accounting
from codelaw.cli import gin_config
from codelaw.cli import study
from codelaw.cli import train
from codelaw.planning import ladder
from codelaw.studies import sweep
from codelaw.train import topology

ROOT = gin_config.config_root()
FOLDER = 'studies/paper_a'
LANGUAGES = {
  'Python': 'python', 'Java': 'java', 'JavaScript': 'javascript',
  'TypeScript': 'typescript', 'C#': 'c-sharp', 'Go': 'go', 'Rust': 'rust',
}  # fmt: skip
# What makes each study small.
SMALL = {
  'single_languages': 'laptop',
  'single_languages_branches': 'laptop',
  'bilingual': 'laptop_bilingual',
  'allocation': 'laptop_allocation',
  'pairing': 'laptop_pairing',
}
SEEN = [
  direction
  for other in ('java', 'javascript', 'typescript', 'csharp', 'go', 'rust')
  for direction in (f'python-{other}', f'{other}-python')
]


def _load(entry, parts, *files, bindings=()):
  args = argparse.Namespace(
    gin_file=list(files), gin_search_paths=[], gin_bindings=list(bindings)
  )
  return gin_config.load(args, entry, parts)


@functools.cache
def _study(name, *more):
  files = [f'{FOLDER}/{file}.gin' for file in (name, *more)]
  return _load(sweep.StudyPlan, study.PARTS, *files)


@functools.cache
def _runs(*names):
  return sweep.planned_runs(_study(*names))


def _reference(name):
  file = ROOT.parent / 'codelaw' / 'reference' / f'{name}.csv'
  return list(csv.DictReader(file.read_text().splitlines()))


def _billions(plan):
  return accounting.num_params_no_embed(plan.model) / 1e9


def _only(plan):
  (stage,) = plan.schedule.stages
  return stage.mixture.shares()


def test_single_languages_are_the_420_printed_runs():
  printed = _reference('code_law_runs')
  runs = _runs('single_languages')
  assert len(runs) == len(printed) == 420
  sizes = sorted({float(row['params_billions']) for row in printed})
  counts = sorted({_billions(run.plan) for run in runs})
  # Printed with three or four digits, at which the shapes were aimed.
  assert counts == pytest.approx(sizes, rel=3e-4)
  size_of = dict(zip(counts, sizes, strict=True))
  assert {
    (
      *_only(run.plan),
      size_of[_billions(run.plan)],
      run.plan.num_tokens / 1e9,
    )
    for run in runs
  } == {
    (
      f'code/{LANGUAGES[row["language"]]}',
      float(row['params_billions']),
      float(row['tokens_billions']),
    )
    for row in printed
  }
  assert set(_study('single_languages').target_sources) == {
    f'code/{name}' for name in LANGUAGES.values()
  }


def test_branches_are_the_same_points_for_less():
  whole = _runs('single_languages')
  runs = _runs('single_languages_branches')
  branches = [run for run in runs if run.plan.initial is not None]
  trunks = [run for run in runs if run.plan.initial is None]
  assert (len(trunks), len(branches)) == (70, 420)

  def points(of):
    return {
      (run.plan.model, run.plan.num_tokens, *run.plan.schedule.sources)
      for run in of
    }

  assert points(branches) == points(whole)
  own = sum(run.plan.num_tokens for run in trunks)
  for run in branches:
    plan = run.plan
    own += (plan.num_steps - plan.initial.step) * plan.tokens_per_step
  saving = 1 - own / sum(run.plan.num_tokens for run in whole)
  assert saving == pytest.approx(0.394, abs=5e-4)
  # As single_languages_branches.gin says.
  by_hand = 1 - (0.8 * 64 + 0.2 * (2 + 4 + 8 + 16 + 32 + 64)) / 126
  assert saving == pytest.approx(by_hand, rel=1e-3)  # Whole batches.


def test_bilingual_are_21_pairs_and_7_repetitions_of_128b_tokens():
  runs = _runs('bilingual')
  printed = _reference('synergy_pairs')
  assert {run.plan.num_tokens for run in runs} == {128e9}
  assert len(runs) == 28
  assert {frozenset(_only(run.plan)) for run in runs} == {
    frozenset(f'code/{LANGUAGES[row[key]]}' for key in ('target', 'auxiliary'))
    for row in printed
  }
  shares = collections.Counter(
    share for run in runs for share in _only(run.plan).values()
  )
  assert shares == {1.0: 7, 0.5: 42}


def test_the_size_of_bilingual_is_what_the_papers_own_numbers_point_to():
  (model,) = {run.plan.model for run in _runs('bilingual')}
  laws = {row['language']: row for row in _reference('law_parameters')}

  def gap(language, size, printed):
    law = {
      key.removeprefix('surface_'): float(value)
      for key, value in laws[language].items()
      if key.startswith('surface_')
    }
    loss = (
      law['a'] * size ** -law['alpha_n']
      + law['b'] * 128 ** -law['alpha_d']
      + law['l_inf']
    )
    return abs(loss - printed)

  sizes = sorted(
    {float(row['params_billions']) for row in _reference('code_law_runs')}
  )
  close = {
    size: sum(
      gap(row['target'], size, float(row['loss_nats_per_token'])) < 0.02
      for row in _reference('synergy_pairs')
      if row['target'] == row['auxiliary']
    )
    for size in sizes
  }
  assert close[0.2014] == 6
  assert close[0.0944] == 1
  assert max(close, key=close.get) == 0.2014
  assert accounting.num_params_no_embed(model) / 1e9 == pytest.approx(
    0.2014, rel=3e-4
  )


def test_pairing_is_three_strategies_at_five_sizes():
  runs = _runs('pairing')
  assert {run.plan.num_tokens for run in runs} == {10**12}
  labels = (0.2, 0.5, 1.5, 3, 7)
  sizes = sorted({_billions(run.plan) for run in runs})
  # Labels of one or two digits.
  assert sizes == pytest.approx(labels, rel=0.02)
  assert sorted(run.variants for run in runs) == sorted(
    (name,) for name in ('shuffled', 'direct', 'prompt') for _ in labels
  )
  for run in runs:
    (strategy,) = run.variants
    tokens = {source: share * 1000 for source, share in _only(run.plan).items()}
    assert tokens.pop('text/fineweb-edu') == pytest.approx(100)
    assert tokens == pytest.approx(
      {f'parallel/{strategy}/{direction}': 75 for direction in SEEN}
    )


def test_allocation_is_the_printed_optimum_against_uniform_rates():
  runs = _runs('allocation')
  assert {run.plan.num_tokens for run in runs} == {400 * 10**9}
  assert [_billions(run.plan) for run in runs] == pytest.approx(
    [1.5] * 2, rel=0.02
  )
  shares = {run.variants: _only(run.plan) for run in runs}
  assert len(shares) == 2
  for name in ('uniform', 'optimized'):
    tokens = {source: share * 400 for source, share in shares[(name,)].items()}
    assert tokens.pop('text/fineweb-edu') == pytest.approx(50)
    assert sum(tokens.values()) == pytest.approx(350)
    assert tokens == pytest.approx({
      f'code/{LANGUAGES[row["language"]]}': float(
        row[f'{name}_tokens_billions']
      )
      for row in _reference('token_allocation')
    })  # fmt: skip


@functools.cache
def _pods(chips):
  bindings = ("SHARDS_DIR = 's'", "MODEL_DIR = 'm'")
  return [
    _load(
      train.TrainSettings, train.PARTS, f'pods/{file.name}', bindings=bindings
    )
    for file in (ROOT / 'pods').glob(f'sequential_*_v5e_{chips}.gin')
  ]


@pytest.mark.parametrize('name', SMALL)
def test_each_run_divides_its_slice_as_its_pod_run_does(name):
  found = _study(name)
  for run in _runs(name):
    chosen = sweep.slice_of(found, run.plan)
    chips = topology.num_chips(chosen.topology)
    data, fsdp, _ = chosen.execution.mesh.sizes(chips)
    rows = data * fsdp * chosen.execution.microbatches
    assert run.plan.batch_size % rows == 0
  for chosen in found.slices:
    chips = topology.num_chips(chosen.topology)
    pods = _pods(chips)
    (pod,) = (pod for pod in pods if pod.plan.model == chosen.model)
    assert pod.execution == chosen.execution


@pytest.mark.parametrize(('name', 'small'), SMALL.items())
def test_small_studies_have_the_same_runs(name, small):
  meant = _runs(name)
  found = _study(name, small)
  runs = _runs(name, small)
  assert len(runs) == len(meant)
  factor = found.scale.tokens
  assert sorted(run.plan.num_tokens for run in runs) == pytest.approx(
    sorted(run.plan.num_tokens * factor for run in meant), rel=0.07
  )  # Whole batches: a trunk's checkpoints are at whole steps.
  assert {tuple(run.plan.schedule.sources) for run in runs} == {
    tuple(run.plan.schedule.sources) for run in meant
  }
  known = {
    source for reader in found.corpus.readers for source in
    reader.source_names()
  }  # fmt: skip
  for run in runs:
    assert set(run.plan.schedule.sources) <= known
    assert sweep.slice_of(found, run.plan) is None
    assert run.plan.sequence_length == found.shards.sequence_length
    assert accounting.num_params(run.plan.model) < 1e6


def test_the_rules_give_one_batch_to_all_branches_of_a_trunk():
  rule = _study('single_languages_branches').sizing
  assert isinstance(rule, ladder.DeepSeekSizing)
  runs = _runs('single_languages_branches')
  by_model = itertools.groupby(
    sorted(runs, key=lambda run: accounting.num_params(run.plan.model)),
    key=lambda run: run.plan.model,
  )
  for _, group in by_model:
    plans = [run.plan for run in group]
    assert len({plan.batch_size for plan in plans}) == 1
    assert len({plan.optimizer for plan in plans}) == 1
