"""The studies of paper B train what the paper says that it trained."""

import argparse
import csv
import dataclasses
import itertools

import pytest

from codelaw import accounting
from codelaw import records
from codelaw import storage
from codelaw.cli import gin_config
from codelaw.cli import study
from codelaw.cli import train
from codelaw.studies import sweep
from codelaw.train import optimizer

STUDIES = ('variants', 'code_share', 'code_properties', 'cooldown')
REFERENCE = storage.path(records.__file__).parent / 'reference'
# Rows of the paper's Table 2: variant and stage -> variant of ours.
TABLE = {
  ('text_only', 'pretrain'): 'text-only',
  ('text_only', 'cooldown'): 'text-only, cooldown',
  ('balanced_only', 'pretrain'): 'balanced-only',
  ('balanced_only', 'cooldown'): 'balanced-only, cooldown',
  ('balanced_to_text', 'init'): '50% code',
  ('balanced_to_text', 'continue'): 'balanced->text',
  ('balanced_to_text', 'cooldown'): 'balanced->text, cooldown',
  ('code_to_text', 'init'): '100% code',
  ('code_to_text', 'continue'): 'code->text',
  ('code_to_text', 'cooldown'): 'code->text, cooldown',
}


def load(entry, parts, files, bindings=()):
  args = argparse.Namespace(
    gin_file=list(files), gin_search_paths=[], gin_bindings=list(bindings)
  )
  return gin_config.load(args, entry, parts)


def load_study(*names):
  return load(
    sweep.StudyPlan, study.PARTS, [f'studies/paper_b/{n}.gin' for n in names]
  )


@pytest.fixture(scope='module')
def everything():
  return load_study('everything')


@pytest.fixture(scope='module')
def chains(everything):
  """Variant -> the plans of its stages, of the smaller model."""
  runs = {run.run_id: run for run in sweep.planned_runs(everything)}
  small = min(accounting.num_params(r.plan.model) for r in runs.values())
  found = {}
  for run in runs.values():
    if accounting.num_params(run.plan.model) != small:
      continue
    plans = [run.plan]
    while before := sweep.earlier_run_id(plans[0]):
      plans.insert(0, runs[before].plan)
    found |= {name: plans for name in run.variants}
  return found


def shares(plan):
  (stage,) = plan.schedule.stages
  assert stage.end_mixture is None
  return stage.mixture.shares()


def test_stages_have_the_tokens_of_table_2(chains):
  with (REFERENCE / 'code_in_pretraining_scores.csv').open() as file:
    rows = list(csv.DictReader(file))
  assert len(rows) == len(TABLE)
  for row in rows:
    last = chains[TABLE[row['variant'], row['stage']]][-1]
    text = last.num_tokens * shares(last).get('text/web', 0.0)
    assert text / 1e9 == pytest.approx(float(row['text_tokens_billions']))
    assert (last.num_tokens - text) / 1e9 == pytest.approx(
      float(row['code_tokens_billions'])
    )


def test_variants_are_chains_of_the_paper(chains):
  tokens = {
    name: [plan.num_tokens / 1e9 for plan in plans]
    for name, plans in chains.items()
  }
  for name in ('text-only', 'balanced-only'):
    assert tokens[name] == [400]
    assert tokens[f'{name}, cooldown'] == [400, 40]
  for name in ('balanced->text', 'code->text', 'balanced+synth->text'):
    assert tokens[name] == [200, 200]
    assert tokens[f'{name}, cooldown'] == [200, 200, 40]
    assert chains[f'{name}, cooldown'][:2] == chains[name]
  assert tokens['no cooldown'] == [200, 200]
  for name in ('cooldown without code', 'cooldown with code'):
    assert tokens[name] == [200, 200, 40]
    assert chains[name][:2] == chains['no cooldown']
  assert shares(chains['code->text'][0]) == pytest.approx(
    {'code/web': 0.8, 'markup/web': 0.2}
  )
  assert shares(chains['cooldown without code'][-1]) == {'text/web': 1}


def test_synthetic_code_takes_the_place_of_web_code_in_the_init_alone(chains):
  with_it, without = (
    chains[name] for name in ('balanced+synth->text', 'balanced->text')
  )
  init, other = shares(with_it[0]), shares(without[0])
  assert init['synthetic/python'] == pytest.approx(0.1 * 0.5)
  assert init['text/web'] == other['text/web'] == pytest.approx(0.5)
  assert init['markup/web'] == pytest.approx(other['markup/web'])
  assert shares(with_it[1]) == shares(without[1])


def test_the_share_of_code_is_swept(chains):
  found = {
    name: plans for name, plans in chains.items() if name.endswith('% code')
  }
  assert set(found) == {f'{share}% code' for share in (0, 25, 50, 75, 90, 100)}
  for name, (plan,) in found.items():
    code = 1 - shares(plan).get('text/web', 0.0)
    assert plan.num_tokens == 200e9
    assert code == pytest.approx(int(name.partition('%')[0]) / 100)
    assert shares(plan).get('markup/web', 0.0) == pytest.approx(code / 5)


