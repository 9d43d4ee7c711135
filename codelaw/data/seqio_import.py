"""Examples of a registered SeqIO mixture to shards that codelaw trains on.

Every task becomes a source, every example a document: the token ids of its
`targets` are kept as they are, with one end token. End tokens inside an example
end documents too, so that nothing attends over them. A task's `validation`
split is held out; of a task without one, a share of the examples is, by the
hash of their tokens, so that equal examples stay on one side. Examples are
packed in the order of that hash, as documents of a corpus are.
"""

import array
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
import dataclasses
import hashlib
import os
import pathlib
import shutil
from typing import Any

import numpy as np

from codelaw import errors
from codelaw import storage
from codelaw.data import manifest as manifest_lib
from codelaw.data import packing
from codelaw.data import seqio_mixtures
from codelaw.data import seqio_tasks
from codelaw.data import seqio_vocabulary
from codelaw.data import sequence_files

_FORMAT = 1  # Changes when the same plan would write other shards.
_TOLD_EXAMPLES = 1000  # between two reports of progress
_PARTIAL = '.seqio'  # Folder of files that are not finished.


@dataclasses.dataclass(frozen=True)
class SeqioImport:
  """What `codelaw cache --seqio_mixture` is meant to write.

  Attributes:
    mixture: name of a registered SeqIO mixture (or task).
    modules: Python modules that register it.
    shards_dir: folder to write, on a local or mounted disk.
    sequence_length: tokens per sequence.
    task_length: of targets, for tasks that cut or fill their examples to a
      length; by default tasks are told none and give whole examples.
    validation_fraction: of the examples of a task without validation split.
    sequences_per_file: at the most.
  """

  mixture: str
  modules: Sequence[str]
  shards_dir: str
  sequence_length: int = 1024
  task_length: int | None = None
  validation_fraction: float = 0.05
  sequences_per_file: int = 1_000_000

  def __post_init__(self):
    for name, least in (
      ('sequence_length', 2),
      ('task_length', 1),
      ('sequences_per_file', 1),
    ):
      value = getattr(self, name)
      if name == 'task_length' and value is None:
        continue
      if not isinstance(value, int) or value < least:
        raise errors.UserError(
          f'SeqioImport.{name} must be a whole number of at least {least}, got'
          f' {value!r}.'
        )
    if not 0 <= self.validation_fraction < 1:
      raise errors.UserError(
        'SeqioImport.validation_fraction must be in [0, 1), got'
        f' {self.validation_fraction!r}.'
      )
    if not isinstance(self.shards_dir, str) or '://' in self.shards_dir:
      raise errors.UserError(
        'SeqioImport.shards_dir must be a folder on a disk, got'
        f' {self.shards_dir!r}; mount a bucket, or copy the folder there.'
      )


def write(
  plan: SeqioImport, progress: manifest_lib.Progress | None = None
) -> manifest_lib.Manifest:
  """Writes shards of every task of the mixture, unless they are there.

  Which examples the tasks give is not looked at again when they are.

  Args:
    plan: what to write.
    progress: called with what is being done and the share that is done.

  Returns:
    The manifest of `plan.shards_dir`.

  Raises:
    UserError: when there is no such mixture; a task cannot be read or has
      tokens that codelaw cannot store; the folder holds other shards or is
      being written; the disk refuses a file.
  """
  tell = progress or (lambda message, fraction: None)
  sources = _sources(plan)
  vocabulary = _vocabulary(sources)
  fingerprint = _plan_fingerprint(plan, sources, vocabulary)
  folder = pathlib.Path(plan.shards_dir)
  with storage.exclusive(folder):
    if manifest_lib.exists(folder):
      manifest = manifest_lib.read(folder)
      if manifest.plan_fingerprint != fingerprint:
        raise errors.UserError(
          f'{folder} holds other shards than those of the SeqIO mixture'
          f' {plan.mixture} in sequences of {plan.sequence_length}; name'
          ' another folder, or delete that one.'
        )
      tell(f'{folder}: already there, nothing written', 1.0)
      return manifest
    written, digest = {}, hashlib.sha256()
    _remove_partial(folder)  # of a writer that was stopped
    for number, (source, task) in enumerate(sources.items()):

      def read(count: int, source=source, number=number) -> None:
        tell(f'{source}: {count:,} examples', number / len(sources))

      written[source] = _write_task(
        plan, source, task, vocabulary, read, digest
      )
    _remove_partial(folder)
    tokenizer_file = folder / manifest_lib.TOKENIZER_NAME
    storage.write_json(tokenizer_file, vocabulary)
    manifest = manifest_lib.Manifest(
      vocab_size=vocabulary['vocab_size'],
      sequence_length=plan.sequence_length,
      token_dtype=_dtype(vocabulary).name,
      tokenizer_fingerprint=manifest_lib.tokenizer_fingerprint(tokenizer_file),
      corpus_fingerprint=digest.hexdigest()[:16],
      plan_fingerprint=fingerprint,
      sources=written,
    )
    manifest_lib.write(folder, manifest)
    tell(f'wrote {folder}', 1.0)
    return manifest


