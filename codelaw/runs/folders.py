"""Where runs and their event files lie below the folders a user names.

A folder is a run if it has a `run.json` or `eval/` (codelaw), event files of
its own, event files in a folder that programs make inside a run (`train/`,
`training_eval/<task>/`, ...), or, with checkpoints beside it, `runs/<date>/`
(Hugging Face). Any other folder may hold runs. A run without `run.json` is
called by its path below the folder that was named.
"""

from collections.abc import Sequence
import os

from etils import epath

from codelaw import errors
from codelaw import storage
from codelaw.runs import events

_INSIDE = frozenset(
  ('train', 'training_eval', 'inference_eval', 'eval', 'evaluation')
  + ('val', 'valid', 'validation', 'test', 'tensorboard')
)
_CHECKPOINTS = ('checkpoint', 'trainer_state.json', 'training_args.bin')
_RUN_DEPTH = 4  # Folders between the one that was named and a run.
_EVENTS_DEPTH = 4  # Folders between a run and its event files.


def find(patterns: Sequence[str]) -> dict[str, str]:
  """Run folders that folders or patterns name, in order: folder -> run id.

  Raises:
    UserError: when a pattern names no folder.
  """
  found: dict[str, str] = {}
  for pattern in patterns:
    base, matches = _matches(pattern)
    folders = [path for path in matches if path.is_dir()]
    if not folders:
      raise errors.UserError(
        f'--runs={pattern} names no folder; expected run folders, or a folder'
        ' of them.'
      )
    for folder in folders:
      runs = _runs(folder, _RUN_DEPTH)
      # Without a run, the folders in it are named as what is left out.
      for run in runs or _subfolders(folder) or [folder]:
        start = base or folder
        name = os.path.relpath(os.fspath(run), os.fspath(start))
        found.setdefault(os.fspath(run), own_name(run) if name == '.' else name)
  return found


def own_name(folder: storage.PathLike) -> str:
  """The last part of the path of a folder, also where it is `.`."""
  text = os.fspath(folder)
  local = os.path.abspath(text) if storage.is_local(text) else text
  return os.path.basename(local.rstrip('/'))


def event_files(folder: storage.PathLike) -> list[events.Found]:
  """The event files of a run, those in its folders included.

  Their prefix is the path of their folder below the run. Folders of
  checkpoints and hidden ones are not looked into.
  """
  run = storage.path(folder)
  return _event_files(run, '', _EVENTS_DEPTH)


def _event_files(
  folder: epath.Path, prefix: str, depth: int
) -> list[events.Found]:
  found = events.list_files(folder, prefix)
  for inside in _subfolders(folder) if depth else ():
    found += _event_files(inside, f'{prefix}{inside.name}/', depth - 1)
  return found


def _runs(folder: epath.Path, depth: int) -> list[epath.Path]:
  """The runs at or below a folder; empty if there is none."""
  if _is_run(folder):
    return [folder]
  subfolders = _subfolders(folder) if depth else []
  below = {inside: _runs(inside, depth - 1) for inside in subfolders}
  if not any(below.values()):
    return []
  at_once = any(runs == [inside] for inside, runs in below.items())
  return [
    run
    for inside, runs in below.items()
    for run in runs or ([inside] if at_once else [])
  ]


def _is_run(folder: epath.Path) -> bool:
  names = {inside.name for inside in folder.iterdir()}
  if names & {'run.json', 'eval'} or any('tfevents' in name for name in names):
    return True
  if any(_has_events(folder / name) for name in names & _INSIDE):
    return True
  beside = any(name.startswith(_CHECKPOINTS) for name in names)
  return beside and 'runs' in names and _has_events(folder / 'runs')


def _has_events(folder: epath.Path) -> bool:
  """Whether event files lie in a folder or in one right inside it."""
  return bool(
    folder.is_dir()
    and (
      any('tfevents' in file.name for file in folder.iterdir())
      or any(
        'tfevents' in file.name
        for inside in _subfolders(folder)
        for file in inside.iterdir()
      )
    )
  )


def _subfolders(folder: epath.Path) -> list[epath.Path]:
  return sorted(
    path
    for path in folder.iterdir()
    if not path.name.startswith(('.', 'checkpoint')) and path.is_dir()
  )


def _matches(pattern: str) -> tuple[epath.Path | None, list[epath.Path]]:
  """(the part of a pattern without wild cards, what it matches)."""
  parts = pattern.split('/')
  wild = [i for i, part in enumerate(parts) if set(part) & set('*?[')]
  if not wild:
    return None, [storage.path(pattern)]
  base = '/'.join(parts[: wild[0]]) or ('/' if pattern[0] == '/' else '.')
  start = storage.path(base)
  return start, sorted(start.glob('/'.join(parts[wild[0] :])))