def test_parts_of_the_web_code_are_replaced(chains):
  with (REFERENCE / 'code_source_claims.csv').open() as file:
    replaced = {
      row['source']: float(row['replaced_percent']) / 100
      for row in csv.DictReader(file)
    }
  assert shares(chains['web code'][0]) == {'code/web': 1}
  for kind, share in replaced.items():
    (plan,) = chains[f'web code + {kind}']
    assert plan.num_tokens == 200e9
    assert shares(plan)['code/web'] == pytest.approx(1 - share)
  adjacent = shares(chains['web code + adjacent'][0])
  for source in ('commits', 'stackexchange', 'notebooks'):
    assert adjacent[source] == pytest.approx(0.05)


def test_learning_rates_go_on_from_stage_to_stage(chains):
  plans = chains['balanced->text, cooldown']
  assert [plan.num_steps for plan in plans] == [47_684, 47_684, 9_537]
  first = [optimizer.learning_rate(p, 0) for p in plans]
  last = [optimizer.learning_rate(p, p.num_steps - 1) for p in plans]
  assert first == pytest.approx([1e-3 * 0.5 / 1325, 3e-4, 3e-4], rel=1e-4)
  # One step before the end of a cooldown of 9,537.
  assert last == pytest.approx([3e-4, 3e-4, 1e-6], rel=0.04)
  for plan in itertools.chain.from_iterable(chains.values()):
    assert (plan.sequence_length, plan.batch_size) == (8192, 512)
    warmup = 0 if plan.initial else 1325 * plan.tokens_per_step
    assert plan.schedule.warmup_tokens == warmup
    assert plan.initial is None or plan.initial.optimizer_state


def test_stages_launched_by_hand_are_those_of_the_study(chains):
  args = argparse.Namespace(
    gin_file=['models/parallel_470m.gin', 'runs/paper_b/chain.gin'],
    gin_search_paths=[],
    gin_bindings=[
      'MODEL = @parallel_470m/ModelShape()',
      "SHARDS_DIR = 'results/paper_b/shards'",
    ],
  )
  by_hand = [
    dataclasses.replace(r.plan, initial=None) for r in train.load(args)
  ]
  assert by_hand == [
    dataclasses.replace(plan, initial=None, source_max_epochs={})
    for plan in chains['balanced->text, cooldown']
  ]


def test_runs_that_two_studies_have_in_common_are_one(everything):
  alone = {name: sweep.planned_runs(load_study(name)) for name in STUDIES}
  assert {n: len(runs) for n, runs in alone.items()} == {
    'variants': 26,
    'code_share': 12,
    'code_properties': 8,
    'cooldown': 8,
  }
  runs = sweep.planned_runs(everything)
  assert len(runs) == 42
  assert sum(run.plan.num_tokens for run in runs) == 7280e9


def test_the_header_has_the_cost_at_the_paper_s_own_chip_hours(everything):
  hours = 0.0
  for run in sweep.planned_runs(everything):
    small = accounting.num_params(run.plan.model) < 1e9
    if run.plan.num_tokens == 40e9:
      hours += 1024 if small else 13_824 / 5
    else:
      hours += (4736 if small else 13_824) * run.plan.num_tokens / 200e9
  file = gin_config.config_root() / 'studies/paper_b/everything.gin'
  assert f'come to {hours:,.0f}.' in file.read_text()


def test_repetition_beyond_four_epochs_is_the_paper_s_synthetic_code(
  everything,
):
  supply, needed = everything.supply, {}
  runs = {run.run_id: run.plan for run in sweep.planned_runs(everything)}
  for plan in runs.values():
    own, step = {}, plan
    while step:
      for source, share in shares(step).items():
        own[source] = own.get(source, 0.0) + share * step.num_tokens
      step = runs.get(sweep.earlier_run_id(step))
    for source, tokens in own.items():
      needed[source] = max(needed.get(source, 0.0), tokens / supply[source])
  assert set(needed) == set(supply)
  assert needed.pop('synthetic/python') == pytest.approx(6.25)
  assert everything.run.source_max_epochs == {'synthetic/python': 6.5}
  assert max(needed.values()) < 2


@pytest.mark.parametrize('place', [0, 1])
def test_slices_are_those_of_the_pod_runs(everything, place):
  pod = ('parallel_470m_v5e_64', 'parallel_2b8_v5e_256')[place]
  alone = load(
    train.TrainSettings,
    train.PARTS,
    [f'pods/{pod}.gin'],
    ["SHARDS_DIR = 'shards'", "MODEL_DIR = 'run'"],
  )
  found = everything.slices[place]
  assert found.model == alone.plan.model
  assert found.execution == alone.execution
  text = (gin_config.config_root() / f'pods/{pod}.gin').read_text()
  assert f'on {found.topology} (' in text


@pytest.mark.parametrize('name', STUDIES)
def test_a_laptop_trains_the_same_with_small_models(name):
  meant, small = load_study(name), load_study(name, 'laptop')
  seeds = small.experiments[0].seeds
  assert len(sweep.planned_runs(small)) == seeds * len(
    sweep.planned_runs(meant)
  )
  for one, two in zip(meant.experiments, small.experiments, strict=True):
    assert dataclasses.replace(two, seeds=1) == one


def test_a_small_study_may_have_tasks():
  found = load_study('cooldown', 'laptop', 'laptop_tasks')
  assert [task.name for task in found.tasks] == ['code']
  assert not load_study('cooldown', 'laptop').tasks
