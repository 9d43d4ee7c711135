import pathlib
import re
import subprocess
import sys

import pytest

import codelaw

ROOT = pathlib.Path(codelaw.__file__).parent.parent


def bench(*arguments):
  return subprocess.run(
    ['bash', 'tools/bench', *arguments],
    cwd=ROOT,
    capture_output=True,
    text=True,
  )


def test_without_a_name_it_lists_the_benchmarks():
  done = bench()
  assert done.returncode == 0
  for file in (ROOT / 'tools' / 'benchmarks').glob('*.py'):
    assert re.search(rf'^  {file.stem} +\w', done.stdout, re.MULTILINE)


def test_an_unknown_name_is_said():
  done = bench('dta')
  assert done.returncode == 2
  assert 'there is no benchmark dta' in done.stderr
  assert re.search(r'^  data ', done.stderr, re.MULTILINE)


def test_the_data_benchmark_prints_a_ratio(tmp_path):
  pytest.importorskip('seqio')
  done = subprocess.run(
    [
      *(sys.executable, ROOT / 'tools' / 'benchmarks' / 'data.py'),
      *('--gin_file=corpora/tiny.gin', '--vocab_size=512', '--lengths=64'),
      *('--seconds=0.2', '--warm_up=0', '--turns=1', '--resume_step=100'),
      f'--dir={tmp_path}',
    ],
    cwd=ROOT,
    env={'PYTHONPATH': str(ROOT), 'PATH': '/usr/bin:/bin'},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  ratio = re.search(r'ratio: codelaw / faster seqio = ([\d.]+)', done.stdout)
  assert ratio
  assert float(ratio.group(1)) > 1
  for reader in ('codelaw', 'seqio, one thread', 'seqio shards, one thread'):
    assert re.search(rf'^  {reader} +[\d,]+ ', done.stdout, re.MULTILINE)
  assert 'first batch on resuming at step 100: codelaw 0.' in done.stdout
