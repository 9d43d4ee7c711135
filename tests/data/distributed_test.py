import dataclasses
import importlib.util
import pathlib

import pytest

from codelaw import errors
from codelaw.data import distributed
from codelaw.data import shards

pytestmark = pytest.mark.skipif(
  importlib.util.find_spec('apache_beam') is None,
  reason='Apache Beam is not installed',
)


def _files(folder):
  root = pathlib.Path(folder)
  return {
    path.relative_to(root): path.read_bytes()
    for path in root.rglob('*')
    if path.is_file()
  }


def _plan(cache_plan, folder):
  return dataclasses.replace(
    cache_plan, shards_dir=str(folder), part_bytes=20_000
  )


def test_shards_are_those_of_one_process(cache_plan, tmp_path, monkeypatch):
  one = _plan(cache_plan, tmp_path / 'one')
  other = _plan(cache_plan, tmp_path / 'other')
  expected = shards.write(one)
  wrote, write_part = [], shards.write_part

  def noted(plan, part, **rest):
    wrote.append((part, 'packed' in rest))
    return write_part(plan, part, **rest)

  monkeypatch.setattr(shards, 'write_part', noted)
  assert distributed.write(other) == expected
  assert _files(other.shards_dir) == _files(one.shards_dir)
  # All parts were written by the pipeline, before they were joined.
  half = len(wrote) // 2
  assert {part for part, _ in wrote[:half]} == {
    part for part, _ in wrote[half:]
  }
  assert not any(in_process for _, in_process in wrote[:half])
  assert half > 6
  monkeypatch.undo()
  before = pathlib.Path(other.shards_dir, 'manifest.json').stat().st_mtime_ns
  assert distributed.write(other) == expected
  after = pathlib.Path(other.shards_dir, 'manifest.json').stat().st_mtime_ns
  assert after == before


def test_mistakes_of_workers_are_told(cache_plan, tmp_path, monkeypatch):
  def refused(plan, part):
    raise errors.UserError('The disk is full.')

  monkeypatch.setattr(shards, 'write_part', refused)
  with pytest.raises(errors.UserError, match=r'^The disk is full\.$'):
    distributed.write(_plan(cache_plan, tmp_path / 'shards'))
