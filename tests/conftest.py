"""Fits of planted laws, a finished study, virtual devices."""

import fcntl
import itertools
import json
import os
import shutil

import jax
import numpy as np
import pandas as pd
import pytest

from codelaw import accounting
from codelaw import records
from codelaw import storage
from codelaw.laws import forms
from codelaw.laws import results
from codelaw.laws import synergy
from codelaw.planning import allocation
from codelaw.planning import choosing
from codelaw.planning import confirmation
from codelaw.planning import ladder
from tests import example
from tests.train import virtual_devices

# Nothing goes to the cache folder of the person who runs the tests.
jax.config.update('jax_enable_compilation_cache', False)
os.environ['JAX_ENABLE_COMPILATION_CACHE'] = 'false'

# It registers a class with gin, as a user's module does where it is imported.
collect_ignore = ['cli/own_tasks.py']


def _make_fit(target, estimates, law='transfer', spread=0.0, count=40, seed=0):
  """A `Fit` with these estimates and log-normal bootstrap estimates."""
  generator = np.random.default_rng(seed)
  bootstrap = {
    name: tuple(
      float(value * np.exp(spread * noise))
      for noise in generator.standard_normal(count if spread else 0)
    )
    for name, value in estimates.items()
  }
  intervals = {
    name: (
      tuple(float(end) for end in np.percentile(values, [5, 95]))
      if values
      else (estimates[name],) * 2
    )
    for name, values in bootstrap.items()
  }
  fit = results.Fit(
    law=law,
    target=target,
    group='',
    estimates=estimates,
    intervals=intervals,
    interval_level=0.9,
    objective=0.001,
    objective_name='log_huber',
    num_points=24,
    num_starts=500,
    num_starts_at_optimum=431,
    converged=True,
    termination='converged',
    diagnostics={
      'rmse': 0.01,
      'r2': 0.995,
      'mean_relative_error': 0.002,
      'extrapolation_mean_relative_error': 0.006,
      'condition_number': 250.0,
      'at_bound': [],
      'warnings': [],
    },
    units={name: '1' for name in estimates},
    table_fingerprint='0123456789abcdef',
    codelaw_version='0.1.0',
    bootstrap_estimates=bootstrap,
  )
  assert set(forms.law_of(fit).parameters) == set(estimates)
  return fit


@pytest.fixture(scope='session')
def make_fit():
  """(target, estimates, law='transfer', spread=0, count=40, seed=0) -> Fit."""
  return _make_fit


_SOURCES = {
  # source: E, A, B of its planted law (alpha 0.35, beta 0.4).
  'code/c_cpp': (0.9, 60.0, 330.0),
  'code/javascript': (1.0, 55.0, 420.0),
  'code/python': (0.8, 62.0, 380.0),
  'markup': (1.2, 66.0, 300.0),
  'synthetic/python': (0.3, 30.0, 90.0),
}
# What a token of one source is worth to another: code to code most.
_TAU = {('code', 'code'): 0.3, ('synthetic', 'code'): 0.12}


def _planted():
  laws = {}
  for source, (E, A, B) in _SOURCES.items():
    taus = {
      f'tau/{other}': _TAU.get(
        (other.partition('/')[0], source.partition('/')[0]), 0.03
      )
      for other in _SOURCES
      if other != source
    }
    laws[source] = {'E': E, 'A': A, 'B': B, 'alpha': 0.35, 'beta': 0.4, **taus}
  return laws


def _losses(fits, size, tokens, rates, generator):
  columns = {'num_params': float(size), 'num_tokens': float(tokens)}
  columns |= {f'share/{s}': rates.get(s, 0.0) for s in _SOURCES}
  return {
    fit.target: float(
      np.asarray(forms.law_of(fit).predict(fit.estimates, columns))[0]
      * np.exp(0.004 * generator.standard_normal())
    )
    for fit in fits
  }


def _designs(allocated):
  """Yields (purpose, num_params, num_tokens, rates, seed) of every run."""
  for source in _SOURCES:
    for size in (20_000, 100_000, 500_000):
      for tokens in (500_000, 2_000_000, 8_000_000):
        yield 'single', size, tokens, {source: 1.0}, 0
  for target, other in itertools.combinations(_SOURCES, 2):
    yield 'pair', 100_000, 4_000_000, {target: 0.5, other: 0.5}, 0
  for source in _SOURCES:
    for seed in (1, 2):  # Their spread is the noise of a run.
      yield 'pair', 100_000, 4_000_000, {source: 1.0}, seed
  generator = np.random.default_rng(1)
  for seed in range(8):
    shares = generator.dirichlet(np.ones(len(_SOURCES)))
    yield (
      'mixture',
      100_000,
      4_000_000,
      dict(zip(_SOURCES, shares.tolist(), strict=True)),
      seed,
    )
  for rates in (allocated.uniform_rates, allocated.rates):
    for seed in (1, 2, 3):
      yield 'confirm', 500_000, 8_000_000, rates, seed


