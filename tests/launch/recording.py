"""Programs that write down how they were called and do what a test says."""

import os
import shlex


class Programs:
  """A folder for PATH, with programs that leave their calls in one file."""

  def __init__(self, folder):
    self.folder = folder / 'bin'
    self.folder.mkdir()
    self._calls = folder / 'calls'
    self._calls.touch()

  def add(self, name, script='', folder=None):
    """A program that runs `script` (bash) after it has noted the call."""
    file = (folder or self.folder) / name
    file.write_text(
      f'#!/bin/bash\necho {name} "$@" >>{shlex.quote(str(self._calls))}\n'
      f'{script}\n'
    )
    file.chmod(0o755)

  def calls(self):
    """Lines of all calls since the last look."""
    found = self._calls.read_text().splitlines()
    self._calls.write_text('')
    return found

  def path(self, others=None):
    """PATH with these programs first."""
    return f'{self.folder}:{os.environ["PATH"] if others is None else others}'
