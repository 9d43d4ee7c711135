"""Stand-ins for what readers read from, and damage done to files."""

import subprocess

from etils.epath import backend
from etils.epath import gpath
import fsspec
from fsspec.implementations import dirfs


def bucket(root, monkeypatch):
  """Makes `s3://` the folder `root`, through the client library's interface."""

  class Bucket(dirfs.DirFileSystem):
    protocol = 's3'

    def __init__(self, **_):
      super().__init__(path=str(root), fs=fsspec.filesystem('file'))

    def _join(self, path):
      return super()._join(path.removeprefix('s3://'))

  monkeypatch.setattr(gpath, '_is_tf_installed', lambda: False)
  monkeypatch.setattr(
    backend._FileSystemSpecBackend,
    '_get_filesystem',
    lambda self, name: Bucket(),
  )


def write(root, files):
  """Writes name -> content, text or bytes, below `root`."""
  for name, content in files.items():
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
      content if isinstance(content, bytes) else content.encode()
    )


def git(root, *arguments, **settings):
  """Runs git in `root` as a fixed author at a fixed time."""
  return subprocess.run(
    ['git', *arguments],
    cwd=root,
    check=True,
    capture_output=True,
    env={
      'PATH': '/usr/local/bin:/usr/bin:/bin',
      'HOME': str(root),
      'GIT_CONFIG_NOSYSTEM': '1',
      **{f'GIT_{who}_NAME': 'A' for who in ('AUTHOR', 'COMMITTER')},
      **{f'GIT_{who}_EMAIL': 'a@b' for who in ('AUTHOR', 'COMMITTER')},
      **{
        f'GIT_{who}_DATE': '2026-01-01T00:00:00Z'
        for who in ('AUTHOR', 'COMMITTER')
      },
    },
    **settings,
  ).stdout


def commit(root, files, message):
  """Writes files and commits everything; returns the commit's id."""
  if not (root / '.git').exists():
    root.mkdir(parents=True, exist_ok=True)
    git(root, 'init', '-q', '-b', 'main')
  write(root, files)
  git(root, 'add', '-A')
  given = message if isinstance(message, bytes) else message.encode()
  git(root, 'commit', '-q', '--allow-empty', '-F', '-', input=given)
  return git(root, 'rev-parse', 'HEAD').decode().strip()
