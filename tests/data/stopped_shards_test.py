"""Shards whose writer was stopped, or finds what another one left."""

import dataclasses
import multiprocessing
import pathlib
import shutil

from pyarrow import parquet
import pytest

from codelaw import errors
from codelaw import storage
from codelaw.corpora import report
from codelaw.data import manifest as manifest_lib
from codelaw.data import part_writer
from codelaw.data import parts as parts_lib
from codelaw.data import sequence_files
from codelaw.data import shards
from codelaw.data import tokenizer as tokenizer_lib


def test_workers_end_with_a_write_that_is_stopped(parts_plan, tmp_path):
  others = multiprocessing.active_children()  # of other tests
  plan = dataclasses.replace(parts_plan, shards_dir=str(tmp_path))

  def stop(message, fraction):
    if message.startswith('1 of '):
      raise KeyboardInterrupt

  # The traceback that `raises` keeps holds the frames, and with them
  # generators that nobody closed: their workers would live on.
  with pytest.raises(KeyboardInterrupt) as held:
    shards.write(plan, stop, 2)
  assert not set(multiprocessing.active_children()) - set(others)
  del held


def _write_counting(plan, monkeypatch):
  """Writes the shards: (manifest, parts that were packed for it)."""
  packed = []
  write = part_writer.write

  def counting(root, part, *arguments):
    packed.append(part)
    return write(root, part, *arguments)

  with monkeypatch.context() as patch:
    patch.setattr(part_writer, 'write', counting)
    return shards.write(plan), packed


@pytest.fixture
def stopped(parts_plan, tmp_path, monkeypatch):
  """A plan whose writer was stopped in its fifth part, and its parts."""
  plan = dataclasses.replace(parts_plan, shards_dir=str(tmp_path))
  write = sequence_files.write
  calls = []

  def killed(folder, stem, sequences, sequences_per_file):
    calls.append(stem)
    if len(calls) == 5:
      next(iter(sequences))
      raise KeyboardInterrupt
    return write(folder, stem, sequences, sequences_per_file)

  with monkeypatch.context() as patch:
    patch.setattr(sequence_files, 'write', killed)
    with pytest.raises(KeyboardInterrupt):
      shards.write(plan)
  assert not manifest_lib.exists(tmp_path)
  with pytest.raises(errors.UserError, match='no finished shards'):
    manifest_lib.read(tmp_path)
  return plan, shards.parts(plan, report.read(plan.corpus_dir))


def test_what_a_stopped_writer_finished_is_kept(
  stopped, parts_manifest, monkeypatch
):
  plan, todo = stopped
  written, packed = _write_counting(plan, monkeypatch)
  assert packed == list(todo[4:])
  assert written == parts_manifest
  manifest_lib.verify(plan.shards_dir, written)


@pytest.mark.parametrize(
  'damage', ['flipped', 'cut', 'gone', 'record cut', 'padding', 'tokenizer']
)
def test_a_damaged_part_is_packed_again(
  stopped, parts_manifest, monkeypatch, damage
):
  plan, todo = stopped
  partial = pathlib.Path(plan.shards_dir) / '.partial'
  folder = parts_lib.folder_of(partial, todo[1])
  (shard,) = folder.glob('*.array_record')
  again = list(todo[4:])
  if damage == 'tokenizer':
    # Not that of the parts, so that none of them can be kept.
    (partial / 'tokenizer.json').unlink()
    tokenizer = tokenizer_lib.train(['abc ' * 9], 259)
    tokenizer_lib.save(tokenizer, partial / 'tokenizer.json')
    again = list(todo)
  else:
    again.insert(0, todo[1])
  if damage == 'flipped':
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
  elif damage == 'cut':
    shard.write_bytes(shard.read_bytes()[:-1])
  elif damage == 'gone':
    shard.unlink()
  elif damage == 'record cut':
    record = folder / 'part.json'
    record.write_text(record.read_text()[:-10])
  elif damage == 'padding':
    (padding,) = folder.rglob('*.npy')
    padding.write_bytes(b'')
  written, packed = _write_counting(plan, monkeypatch)
  assert packed == again
  assert (written == parts_manifest) == (damage != 'tokenizer')


def test_a_corpus_that_lost_documents_is_refused_until_it_is_mended(
  parts_plan, parts_manifest, tmp_path
):
  corpus = shutil.copytree(parts_plan.corpus_dir, tmp_path / 'corpus')
  (file,) = corpus.glob('markup/*.parquet')
  whole = parquet.read_table(file)
  parquet.write_table(whole.slice(1), file)
  plan = dataclasses.replace(
    parts_plan, corpus_dir=str(corpus), shards_dir=str(tmp_path / 'shards')
  )
  with pytest.raises(
    errors.UserError, match='lists 35 train documents of mark'
  ):
    shards.write(plan)
  assert not manifest_lib.exists(plan.shards_dir)
  parquet.write_table(whole, file)
  assert shards.write(plan) == parts_manifest


def test_parts_of_another_plan_are_neither_used_nor_removed(stopped):
  plan, _ = stopped
  for change in ({'sequence_length': 64}, {'packing': {}}, {'part_bytes': 99}):
    with pytest.raises(errors.UserError, match='unfinished shards of another'):
      shards.write(dataclasses.replace(plan, **change))
  assert parts_lib.any_recorded(pathlib.Path(plan.shards_dir))


def test_what_stopped_writers_left_unfinished_is_removed(
  cache_plan, manifest, tmp_path
):
  leftover = tmp_path / '.partial' / 'unfinished-abc'
  leftover.mkdir(parents=True)
  (leftover / 'train-00000.array_record').write_text('half')
  (tmp_path / '.partial' / 'plan.json').write_text('"another"')
  plan = dataclasses.replace(cache_plan, shards_dir=str(tmp_path))
  shards.prepare(plan)
  assert not leftover.exists()
  leftover.mkdir(parents=True)
  shards.prepare(plan)
  assert not leftover.exists()
  assert shards.write(plan) == manifest


def test_two_writers_do_not_share_a_folder(cache_plan, tmp_path):
  plan = dataclasses.replace(cache_plan, shards_dir=str(tmp_path))
  with (
    storage.exclusive(tmp_path),
    pytest.raises(errors.UserError, match='in use by another process'),
  ):
    shards.write(plan)


def test_a_disk_that_refuses_is_one_sentence(cache_plan, tmp_path):
  (tmp_path / 'markup').write_text('a file where a folder must be')
  plan = dataclasses.replace(cache_plan, shards_dir=str(tmp_path))
  with pytest.raises(errors.UserError, match='Cannot give the shards'):
    shards.write(plan)
