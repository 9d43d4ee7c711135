"""Corpus to packed shards: tokenizer, ArrayRecord files, manifest last.

Documents of a source and split are packed in the order of their content
hash, so that neighbouring files do not stay neighbours, and so that the first
sequences of a split are a fair sample of it.
"""

from collections.abc import Callable
from collections.abc import Iterator
import dataclasses
import pathlib

import numpy as np

from codelaw import errors
from codelaw import storage
from codelaw.corpora import documents
from codelaw.corpora import report
from codelaw.data import manifest as manifest_lib
from codelaw.data import packing
from codelaw.data import sequence_files
from codelaw.data import tokenizer as tokenizer_lib

_FORMAT = 2  # Changes when the same plan would write other shards.
_PASS_BYTES = 512_000_000  # of documents held in memory to be ordered.
_CHUNK_BYTES = 8_000_000  # of documents tokenized at once.


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
  """

  corpus_dir: str
  shards_dir: str
  vocab_size: int
  sequence_length: int
  tokenizer_path: str | None = None
  sample_bytes_per_token: int = 10_000
  sequences_per_file: int = 1_000_000

  def __post_init__(self):
    for name, least in (
      ('vocab_size', tokenizer_lib.MIN_VOCAB_SIZE),
      ('sequence_length', 2),
      ('sample_bytes_per_token', 1),
      ('sequences_per_file', 1),
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


def write(
  plan: CachePlan, progress: manifest_lib.Progress | None = None
) -> manifest_lib.Manifest:
  """Writes the shards of a corpus, unless they are already there.

  A writer that is stopped leaves no manifest, and the next one starts again.

  Args:
    plan: what to write.
    progress: called with what is being done and the share that is done.

  Returns:
    The manifest of `plan.shards_dir`.

  Raises:
    UserError: when the folder holds shards of another plan or corpus, or is
      being written by another process; when there is no corpus; when the
      tokenizer cannot be trained or read; when the disk refuses a file.
  """
  tell = progress or (lambda message, fraction: None)
  corpus = report.read(plan.corpus_dir)
  with storage.exclusive(plan.shards_dir):
    if manifest_lib.exists(plan.shards_dir):
      return _existing(plan, corpus, tell)
    folder = pathlib.Path(plan.shards_dir)
    tokenizer = _tokenizer(plan, corpus, tell)
    sources = _write_sources(plan, tokenizer, corpus, tell)
    sequence_files.remove_partial(folder)
    tokenizer_file = folder / manifest_lib.TOKENIZER_NAME
    tokenizer_lib.save(tokenizer, tokenizer_file)
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
    tell(f'wrote {plan.shards_dir}', 1.0)
    return manifest


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
    return tokenizer_lib.train(tokenizer_sample(plan), plan.vocab_size)
  tokenizer = tokenizer_lib.load(plan.tokenizer_path)
  if tokenizer.get_vocab_size() != plan.vocab_size:
    raise errors.UserError(
      f'{plan.tokenizer_path} has {tokenizer.get_vocab_size()} tokens,'
      f' CachePlan.vocab_size is {plan.vocab_size}; make them equal.'
    )
  return tokenizer


def tokenizer_sample(plan: CachePlan) -> Iterator[str]:
  """Training text, as many bytes of each source (all of a smaller one)."""
  corpus = report.read(plan.corpus_dir)
  total = plan.vocab_size * plan.sample_bytes_per_token
  share = total // len(corpus.sources)
  for source in sorted(corpus.sources):
    left = share
    for document in _in_content_order(plan, corpus, source, 'train'):
      # A cut inside a character drops the character.
      yield document.text.encode()[:left].decode(errors='ignore')
      left -= document.bytes
      if left <= 0:
        break


def _in_content_order(
  plan: CachePlan, corpus: report.CorpusReport, source: str, split: str
) -> Iterator[documents.Document]:
  """Documents by content hash, holding about `_PASS_BYTES` of them at once."""
  passes = 1 + _totals(corpus, source, split).bytes // _PASS_BYTES
  for number in range(passes):
    part = [
      document
      for document in documents.read_documents(plan.corpus_dir, source, split)
      if int(document.content_sha256[:8], 16) * passes >> 32 == number
    ]
    yield from sorted(part, key=lambda document: document.content_sha256)


def _totals(
  corpus: report.CorpusReport, source: str, split: str
) -> report.SplitReport:
  splits = corpus.sources[source].splits
  return splits.get(split, report.SplitReport(documents=0, bytes=0))


@dataclasses.dataclass
class _Tally:
  """What went through the packing of one source and split."""

  documents: int = 0
  bytes: int = 0
  tokens: int = 0
  stored_tokens: int = 0


def _write_sources(
  plan: CachePlan,
  tokenizer: tokenizer_lib.Tokenizer,
  corpus: report.CorpusReport,
  tell: manifest_lib.Progress,
) -> dict[str, dict[str, manifest_lib.SplitShards]]:
  parts = [
    (source, split)
    for source in sorted(corpus.sources)
    for split in manifest_lib.SPLITS
  ]
  total = sum(_totals(corpus, *part).bytes for part in parts)
  sources: dict[str, dict[str, manifest_lib.SplitShards]] = {}
  done = 0
  for source, split in parts:

    def packed(num_bytes: int, name=f'{source} {split}', before=done) -> None:
      tell(name, (before + num_bytes) / total)

    held = _write_split(plan, tokenizer, corpus, source, split, packed)
    sources.setdefault(source, {})[split] = held
    done += held.bytes
  return sources


def _write_split(
  plan: CachePlan,
  tokenizer: tokenizer_lib.Tokenizer,
  corpus: report.CorpusReport,
  source: str,
  split: str,
  packed: Callable[[int], None],
) -> manifest_lib.SplitShards:
  tally = _Tally()
  items = _in_content_order(plan, corpus, source, split)
  total = _totals(corpus, source, split)

  def tokens() -> Iterator[np.ndarray]:
    for chunk in _chunks(items):
      encoded = tokenizer_lib.encode(tokenizer, [item.text for item in chunk])
      for item, ids in zip(chunk, encoded, strict=True):
        tally.documents += 1
        tally.bytes += item.bytes
        tally.tokens += len(ids) + 1
        yield ids.astype(token_dtype(plan))
      packed(tally.bytes)

  padded: list[tuple[int, int]] = []

  def sequences() -> Iterator[np.ndarray]:
    for index, sequence in enumerate(
      packing.pack(tokens(), plan.sequence_length)
    ):
      padding = int(np.sum(sequence == packing.PAD_ID))
      if padding:
        padded.append((index, padding))
      tally.stored_tokens += len(sequence) - padding
      yield sequence

  files = sequence_files.write(
    pathlib.Path(plan.shards_dir),
    f'{source}/{split}',
    sequences(),
    plan.sequences_per_file,
  )
  if tally.documents != total.documents:
    raise errors.UserError(
      f'{plan.corpus_dir} lists {total.documents} {split} documents of'
      f' {source}, its files hold {tally.documents}; delete the folder and'
      ' run `codelaw corpus build` again.'
    )
  num_sequences = sum(file.sequences for file in files)
  indices, paddings = np.array(padded, np.int64).reshape(-1, 2).T
  return manifest_lib.SplitShards(
    packing='concatenate',
    documents=tally.documents,
    bytes=tally.bytes,
    tokens=tally.stored_tokens,
    sequences=num_sequences,
    padding_tokens=num_sequences * plan.sequence_length - tally.stored_tokens,
    truncated_tokens=tally.tokens - tally.stored_tokens,
    left_out_documents=0,
    files=files,
    padding_file=manifest_lib.write_padding(
      plan.shards_dir, source, split, indices, paddings
    ),
  )


def _chunks(
  items: Iterator[documents.Document],
) -> Iterator[list[documents.Document]]:
  """Documents by groups that are worth handing to the tokenizer's threads."""
  chunk: list[documents.Document] = []
  size = 0
  for item in items:
    chunk.append(item)
    size += item.bytes
    if size >= _CHUNK_BYTES:
      yield chunk
      chunk, size = [], 0
  if chunk:
    yield chunk
