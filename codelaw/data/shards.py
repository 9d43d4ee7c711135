"""Corpus to packed shards: tokenizer, ArrayRecord files, manifest last.

The documents of each source and split are divided into parts by content hash,
and each part is packed alone (see `parts`). Parts that are finished wait
below `.partial/`; when all are there, their files get their last names and
the manifest is written. So a stopped writer leaves finished parts, which the
next one keeps, and no manifest.

Memory of a process that writes parts: the documents of one part
(`CachePlan.part_bytes` of UTF-8 text; Python needs up to four times that for
text beyond Latin-1), what packing holds, and about 300 MB for libraries, one
row group and one chunk of tokens. Each worker process holds one part.

`write` does it all in one call. A cluster calls its steps: `prepare`, `parts`,
`write_part` in any order on any process that sees the folders, `finish`.
"""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
import contextlib
import dataclasses
import fnmatch
import functools
import itertools
import pathlib
import shutil

from codelaw import errors
from codelaw import storage
from codelaw.corpora import documents
from codelaw.corpora import report
from codelaw.data import manifest as manifest_lib
from codelaw.data import packing as packing_lib
from codelaw.data import part_writer
from codelaw.data import parts as parts_lib
from codelaw.data import tokenizer as tokenizer_lib
from codelaw.data import workers

_FORMAT = 2  # Changes when the same plan would write other shards.
_PARTIAL = '.partial'  # Folder of everything that is not finished.
_PLAN_NAME = 'plan.json'  # In it: whose parts they are.
# Pairs of programs are told apart by nothing but their order, so a cut one
# teaches the wrong thing.
_DEFAULT_PACKING = {'parallel/*': 'whole'}


@dataclasses.dataclass(frozen=True)
class CachePlan:
  """What `codelaw cache` is meant to write.

  Attributes:
    corpus_dir: folder that `codelaw corpus build` wrote.
    shards_dir: folder to write, on a local or mounted disk.
    vocab_size: tokens of the tokenizer.
    sequence_length: tokens per sequence.
    tokenizer_path: a `tokenizer.json` to use; by default one is trained.
    sample_bytes_per_token: training text, per token of the vocabulary and
      shared equally among the sources, that a tokenizer is trained on.
    sequences_per_file: at the most.
    packing: pattern of source names, as in a shell -> one of
      `packing.PACKINGS`. The first pattern that fits a source counts; a
      source that none fits is concatenated.
    part_bytes: of documents that are ordered and packed together, at about.
      Each part may end in a padded sequence. Parts are what workers share
      and what bounds their memory.
  """

  corpus_dir: str
  shards_dir: str
  vocab_size: int
  sequence_length: int
  tokenizer_path: str | None = None
  sample_bytes_per_token: int = 10_000
  sequences_per_file: int = 1_000_000
  packing: Mapping[str, str] = dataclasses.field(
    default_factory=lambda: dict(_DEFAULT_PACKING)
  )
  part_bytes: int = 512_000_000

  def __post_init__(self):
    for name, least in (
      ('vocab_size', tokenizer_lib.MIN_VOCAB_SIZE),
      ('sequence_length', 2),
      ('sample_bytes_per_token', 1),
      ('sequences_per_file', 1),
      ('part_bytes', 1),
    ):
      value = getattr(self, name)
      if not isinstance(value, int) or value < least:
        raise errors.UserError(
          f'CachePlan.{name} must be a whole number of at least {least}, got'
          f' {value!r}.'
        )
    tokenizer_lib.check_vocab_size(self.vocab_size)
    for name in ('corpus_dir', 'shards_dir'):
      value = getattr(self, name)
      if not isinstance(value, str) or not value:
        raise errors.UserError(
          f'CachePlan.{name} must be a folder, got {value!r}.'
        )
    if '://' in self.shards_dir:
      raise errors.UserError(
        'ArrayRecord files are written to disks, not to'
        f' {self.shards_dir}; mount the bucket, or copy the folder there.'
      )
    if not isinstance(self.packing, Mapping):
      raise errors.UserError(
        "CachePlan.packing must map sources to packings, like {'parallel/*':"
        f" 'whole'}}; got {self.packing!r}."
      )
    for pattern, packing in self.packing.items():
      if not isinstance(pattern, str) or packing not in packing_lib.PACKINGS:
        raise errors.UserError(
          f'CachePlan.packing[{pattern!r}] must be one of'
          f' {", ".join(packing_lib.PACKINGS)}; got {packing!r}.'
        )

  def packing_of(self, source: str) -> str:
    """The packing of a source."""
    for pattern, packing in self.packing.items():
      if fnmatch.fnmatchcase(source, pattern):
        return packing
    return 'concatenate'


