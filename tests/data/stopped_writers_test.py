"""Writers of shards in processes of their own: killed, or two at once."""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys

import pytest

from codelaw import errors
from codelaw.corpora import report
from codelaw.data import manifest as manifest_lib
from codelaw.data import parts as parts_lib
from codelaw.data import shards

# Stops in its fourth part, when the first sequences of it are on their way:
# kills itself as `kill -9` would, or says so and waits for a line.
_WRITER = """
import json, os, signal, sys
from codelaw.data import packing, sequence_files, shards

plan, stop = json.loads(sys.argv[1]), sys.argv[2]
write, calls = sequence_files.write, []

def stopping(folder, stem, sequences, sequences_per_file):
  calls.append(stem)
  def watched():
    for number, sequence in enumerate(sequences):
      if len(calls) == 4 and number == 2:
        if stop == 'kill':
          os.kill(os.getpid(), signal.SIGKILL)
        print('waits', flush=True)
        sys.stdin.readline()
      yield sequence
  return write(folder, stem, watched(), sequences_per_file)

sequence_files.write = stopping
print(shards.write(shards.CachePlan(**plan)).fingerprint, flush=True)
"""


def _writer(plan, stop):
  environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)}
  return subprocess.Popen(
    [
      *(sys.executable, '-c', _WRITER),
      *(json.dumps(dataclasses.asdict(plan)), stop),
    ],
    env=environment,
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    text=True,
  )


@pytest.fixture
def plan(cache_plan, tmp_path):
  return dataclasses.replace(cache_plan, shards_dir=str(tmp_path / 'shards'))


def test_a_killed_writer_leaves_whole_parts_for_the_next(
  plan, manifest, monkeypatch
):
  with _writer(plan, 'kill') as writer:
    assert writer.wait() == -signal.SIGKILL
  folder = pathlib.Path(plan.shards_dir)
  assert list((folder / '.partial').glob('unfinished-*/*.array_record'))
  assert not list(folder.glob('*/*.array_record'))
  with pytest.raises(errors.UserError, match='holds no finished shards'):
    manifest_lib.read(folder)
  packed = []
  write = parts_lib.write

  def counting(root, part, *arguments):
    packed.append(part)
    return write(root, part, *arguments)

  monkeypatch.setattr(parts_lib, 'write', counting)
  assert shards.write(plan) == manifest
  todo = shards.parts(plan, report.read(plan.corpus_dir))
  assert packed == list(todo[3:])
  manifest_lib.verify(folder, manifest)
  assert not (folder / '.partial').exists()


def test_a_second_writer_is_refused_while_the_first_goes_on(plan, manifest):
  with _writer(plan, 'wait') as writer:
    assert writer.stdout.readline() == 'waits\n'
    with pytest.raises(errors.UserError, match='in use by another process'):
      shards.write(plan)
    writer.stdin.write('\n')
    writer.stdin.close()
    assert writer.stdout.readline() == f'{manifest.fingerprint}\n'
  assert writer.returncode == 0
  manifest_lib.verify(plan.shards_dir, manifest_lib.read(plan.shards_dir))