def _write_study(root):
  """A study's folder, computed from planted laws with noise of 0.4%."""
  generator = np.random.default_rng(0)
  with jax.enable_x64(True):
    mixture = [
      _make_fit(f'loss/{source}', estimates, spread=0.004, seed=seed)
      for seed, (source, estimates) in enumerate(_planted().items())
    ]
    single = [
      _make_fit(
        fit.target,
        {
          name: fit.estimates[name] for name in ('E', 'A', 'B', 'alpha', 'beta')
        },
        law='chinchilla',
        spread=0.004,
      )
      for fit in mixture
    ]
    results.write(root / 'fits' / 'fit.json', single)
    results.write(root / 'fits' / 'mixture' / 'fit.json', mixture)
    allocated = choosing.allocate(
      mixture,
      num_params=500_000,
      num_tokens=8_000_000,
      supply={'synthetic/python': 2e5},
      ranges={'num_params': (2e4, 5e5), 'num_tokens': (5e5, 4e6)},
    )
    rows, runs, arms = [], [], {}
    for purpose, size, tokens, rates, seed in _designs(allocated):
      plan = records.RunPlan(
        model=accounting.ModelShape(256, 16, 2, 2, 8, 32),
        schedule=records.Schedule(
          stages=(records.Stage('main', records.MixtureRates(rates)),)
        ),
        optimizer=records.OptimizerSettings(peak_learning_rate=0.01),
        shards_dir='shards',
        num_tokens=tokens,
        sequence_length=64,
        batch_size=8,
        seed=seed,
      )
      name = ladder.run_id(purpose, f'{size // 1000}k', plan)
      losses = _losses(mixture, size, tokens, rates, generator)
      planned = {s: round(tokens * r) for s, r in rates.items() if r}
      records.write_run_record(
        root / 'runs' / name,
        records.RunRecord(
          run_id=name,
          plan=plan,
          status='finished',
          step=plan.num_steps,
          num_params=size,
          num_params_no_embed=size // 2,
          params_by_group={'all': size},
          train_flops=6.0 * size * tokens,
          flops_convention='6ND',
          planned_tokens=planned,
          realised_tokens=planned,
          stage_end_steps={'main': plan.num_steps},
          manifest_fingerprint='aaaa',
          tokenizer_fingerprint='bbbb',
          code_revision='cccc',
          package_versions={'jax': '0'},
          hardware={'device': 'cpu'},
          wall_seconds=30.0,
        ),
      )
      rows.append(
        {
          'run_id': name,
          'num_params': size,
          'num_tokens': tokens,
          'train_flops': 6.0 * size * tokens,
          'is_final': True,
          'seed': seed,
          **{f'share/{s}': rates.get(s, 0.0) for s in _SOURCES},
          **losses,
        }
      )
      runs.append({'run_id': name, 'purpose': purpose})
      if purpose == 'confirm':
        arm = 'uniform' if rates == allocated.uniform_rates else 'allocated'
        mean = float(np.mean(list(losses.values())))
        arms.setdefault(arm, []).append(
          confirmation.ArmRun(name, seed, mean, losses)
        )
  table = pd.DataFrame(rows)
  table.to_csv(root / 'runs.csv', index=False)
  synergy.write(root / 'synergy.json', synergy.matrix(table))
  storage.write_json(root / 'allocation.json', allocation.to_json(allocated))
  storage.write_json(
    root / 'confirmation.json',
    confirmation.to_json(
      confirmation.paired_difference(
        arms['uniform'],
        arms['allocated'],
        num_params=500_000,
        num_tokens=8_000_000,
        predicted_difference=-allocated.gain,
        predicted_interval=(-allocated.gain_high, -allocated.gain_low),
      )
    ),
  )
  storage.write_json(
    root / 'study.json',
    {
      'name': 'planted',
      'runs': runs,
      'mixture_gin': 'generated/planted_mixture.gin',
      'run_gin': 'generated/planted_run.gin',
      'corpus_fingerprint': 'dddd',
    },
  )
  return root


@pytest.fixture(scope='session')
def study(tmp_path_factory):
  """Folder of a whole study made from planted laws; do not change it."""
  return _write_study(tmp_path_factory.mktemp('planted'))


@pytest.fixture(scope='session')
def finished(tmp_path_factory):
  """A study that `codelaw study` ran; do not change its folder.

  The workers of one test run share it: the first makes it, others wait.
  """
  base = tmp_path_factory.getbasetemp()
  if 'PYTEST_XDIST_WORKER' in os.environ:
    base = base.parent
  folder, outcome = base / 'example', base / 'example.json'
  with open(base / 'example.lock', 'w') as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    if not outcome.exists():
      folder.mkdir()
      done = example.finish(folder)
      outcome.write_text(json.dumps([done.stderr, done.stdout, done.seconds]))
  return example.Finished(folder, *json.loads(outcome.read_text()))


@pytest.fixture
def example_copy(finished, tmp_path, monkeypatch):
  """A copy of the finished study that a test may change, as working folder."""
  folder = tmp_path / 'example'
  shutil.copytree(finished.folder, folder)
  monkeypatch.chdir(folder)
  return folder


@pytest.fixture(scope='session')
def on_eight_devices():
  """Runs a function of a module where there are eight virtual CPU devices."""
  with virtual_devices.process() as call:
    yield call