def write(
  plan: CachePlan,
  progress: manifest_lib.Progress | None = None,
  num_workers: int = 1,
) -> manifest_lib.Manifest:
  """Writes the shards of a corpus, unless they are already there.

  A writer that is stopped leaves no manifest; the next one of the same plan
  keeps the parts that were finished.

  Args:
    plan: what to write.
    progress: called with what is being done and the share that is done.
    num_workers: processes that write parts; the shards do not depend on it.
      The tokenizer's threads leave the cores idle while one process reads,
      packs and writes, so that a process per core is faster.

  Returns:
    The manifest of `plan.shards_dir`.

  Raises:
    UserError: when the folder holds shards of another plan or corpus,
      finished or not, or is being written by another process; when there is
      no corpus; when the tokenizer cannot be trained or read; when the disk
      refuses a file.
  """
  if not isinstance(num_workers, int) or num_workers < 1:
    raise errors.UserError(
      f'The number of workers must be at least 1, got {num_workers!r}.'
    )
  tell = progress or (lambda message, fraction: None)
  corpus = report.read(plan.corpus_dir)
  with storage.exclusive(plan.shards_dir):
    if manifest_lib.exists(plan.shards_dir):
      return _existing(plan, corpus, tell)
    prepare(plan, tell)
    try:
      written = _write_parts(plan, corpus, num_workers, tell)
    finally:
      parts_lib.remove_unfinished(_partial(plan))
    manifest = finish(plan, written)
    tell(f'wrote {plan.shards_dir}', 1.0)
    return manifest


def prepare(
  plan: CachePlan, progress: manifest_lib.Progress | None = None
) -> None:
  """Claims the folder for the plan and puts the tokenizer there.

  Raises:
    UserError: when the folder holds finished parts of another plan, or the
      tokenizer cannot be trained, read or written.
  """
  tell = progress or (lambda message, fraction: None)
  corpus = report.read(plan.corpus_dir)
  fingerprint = _plan_fingerprint(plan, corpus)
  partial = _partial(plan)
  claim = partial / _PLAN_NAME
  claimed = storage.read_json(claim) if claim.exists() else None
  if claimed != fingerprint:
    if parts_lib.any_recorded(partial):
      raise errors.UserError(
        f'{plan.shards_dir} holds unfinished shards of another plan or'
        ' corpus; name another folder, or delete that one.'
      )
    shutil.rmtree(partial, ignore_errors=True)
  parts_lib.remove_unfinished(partial)
  file = partial / manifest_lib.TOKENIZER_NAME
  if not file.exists():
    tokenizer_lib.save(_tokenizer(plan, corpus, tell), file)
  storage.write_json(claim, fingerprint)


def parts(
  plan: CachePlan, corpus: report.CorpusReport
) -> tuple[parts_lib.Part, ...]:
  """The parts of the shards, in the order of their sequences.

  Raises:
    UserError: for a packing of sources that the corpus does not have.
  """
  for pattern in plan.packing:
    if pattern not in _DEFAULT_PACKING and not fnmatch.filter(
      corpus.sources, pattern
    ):
      raise errors.UserError(
        f'CachePlan.packing names {pattern!r}, which fits no source of'
        f' {plan.corpus_dir}; it has {", ".join(corpus.sources)}.'
      )
  found = []
  for source in sorted(corpus.sources):
    for split in manifest_lib.SPLITS:
      count = 1 + _totals(corpus, source, split).bytes // plan.part_bytes
      found += [
        parts_lib.Part(source, split, number, count) for number in range(count)
      ]
  return tuple(found)


