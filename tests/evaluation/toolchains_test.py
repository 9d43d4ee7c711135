"""Toolchains that are here, missing, or broken."""

import os
import pathlib
import shutil

import pytest

from codelaw import errors
from codelaw.corpora.synthetic import reader
from codelaw.evaluation import toolchains


@pytest.fixture
def path_with(tmp_path, monkeypatch):
  """Makes PATH a folder with the named tools of this machine."""

  def path(*names):
    folder = tmp_path / 'bin'
    folder.mkdir()
    for name in names:
      place = shutil.which(name)
      if place is None:
        pytest.skip(f'no {name} here')
      (folder / name).symlink_to(place)
    monkeypatch.setenv('PATH', str(folder))
    return folder

  return path


def test_languages_are_those_of_generated_programs():
  assert set(toolchains.LANGUAGES) == reader.RENDERERS.keys()


def test_python_is_where_codelaw_runs():
  assert toolchains.available('python') is None


@pytest.mark.parametrize(
  ('language', 'tool'),
  [('java', 'javac'), ('csharp', 'mcs'), ('go', 'go'), ('rust', 'rustc')],
)
def test_a_missing_tool_is_named(language, tool, path_with):
  path_with()
  assert toolchains.available(language) == f'no {tool} on PATH'
  with pytest.raises(toolchains.Missing):
    toolchains.toolchain(language)


def test_half_of_a_toolchain_is_none(path_with):
  path_with('javac')
  assert toolchains.available('java') == 'no java on PATH'


def test_a_tool_that_does_not_work_is_no_toolchain(tmp_path, monkeypatch):
  folder = tmp_path / 'bin'
  folder.mkdir()
  # In front of the others, so that the sandbox's own are found.
  monkeypatch.setenv('PATH', f'{folder}:{os.environ["PATH"]}')
  for name in ('mcs', 'mono'):
    (folder / name).write_text('#!/bin/sh\necho out of order >&2\nexit 3\n')
    (folder / name).chmod(0o755)
  reason = toolchains.available('csharp')
  assert 'mcs fails on a program that says hello' in reason


def test_a_launcher_without_a_toolchain_is_told(path_with):
  folder = path_with()
  (folder / 'rustc').write_text('#!/bin/sh\nexit 1\n')
  (folder / 'rustc').chmod(0o755)
  assert 'has no toolchain' in toolchains.available('rust')


def test_node_is_needed_without_the_packaged_one(path_with, monkeypatch):
  path_with()
  monkeypatch.setattr(toolchains.sysconfig, 'get_path', lambda name: '/none')
  assert 'no node on PATH' in toolchains.available('javascript')
  assert 'no node on PATH' in toolchains.available('typescript')


def test_a_node_that_runs_no_typescript_is_told(path_with, monkeypatch):
  folder = path_with()
  (folder / 'node').write_text('#!/bin/sh\necho undefined\n')
  (folder / 'node').chmod(0o755)
  monkeypatch.setattr(toolchains.sysconfig, 'get_path', lambda name: '/none')
  reason = toolchains.available('typescript')
  assert reason == 'no tsc on PATH, and a Node that runs no TypeScript'


def test_an_unknown_language_is_refused():
  with pytest.raises(errors.UserError, match="'lua'"):
    toolchains.available('lua')


def test_the_cache_of_go_is_not_the_programs_to_change():
  if toolchains.available('go'):
    pytest.skip('no Go here')
  tools = toolchains.toolchain('go')
  cache = pathlib.Path(tools.environment['GOCACHE'])
  assert cache in tools.read_only
  assert any(cache.iterdir())
