import os
import pathlib
import re
import subprocess
import sys

import pytest

import codelaw

ROOT = pathlib.Path(codelaw.__file__).parent.parent
BENCHMARKS = ROOT / 'tools' / 'benchmarks'


def bench(name, *flags):
  return subprocess.run(
    [sys.executable, BENCHMARKS / f'{name}.py', *flags],
    cwd=ROOT,
    env={**os.environ, 'PYTHONPATH': str(ROOT), 'JAX_PLATFORMS': 'cpu'},
    capture_output=True,
    text=True,
  )


@pytest.mark.slow
def test_the_train_benchmark_prints_ratios_of_the_same_training(tmp_path):
  no_torch = tmp_path / 'python'
  no_torch.write_text('#!/bin/sh\nexit 1\n')
  no_torch.chmod(0o755)
  done = bench(
    'train',
    *('--cases=108k', '--rounds=2', '--seconds=0.1'),
    f'--torch_python={no_torch}',
  )
  assert done.returncode == 0, done.stderr
  assert f'pytorch: skipped, because {no_torch} cannot import' in done.stderr
  assert '107,856 parameters, vocabulary 512, 2 x 128 tokens' in done.stdout
  number = r' +([\d.,]+)'
  rows = dict.fromkeys(('codelaw', 'plain flax'))
  for name in rows:
    rows[name] = re.search(f'^  {name}{number * 8}$', done.stdout, re.M)
    assert rows[name], done.stdout
  assert rows['codelaw'].group(2, 3, 4, 6, 7, 8) == ('1.00',) * 6
  low, middle, high = map(float, rows['plain flax'].group(2, 3, 4))
  assert 0 < low <= middle <= high


def test_an_unknown_case_is_said():
  done = bench('train', '--cases=108k,5m')
  assert done.returncode != 0
  assert "there is no case '5m'; the cases are 108k," in done.stderr


@pytest.mark.slow
def test_the_device_benchmark_can_be_tried_on_a_cpu(tmp_path):
  done = bench(
    'device',
    *('--allow_cpu', '--models=sequential_14k', '--batch_size=2'),
    *('--sequence_length=16', '--steps=3', f'--trace_dir={tmp_path}'),
  )
  assert done.returncode == 0, done.stderr
  found = re.search(
    r'sequential_14k: 14,160 parameters, 32 tokens a step, ([\d.]+) s .*'
    r' ([\d,]+) tokens/s, .*no published peak',
    done.stdout,
  )
  assert found, done.stdout
  assert float(found.group(2).replace(',', '')) == pytest.approx(
    32 / float(found.group(1)), rel=0.2
  )
  assert list(tmp_path.rglob('*.xplane.pb'))


def test_without_an_accelerator_the_device_benchmark_says_so():
  done = bench('device')
  assert done.returncode == 2
  assert 'JAX sees no accelerator on this machine' in done.stderr
  assert 'Traceback' not in done.stderr