def _remove_partial(folder: pathlib.Path) -> None:
  shutil.rmtree(folder / _PARTIAL, ignore_errors=True)


def _sources(plan: SeqioImport) -> dict[str, Any]:
  """Source -> seqio.Task, sorted."""
  provider = seqio_mixtures.find(plan.mixture, plan.modules)
  sources: dict[str, Any] = {}
  for task in seqio_mixtures.tasks(provider):
    if seqio_tasks.origin(task):
      raise errors.UserError(
        f'SeqIO task {task.name} reads codelaw shards already; train on those.'
      )
    source = seqio_mixtures.source_name(task)
    if source in sources:
      raise errors.UserError(
        f'SeqIO tasks {sources[source].name} and {task.name} would both become'
        f' the source {source}; rename one.'
      )
    if 'train' not in task.splits:
      raise errors.UserError(
        f'SeqIO task {task.name} has no train split; it has'
        f' {", ".join(task.splits) or "none"}.'
      )
    sources[source] = task
  return dict(sorted(sources.items()))


def _vocabulary(sources: dict[str, Any]) -> dict[str, Any]:
  """The one vocabulary of all tasks."""
  described = {
    task.name: seqio_vocabulary.describe(task) for task in sources.values()
  }
  (first, vocabulary), *others = described.items()
  for name, other in others:
    if other != vocabulary:
      raise errors.UserError(
        f'SeqIO tasks {first} and {name} have different vocabularies'
        f' ({vocabulary["vocabulary"]} of {vocabulary["vocab_size"]:,} and'
        f' {other["vocabulary"]} of {other["vocab_size"]:,} tokens); a model'
        ' has one.'
      )
  return vocabulary


def _plan_fingerprint(
  plan: SeqioImport, sources: dict[str, Any], vocabulary: dict[str, Any]
) -> str:
  return storage.fingerprint(
    {
      'format': _FORMAT,
      'tasks': {source: task.name for source, task in sources.items()},
      'vocabulary': vocabulary,
      'sequence_length': plan.sequence_length,
      'task_length': plan.task_length,
      'validation_fraction': plan.validation_fraction,
      'sequences_per_file': plan.sequences_per_file,
    }
  )


def _dtype(vocabulary: dict[str, Any]) -> np.dtype:
  """The smallest of uint16 and uint32 that holds every token."""
  return np.dtype('u2' if vocabulary['vocab_size'] <= 2**16 else 'u4')


class _Spool:
  """Examples of one task, on disk; 17 bytes of each are in memory."""

  def __init__(self, file: pathlib.Path, dtype: np.dtype):
    self._file, self._dtype = file, dtype
    self._ends = array.array('q', [0])
    self._keys = array.array('Q')
    self._held_out = bytearray()

  def fill(self, examples: Iterator[tuple[np.ndarray, int, bool]]) -> None:
    """Takes (tokens, key, is held out) of every example."""
    with self._file.open('wb') as stream:
      for tokens, key, held_out in examples:
        stream.write(tokens.tobytes())
        self._ends.append(self._ends[-1] + len(tokens))
        self._keys.append(key)
        self._held_out.append(held_out)

  def read(self, held_out: bool) -> Iterator[np.ndarray]:
    """Yields the tokens of one side, in the order of the keys."""
    keys = np.array(self._keys, np.uint64)
    side = np.frombuffer(bytes(self._held_out), np.uint8) == held_out
    places = np.flatnonzero(side)
    stream = np.zeros(0, self._dtype)
    if self._ends[-1]:  # An empty file cannot be mapped.
      stream = np.memmap(self._file, self._dtype, 'r')
    for i in places[np.argsort(keys[places], kind='stable')]:
      yield np.array(stream[self._ends[i] : self._ends[i + 1]])


def _write_task(
  plan: SeqioImport,
  source: str,
  task: Any,
  vocabulary: dict[str, Any],
  read: Callable[[int], None],
  digest: Any,
) -> dict[str, manifest_lib.SplitShards]:
  """Split -> its shards; adds the examples to `digest`."""
  partial = pathlib.Path(plan.shards_dir) / _PARTIAL
  held = {}
  try:
    partial.mkdir(parents=True, exist_ok=True)
    spool = _Spool(partial / 'spool', _dtype(vocabulary))
    spool.fill(_split(plan, task, vocabulary, read))
    for split in manifest_lib.SPLITS:
      digest.update(f'{source} {split}'.encode())
      documents = spool.read(held_out=split == 'validation')
      held[split] = _write_split(
        plan, source, split, documents, vocabulary['token_bytes'], digest
      )
  except (OSError, RuntimeError) as error:
    raise errors.UserError(
      f'Cannot write the shards of {source} in {plan.shards_dir} ({error});'
      ' free space or choose another folder, then run `codelaw cache` again.'
    ) from error
  if not held['train'].documents:
    raise errors.UserError(
      f'SeqIO task {task.name} gave no training examples; leave it out of the'
      ' mixture, or check its data source.'
    )
  return held


