"""Puts the fake clients on PATH, for the tests of what calls the real ones."""

import os
import pathlib
import sys

from tests.launch.fakes import cloud

ROOT = pathlib.Path(__file__).parents[2]
# Without `site`, which takes longer than all the rest.
_WRAPPER = """#!{python} -S
import sys
sys.path.insert(0, {root!r})
from tests.launch.fakes import {program}
sys.exit({program}.main(sys.argv[1:]))
"""


def install(folder: pathlib.Path, monkeypatch, *programs: str) -> cloud.Cloud:
  """A cloud in `folder`, and the clients that reach it at the head of PATH."""
  found = cloud.Cloud(folder / 'cloud')
  found.behave(cloud.Behaviour())
  bin_folder = folder / 'bin'
  bin_folder.mkdir()
  for program in programs:
    file = bin_folder / program
    file.write_text(
      _WRAPPER.format(python=sys.executable, root=str(ROOT), program=program)
    )
    file.chmod(0o755)
  monkeypatch.setenv('PATH', f'{bin_folder}:{os.environ["PATH"]}')
  monkeypatch.setenv(cloud.FOLDER, str(found.folder))
  return found


def clear(found: cloud.Cloud) -> None:
  """Ends all machines, whatever they do."""
  with found.held():
    for name in found.names():
      found.forget(name)
