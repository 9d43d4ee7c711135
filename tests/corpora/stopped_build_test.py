"""Builds that a full disk, a signal or an error ends."""

import contextlib
import resource
import signal
import subprocess
import sys

import pytest

from codelaw import errors
from codelaw.corpora import build
from codelaw.corpora import documents
from codelaw.corpora import report
from tests.corpora import built


def test_a_stopped_build_leaves_no_corpus_and_the_next_starts_afresh(
  tree, tmp_path
):
  out = tmp_path / 'corpus'

  class StopError(Exception):
    pass

  def stop(message, fraction):
    if 'synthetic/java' in message:
      raise StopError

  with pytest.raises(StopError):
    build.build(built.plan(tree, out), stop)
  assert not report.exists(out)
  with pytest.raises(errors.UserError, match='no finished corpus'):
    documents.sources(out)
  left_over = out / 'code/python/documents-00007.parquet'
  left_over.parent.mkdir(parents=True, exist_ok=True)
  left_over.write_bytes(b'left over')
  content = build.build(built.plan(tree, out))
  assert content == build.build(built.plan(tree, tmp_path / 'fresh'))
  assert not (out / '.staging').exists()
  held = sorted(str(p.relative_to(out)) for p in out.rglob('*.parquet'))
  assert held == sorted(f for s in content.sources.values() for f in s.files)


@contextlib.contextmanager
def _largest_file(num_bytes):
  """No file of this process can grow beyond that, as on a full disk."""
  before = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
  try:
    yield
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize('stage', ['reading', 'writing', 'index'])
def test_a_full_disk_is_explained_and_leaves_no_corpus(
  tree, tmp_path, stage, monkeypatch
):
  out = tmp_path / 'corpus'
  full = contextlib.ExitStack()
  monkeypatch.setattr(documents, 'ROW_GROUP_BYTES', 5000)
  if stage == 'index':
    write = report.write

    def write_when_full(*arguments):
      full.enter_context(_largest_file(100))
      write(*arguments)

    monkeypatch.setattr(report, 'write', write_when_full)

  def tell(message, fraction):
    if message.startswith('writing') and stage == 'writing':
      full.enter_context(_largest_file(5000))

  expected = pytest.raises(errors.UserError, match='Cannot write .*Free space')
  with expected, full:
    if stage == 'reading':
      full.enter_context(_largest_file(5000))
    build.build(built.plan(tree, out), tell)
  assert not report.exists(out)
  assert not (out / '.staging').exists()
  monkeypatch.undo()
  assert build.build(built.plan(tree, out)) == build.build(
    built.plan(tree, tmp_path / 'fresh')
  )


_KILLED = """
import os, signal, sys
from codelaw.corpora import plan as plan_lib
from codelaw.corpora import build, deduplication, documents
from codelaw.corpora import source_trees, staging

documents.ROW_GROUP_BYTES = 5000
calls = 0
method = getattr(staging.Source, sys.argv[3])

def killed(*arguments):
  global calls
  calls += 1
  if calls == int(sys.argv[4]):
    os.kill(os.getpid(), signal.SIGKILL)
  return method(*arguments)

setattr(staging.Source, sys.argv[3], killed)
sources = {'code/python': ['python'], 'code/c': ['c']}
build.build(plan_lib.CorpusPlan(
  [source_trees.SourceTree([sys.argv[1]], sources)], sys.argv[2],
  deduplication.Deduplication(), validation_fraction=0.3,
  min_bytes_per_source=1,
))
"""


@pytest.mark.parametrize(
  ('method', 'call'),
  [('keep', 20), ('publish', 2)],
  ids=['phase one', 'phase two'],
)
def test_a_killed_build_can_be_run_again(tree, tmp_path, method, call):
  for number in range(20):
    (tree / f'{number}.c').write_text(f'int x{number};\n' * 50)
  out = tmp_path / 'corpus'
  done = subprocess.run(
    [sys.executable, '-c', _KILLED, str(tree), str(out), method, str(call)],
    check=False,
  )
  assert done.returncode == -signal.SIGKILL
  assert not report.exists(out)
  assert (out / '.staging').exists()
  assert list(out.glob('code/python/*.parquet')) or method == 'keep'
  content = build.build(built.plan(tree, out))
  assert not (out / '.staging').exists()
  assert content == build.build(built.plan(tree, tmp_path / 'fresh'))
  held = sorted(str(p.relative_to(out)) for p in out.rglob('*.parquet'))
  assert held == sorted(f for s in content.sources.values() for f in s.files)