def write_part(
  plan: CachePlan,
  part: parts_lib.Part,
  items: Iterable[documents.Document] | None = None,
  packed: Callable[[int], None] | None = None,
) -> parts_lib.PartShards:
  """Writes one part, unless it is already there.

  Args:
    plan: for which `prepare` was called.
    part: one of `parts`.
    items: the documents of the part in the order of their content hash, for
      a caller that has them; by default they are read from the corpus, of
      which every document of the source is decompressed.
    packed: called with the bytes of documents packed so far.

  Raises:
    UserError: when the corpus cannot be read or the disk refuses a file.
  """
  root = _partial(plan)
  tokenizer_file = root / manifest_lib.TOKENIZER_NAME
  key = storage.fingerprint(
    {
      'plan': storage.read_json(root / _PLAN_NAME),
      'tokenizer': manifest_lib.checksum(tokenizer_file),
    }
  )
  found = parts_lib.recorded(root, part, key)
  if found is not None:
    return found
  if items is None:
    items = parts_lib.read_documents(plan.corpus_dir, part)
  return part_writer.write(
    root,
    part,
    key,
    part_writer.Settings(
      packing=plan.packing_of(part.source),
      sequence_length=plan.sequence_length,
      token_dtype=token_dtype(plan),
      sequences_per_file=plan.sequences_per_file,
    ),
    part_writer.load_tokenizer(tokenizer_file),
    items,
    packed,
  )


def finish(
  plan: CachePlan, written: Sequence[parts_lib.PartShards]
) -> manifest_lib.Manifest:
  """Gives the files of all parts their last names and writes the manifest.

  Args:
    plan: of the shards.
    written: all that `write_part` returned, in any order.

  Raises:
    UserError: when the corpus's files do not hold the documents that its
      index lists, or the disk refuses a file.
  """
  corpus = report.read(plan.corpus_dir)
  by_part = {item.part: item for item in written}
  partial = _partial(plan)
  folder = pathlib.Path(plan.shards_dir)
  sources: dict[str, dict[str, manifest_lib.SplitShards]] = {}
  everything = parts(plan, corpus)
  missing = [part for part in everything if part not in by_part]
  if missing or len({item.key for item in written}) != 1:
    raise ValueError(f'not the parts of one writing; missing: {missing[:3]}')
  groups = [
    (name, [by_part[part] for part in group])
    for name, group in itertools.groupby(
      everything, key=lambda part: (part.source, part.split)
    )
  ]
  for (source, split), group in groups:
    listed = _totals(corpus, source, split).documents
    parts_lib.check_documents(partial, group, listed, plan.corpus_dir)
  try:
    for (source, split), group in groups:
      sources.setdefault(source, {})[split] = parts_lib.merged(
        folder, partial, group, plan.sequence_length
      )
  except OSError as error:
    raise errors.UserError(
      f'Cannot give the shards in {folder} their last names ({error}); free'
      ' space or choose another folder, then run `codelaw cache` again.'
    ) from error
  tokenizer_file = folder / manifest_lib.TOKENIZER_NAME
  storage.write_bytes(
    tokenizer_file, (partial / manifest_lib.TOKENIZER_NAME).read_bytes()
  )
  manifest = manifest_lib.Manifest(
    vocab_size=plan.vocab_size,
    sequence_length=plan.sequence_length,
    token_dtype=token_dtype(plan),
    tokenizer_fingerprint=manifest_lib.tokenizer_fingerprint(tokenizer_file),
    corpus_fingerprint=corpus.fingerprint,
    plan_fingerprint=_plan_fingerprint(plan, corpus),
    sources=sources,
  )
  manifest_lib.write(folder, manifest)
  shutil.rmtree(partial, ignore_errors=True)
  return manifest