def _split(
  plan: SeqioImport,
  task: Any,
  vocabulary: dict[str, Any],
  read: Callable[[int], None],
) -> Iterator[tuple[np.ndarray, int, bool]]:
  """Yields (tokens, key, is held out) of all examples of a task."""
  has_validation = 'validation' in task.splits
  fraction = 0.0 if has_validation else plan.validation_fraction
  splits = ('train', 'validation') if has_validation else ('train',)
  count = 0
  for split in splits:
    for tokens in _examples(plan, task, split, vocabulary):
      digest = hashlib.sha256(tokens.tobytes()).digest()
      key = int.from_bytes(digest[:8], 'big')
      yield tokens, key, split == 'validation' or key < fraction * 2**64
      count += 1
      if count % _TOLD_EXAMPLES == 0:
        read(count)


def _examples(
  plan: SeqioImport, task: Any, split: str, vocabulary: dict[str, Any]
) -> Iterator[np.ndarray]:
  """Tokens of each example of a split, without padding and last end token."""
  length = None if plan.task_length is None else {'targets': plan.task_length}
  try:
    dataset = task.get_dataset(
      sequence_length=length,
      split=split,
      use_cached=bool(task.supports_caching and task.cache_dir),
      shuffle=False,
      trim_output_features=plan.task_length is not None,
      try_in_mem_cache=False,
    )
    for example in dataset.as_numpy_iterator():
      yield _tokens(example['targets'], task, vocabulary)
  except (errors.UserError, GeneratorExit):
    raise
  except Exception as error:  # whatever a user's preprocessors raise
    text = ' '.join(str(error).split())[:300]
    raise errors.UserError(
      f'The {split} split of SeqIO task {task.name} cannot be read'
      f' ({type(error).__name__}: {text}); if it needs a length for targets,'
      ' set SeqioImport.task_length.'
    ) from error


def _tokens(
  targets: np.ndarray, task: Any, vocabulary: dict[str, Any]
) -> np.ndarray:
  tokens = np.trim_zeros(targets, 'b')
  size = vocabulary['vocab_size']
  if len(tokens) and not (
    tokens.min() > packing.PAD_ID and tokens.max() < size
  ):
    raise errors.UserError(
      f'SeqIO task {task.name} gives the token'
      f' {tokens.max() if tokens.max() >= size else tokens.min()} inside an'
      f' example; tokens must be 1 to {size - 1}, and 0 only pads at the end.'
    )
  if len(tokens) and tokens[-1] == packing.EOS_ID:
    tokens = tokens[:-1]
  return tokens.astype(_dtype(vocabulary))


def _write_split(
  plan: SeqioImport,
  source: str,
  split: str,
  documents: Iterator[np.ndarray],
  token_bytes: list[int] | None,
  digest: Any,
) -> manifest_lib.SplitShards:
  lengths = None if token_bytes is None else np.array(token_bytes)
  num_documents = num_tokens = num_bytes = 0

  def tokens() -> Iterator[np.ndarray]:
    nonlocal num_documents, num_tokens, num_bytes
    for ids in documents:
      digest.update(hashlib.sha256(ids.tobytes()).digest())
      num_documents += 1
      num_tokens += len(ids) + 1
      num_bytes += 0 if lengths is None else int(lengths[ids].sum())
      yield ids

  folder = pathlib.Path(plan.shards_dir)
  files = sequence_files.write(
    folder / _PARTIAL,
    split,
    packing.pack(tokens(), plan.sequence_length),
    plan.sequences_per_file,
  )
  files = tuple(_move(folder, source, file) for file in files)
  num_sequences = sum(file.sequences for file in files)
  padding = num_sequences * plan.sequence_length - num_tokens
  padded = np.array([num_sequences - 1] if padding else [], np.int64)
  return manifest_lib.SplitShards(
    packing='concatenate',
    documents=num_documents,
    bytes=num_bytes,
    tokens=num_tokens,
    sequences=num_sequences,
    padding_tokens=padding,
    truncated_tokens=0,
    left_out_documents=0,
    files=files,
    padding_file=manifest_lib.write_padding(
      plan.shards_dir, source, split, padded, np.full(len(padded), padding)
    ),
  )


def _move(
  folder: pathlib.Path, source: str, file: manifest_lib.ShardFile
) -> manifest_lib.ShardFile:
  """Gives a finished file its last name."""
  name = f'{source}/{file.name}'
  (folder / name).parent.mkdir(parents=True, exist_ok=True)
  os.replace(folder / _PARTIAL / file.name, folder / name)
  return dataclasses.replace(file, name=name)
