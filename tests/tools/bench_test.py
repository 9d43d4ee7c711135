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


def test_the_corpus_benchmark_prints_a_row_per_step(tmp_path):
  tree = ROOT / 'codelaw' / 'corpora'
  done = subprocess.run(
    [
      *(sys.executable, ROOT / 'tools' / 'benchmarks' / 'corpus.py'),
      *(f'--folder={tree}', '--megabytes=0.1', f'--repository={tmp_path}'),
      *('--problems=5', '--vocab_size=512', '--sequence_length=64'),
      *('--tokens=1e9', '--cores=1,2'),
    ],
    cwd=ROOT,
    env={'PYTHONPATH': str(ROOT), 'PATH': '/usr/bin:/bin'},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  assert 'without a git history: ' in done.stderr
  found = re.search(r' ([\d.]+) bytes per token.* ([\d.]+) TB', done.stdout)
  bytes_per_token, terabytes = map(float, found.groups())
  assert 1 < bytes_per_token < 6
  assert terabytes == pytest.approx(1e9 * bytes_per_token / 1e12, rel=0.01)
  rows = re.findall(
    r'^(\w.{31}) *([\d,]+) +([\d.]+) +([\d.]+) +([\d.]+)$',
    done.stdout,
    re.MULTILINE,
  )
  assert len(rows) == 12
  slow = next(row for row in rows if row[0].startswith('tokenise'))
  hours = 1e9 * bytes_per_token / (float(slow[2]) * 1e6) / 3600
  assert float(slow[3]) == pytest.approx(hours, rel=0.1, abs=0.06)
  assert float(slow[4]) == pytest.approx(float(slow[3]) / 2, abs=0.11)


def test_the_compile_benchmark_names_what_it_does_not_know():
  done = subprocess.run(
    [
      *(sys.executable, ROOT / 'tools' / 'benchmarks' / 'compile.py'),
      '--only=sequential_1t',
    ],
    cwd=ROOT,
    env={'PYTHONPATH': str(ROOT), 'PATH': '/usr/bin:/bin'},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 2
  assert "no pod file is named like 'sequential_1t'" in done.stderr


@pytest.mark.slow
def test_the_compile_benchmark_prints_a_row_of_a_pod():
  pytest.importorskip('libtpu')
  done = subprocess.run(
    [
      *(sys.executable, ROOT / 'tools' / 'benchmarks' / 'compile.py'),
      '--only=sequential_94m',
    ],
    cwd=ROOT,
    env={'PYTHONPATH': str(ROOT), 'PATH': '/usr/bin:/bin'},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  assert re.search(
    r'^\| sequential_94m_v5e_16 \| 8x2x1, none, 8 \| \d\.\d \|',
    done.stdout,
    re.MULTILINE,
  )
