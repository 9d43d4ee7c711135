"""A registered SeqIO mixture in codelaw's terms: sources and shares of tokens.

Definitions owned here:
  source of a task: of a task that `seqio_tasks.register` made, the source it
    reads; of any other, its name in lower case with `/` for `:`, under which
    `seqio_import` writes its examples to shards.
SeqIO's rates count examples and codelaw's count tokens. So that a mixture means
the same in both, share of tokens = rate x mean tokens per example, normalised;
an example of a task over shards is a sequence, of another task a document,
whole as the task gives it.

SeqIO is used to find rates, never to read batches: there is one exact,
resumable reader, `pipeline`. It is imported when a function here is called.
"""

from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import dataclasses
import importlib
import math
import os
import re
import sys
from typing import Any

from codelaw import errors
from codelaw import records
from codelaw import storage
from codelaw.data import manifest as manifest_lib
from codelaw.data import seqio_tasks
from codelaw.data import seqio_vocabulary


@dataclasses.dataclass(frozen=True)
class TaskShare:
  """What a mixture takes of one task.

  Attributes:
    task: its name.
    source: in the shards.
    rate: of examples, as SeqIO resolves it; only relative.
    tokens_per_example: mean over its training examples.
    share: of the tokens of the mixture.
  """

  task: str
  source: str
  rate: float
  tokens_per_example: float
  share: float


def find(name: str, modules: Sequence[str]) -> Any:
  """Imports the modules and returns the seqio.Mixture or seqio.Task.

  Modules are also looked for in the working directory.

  Raises:
    UserError: when SeqIO is not installed, a module cannot be imported, or
      nothing of that name is registered.
  """
  if isinstance(modules, str) or not all(isinstance(m, str) for m in modules):
    raise errors.UserError(
      f'SeqIO modules must be a list of names of modules, got {modules!r}.'
    )
  try:
    with _without_native_logs():
      import seqio
      import tensorflow as tf

      with contextlib.suppress(RuntimeError):  # It may be running already.
        tf.config.set_visible_devices([], 'GPU')  # The model needs their memory
  except ImportError as error:
    raise errors.UserError(
      f'SeqIO is not installed ({error}); install codelaw[seqio] to use the'
      f' SeqIO mixture {name!r}.'
    ) from error
  for module in modules:
    _import(module)
  known = [*seqio.MixtureRegistry.names(), *seqio.TaskRegistry.names()]
  if name not in known:
    raise errors.UserError(
      f'SeqIO has no mixture or task {name!r}; after importing'
      f' {", ".join(modules) or "no module"} it has'
      f' {", ".join(sorted(known)[:20]) or "none"}.'
    )
  return seqio.get_mixture_or_task(name)


def tasks(provider: Any) -> list[Any]:
  """The tasks of a mixture, nested ones included; a task's is itself."""
  return list(getattr(provider, 'tasks', [provider]))


def source_name(task: Any) -> str:
  """The source of a task, as defined above."""
  ours = seqio_tasks.origin(task)
  if ours:
    return ours.source
  name = re.sub(r'[^a-z0-9_.+/-]', '_', task.name.lower().replace(':', '/'))
  records.check_source_name(name)
  return name


def token_shares(
  name: str, modules: Sequence[str], shards_dir: storage.PathLike
) -> tuple[TaskShare, ...]:
  """The shares of tokens of a registered mixture over shards.

  Args:
    name: of the mixture (or of one task).
    modules: that register it.
    shards_dir: folder of the shards that hold its tasks.

  Returns:
    One row per task with a positive rate; shares have the sum 1.

  Raises:
    UserError: when there is no such mixture, a rate cannot be computed or is
      negative, or the shards do not hold a task or hold another version.
  """
  provider = find(name, modules)
  manifest = manifest_lib.read(shards_dir)
  rates = {task.name: _rate(provider, task) for task in tasks(provider)}
  rows = [
    (task, source_name(task), _tokens_per_example(task, manifest, shards_dir))
    for task in tasks(provider)
    if rates[task.name]
  ]
  total = math.fsum(rates[task.name] * mean for task, _, mean in rows)
  if not total:
    raise errors.UserError(
      f'All rates of the SeqIO mixture {name!r} are 0; give one task more.'
    )
  return tuple(
    TaskShare(
      task.name, source, rates[task.name], mean, rates[task.name] * mean / total
    )
    for task, source, mean in rows
  )


@contextlib.contextmanager
def _without_native_logs() -> Iterator[None]:
  """Hides what TensorFlow says about its build, on every import, to stderr."""
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  sys.stderr.flush()
  kept = os.dup(2)
  try:
    with open(os.devnull, 'wb') as nowhere:
      os.dup2(nowhere.fileno(), 2)
    yield
  finally:
    os.dup2(kept, 2)
    os.close(kept)


def _import(module: str) -> None:
  here = os.getcwd()
  added = here not in sys.path
  if added:
    sys.path.insert(0, here)
  try:
    importlib.import_module(module)
  except Exception as error:  # whatever a user's module raises
    raise errors.UserError(
      f'The SeqIO module {module!r} cannot be imported'
      f' ({type(error).__name__}: {error}); name a module that Python finds'
      ' in the working directory or on PYTHONPATH.'
    ) from error
  finally:
    if added:
      sys.path.remove(here)


def _rate(provider: Any, task: Any) -> float:
  if provider is task:
    return 1.0
  try:
    rate = float(provider.get_rate(task))
  except Exception as error:  # whatever a user's function of a rate raises
    raise errors.UserError(
      f'The rate of task {task.name} in the SeqIO mixture {provider.name}'
      f' cannot be computed ({type(error).__name__}: {error}).'
    ) from error
  if not math.isfinite(rate) or rate < 0:
    raise errors.UserError(
      f'The rate of task {task.name} in the SeqIO mixture {provider.name} is'
      f' {rate}; it must be a number of at least 0.'
    )
  return rate


def _tokens_per_example(
  task: Any, manifest: manifest_lib.Manifest, shards_dir: storage.PathLike
) -> float:
  source, ours = source_name(task), seqio_tasks.origin(task)
  place = os.fspath(shards_dir)
  if ours:
    if ours.manifest_fingerprint != manifest.fingerprint:
      raise errors.UserError(
        f'SeqIO task {task.name} reads other shards than those in {place};'
        ' register it for these, or set SHARDS_DIR to those.'
      )
    return ours.fill * manifest.sequence_length
  if source not in manifest.sources:
    raise errors.UserError(
      f'The shards in {place} have no source {source} for the SeqIO task'
      f' {task.name}; write them with `codelaw cache --seqio_mixture=NAME'
      ' --seqio_module=MODULE --out=DIR` and set SHARDS_DIR to that folder.'
    )
  described = storage.fingerprint(seqio_vocabulary.describe(task))
  if described != manifest.tokenizer_fingerprint:
    raise errors.UserError(
      f'The shards in {place} were written with another vocabulary than that'
      f' of the SeqIO task {task.name}; run `codelaw cache --seqio_mixture=NAME'
      ' --seqio_module=MODULE --out=DIR` again, into another folder.'
    )
  split = manifest.split(source, 'train')
  return split.tokens / split.documents