def _write_parts(
  plan: CachePlan,
  corpus: report.CorpusReport,
  num_workers: int,
  tell: manifest_lib.Progress,
) -> list[parts_lib.PartShards]:
  todo = parts(plan, corpus)
  total = sum(_part_bytes(corpus, part) for part in todo)
  written: list[parts_lib.PartShards] = []
  done = 0.0

  def write_here(part: parts_lib.Part) -> parts_lib.PartShards:
    name = f'{part.source} {part.split}'
    return write_part(
      plan,
      part,
      packed=lambda num_bytes: tell(name, min(1, (done + num_bytes) / total)),
    )

  # A worker process has nobody to tell before its part is done.
  work = write_here if num_workers == 1 else functools.partial(write_part, plan)
  with contextlib.closing(workers.run(work, todo, num_workers)) as results:
    for index, result in results:
      written.append(result)
      done += _part_bytes(corpus, todo[index])
      tell(f'{len(written)} of {len(todo)} parts', min(0.999, done / total))
  return written


def _part_bytes(corpus: report.CorpusReport, part: parts_lib.Part) -> float:
  return _totals(corpus, part.source, part.split).bytes / part.num_parts


def _partial(plan: CachePlan) -> pathlib.Path:
  return pathlib.Path(plan.shards_dir) / _PARTIAL


def _plan_fingerprint(plan: CachePlan, corpus: report.CorpusReport) -> str:
  """Of what decides the content of the shards; folders do not."""
  return storage.fingerprint(
    {
      'format': _FORMAT,
      'corpus': corpus.fingerprint,
      'vocab_size': plan.vocab_size,
      'sequence_length': plan.sequence_length,
      'tokenizer': (
        manifest_lib.tokenizer_fingerprint(plan.tokenizer_path)
        if plan.tokenizer_path
        else {'sample_bytes_per_token': plan.sample_bytes_per_token}
      ),
      'sequences_per_file': plan.sequences_per_file,
      'packing': {s: plan.packing_of(s) for s in sorted(corpus.sources)},
      'part_bytes': plan.part_bytes,
    }
  )


def _existing(
  plan: CachePlan, corpus: report.CorpusReport, tell: manifest_lib.Progress
) -> manifest_lib.Manifest:
  manifest = manifest_lib.read(plan.shards_dir)
  if manifest.plan_fingerprint != _plan_fingerprint(plan, corpus):
    other_corpus = manifest.corpus_fingerprint != corpus.fingerprint
    raise errors.UserError(
      f'{plan.shards_dir} holds the shards of another'
      f' {"corpus" if other_corpus else "plan"} ({manifest.vocab_size} tokens'
      f' of vocabulary, sequences of {manifest.sequence_length}; this plan'
      f' has {plan.vocab_size} and {plan.sequence_length}); name another'
      ' folder, or delete that one.'
    )
  tell(f'{plan.shards_dir}: already there, nothing written', 1.0)
  return manifest


def token_dtype(plan: CachePlan) -> str:
  """The smallest of uint16 and uint32 that holds every token."""
  return 'uint16' if plan.vocab_size <= 2**16 else 'uint32'


def _tokenizer(
  plan: CachePlan, corpus: report.CorpusReport, tell: manifest_lib.Progress
) -> tokenizer_lib.Tokenizer:
  if plan.tokenizer_path is None:
    tell(f'learns a tokenizer of {plan.vocab_size:,} tokens', 0.0)
    sample = parts_lib.sample(
      plan.corpus_dir,
      [part for part in parts(plan, corpus) if part.split == 'train'],
      plan.vocab_size * plan.sample_bytes_per_token,
    )
    return tokenizer_lib.train(sample, plan.vocab_size)
  tokenizer = tokenizer_lib.load(plan.tokenizer_path)
  if tokenizer.get_vocab_size() != plan.vocab_size:
    raise errors.UserError(
      f'{plan.tokenizer_path} has {tokenizer.get_vocab_size()} tokens,'
      f' CachePlan.vocab_size is {plan.vocab_size}; make them equal.'
    )
  return tokenizer


def _totals(
  corpus: report.CorpusReport, source: str, split: str
) -> report.SplitReport:
  splits = corpus.sources[source].splits
  return splits.get(split, report.SplitReport(documents=0, bytes=0))
