import importlib.util
import pathlib

import pytest

import codelaw
from codelaw import records
from codelaw.cli import gin_config
from codelaw.studies import compiled_steps
from tests.studies import planned

FILE = (
  pathlib.Path(codelaw.__file__).parent.parent / 'tools/benchmarks/compile.py'
)


@pytest.fixture
def benchmark(tmp_path, monkeypatch):
  spec = importlib.util.spec_from_file_location('bench_compile', FILE)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  monkeypatch.setattr(gin_config, 'config_root', lambda: tmp_path)
  return module


def _report(**changes):
  report = {
    'plan': records.to_json(planned.run()),
    'execution': records.to_json(planned.EXECUTION),
    'topology': 'v5e:2x4',
    'fits': True,
    'used_bytes': 3 * 2**30,
    'all_overlaps': {'step_seconds': 0.5},
    'nothing_overlaps': {'step_seconds': 0.75},
  }
  return {**report, **changes}


def test_steps_that_were_compiled_are_kept(benchmark, tmp_path):
  benchmark._write(_report())
  bigger = records.to_json(planned.run(batch_size=32))
  benchmark._write(_report(plan=bigger, fits=False, used_bytes=17 * 2**30))
  benchmark._write(_report(used_bytes=4 * 2**30))
  one, other = compiled_steps.read(tmp_path / 'pods' / compiled_steps.FILE_NAME)
  assert one.model == planned.LARGE
  assert (one.batch_size, one.topology) == (16, 'v5e:2x4')
  assert (one.best_seconds, one.worst_seconds) == (0.5, 0.75)
  assert one.hbm_gib == 4
  assert (other.batch_size, other.best_seconds) == (32, None)
  found = compiled_steps.find(
    [one], planned.run(), planned.EXECUTION, 'v5e:2x4'
  )
  assert found == one
