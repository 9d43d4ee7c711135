"""Builds a corpus with many workers, on Apache Beam.

The corpus is the one that `build.build` gives: the same documents, splits and
counts, and the same fingerprint; only the division into files differs. Every
document is known by its place (reader, part, place in the part), and of
two copies the one at the earlier place is the original.

  parts -> read, filter -> key, place, signature of each document
  by content key: the first document of those with the same text
  by band of the signature: pairs of near-copies
  by group: documents that belong together
  components of these pairs -> split of each component
  places of what is kept -> the parts are read again, and written

Texts are never grouped. A text that occurs a million times, or a million
documents with a band in common, move as places, keys and signatures; what is
kept is read a second time by the worker that writes it. What no worker divides
with others are the pairs, 0.2 kB for each document that has a copy, and
the documents of one band of signatures.

Apache Beam is imported when a function here is called, not before.
"""

from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import dataclasses
import functools
import hashlib
import importlib.util
import logging
import re
from typing import Any
from typing import NamedTuple
import uuid

import numpy as np

from codelaw import errors
from codelaw import storage
from codelaw.corpora import build as build_lib
from codelaw.corpora import clusters as clusters_lib
from codelaw.corpora import damage
from codelaw.corpora import deduplication
from codelaw.corpora import documents
from codelaw.corpora import reading
from codelaw.corpora import report
from codelaw.corpora import staging

# Runs in this process, or in as many as --direct_num_workers says. Beam's own
# default, DirectRunner, first tries to fetch a program from the network.
DEFAULT_RUNNER = 'FnApiRunner'
_KEY_BYTES = 16  # of a content key, enough to tell all texts apart
_NUMBERS_NAME = 'numbers.json'  # among what is staged
_COMPARED_AT_ONCE = 256
_USER_ERROR = re.compile(
  r'codelaw\.errors\.UserError: (.+?)'
  r'(?: \[while running |\\n|\n|$)'
)

_Numbers = dict[tuple[Any, ...], Any]
Tagged = tuple[str, Any]
PartPlace = tuple[int, int]  # reader and part


class Found(NamedTuple):
  """What is known of a document besides its text; ordered by its place.

  Attributes:
    place: of the reader, of the part, and in the part.
    source: typed stream that it belongs to.
    num_bytes: of the UTF-8 text.
    split_place: see `clusters.place`.
    signature: uint32 as bytes, empty without words or near-duplicates.
  """

  place: tuple[int, int, int]
  source: str
  num_bytes: int
  split_place: int
  signature: bytes


def is_installed() -> bool:
  """Whether Apache Beam is there to be imported."""
  return importlib.util.find_spec('apache_beam') is not None


def build(
  plan: build_lib.CorpusPlan,
  options: Sequence[str] = (),
  progress: build_lib.Progress | None = None,
) -> report.CorpusReport:
  """Builds the corpus of a plan as `build.build` does, on Apache Beam.

  Args:
    plan: what to build; its readers' files and its folder must be where all
      workers see them.
    options: flags of Beam and its runner, like `--runner=DataflowRunner`.
    progress: called with what is being done and the share that is done.

  Returns:
    What `corpus.json` holds.

  Raises:
    UserError: as `build.build`; when Beam is missing or does not take an
      option; when a source has so much text that `build.build` would stop
      reading it before its end.
  """
  return build_lib.build(
    plan, progress, functools.partial(_build, options=options)
  )


def _build(
  plan: build_lib.CorpusPlan,
  tell: build_lib.Progress,
  options: Sequence[str],
) -> build_lib.Built:
  beam = _beam()
  settings = _options(options)
  runner = settings.get_all_options()['runner']
  # What runs elsewhere cannot say how far it is.
  tell(f'reads, compares and writes on {runner}', 0.0)
  numbers = _run(beam, settings, plan)
  names = dict.fromkeys(
    name for reader in plan.readers for name in reader.source_names()
  )
  found = [report.DamagedItem(*item) for _, item in numbers['named',]]
  _check_damage(plan, numbers, found)
  reports = {name: _report(plan, name, numbers) for name in names}
  for name in names:
    _check_cut(plan, name, reports[name].bytes, numbers)
  for name, source in reports.items():
    lost = Counter(
      {why: held.documents for why, held in source.dropped.items()}
    )
    lost.update({**source.skipped, **source.damaged})
    described = staging.describe(
      source.bytes, source.documents, source.documents_read, lost
    )
    build_lib.check_size(plan, name, source.bytes, described)
    counts = {split: held.documents for split, held in source.splits.items()}
    build_lib.check_splits(plan, name, counts, source.largest_cluster)
  return build_lib.Built(reports, numbers.get(('identities',), 0), tuple(found))


def _pipeline(beam: Any, root: Any, plan: build_lib.CorpusPlan) -> None:
  """All steps from readers to files and the numbers of the index."""
  parts = (
    root
    | 'Readers' >> beam.Create(range(len(plan.readers)))
    | 'Parts' >> beam.FlatMap(_parts, plan)
    | 'Spread parts' >> beam.Reshuffle()
  )
  examined = parts | 'Examine' >> beam.FlatMap(_examine, plan)
  found = _only(
    beam, examined, 'found'
  ) | 'First of equal texts' >> beam.CombinePerKey(min)
  compared = (
    found
    | 'Bands' >> beam.FlatMap(_by_band, plan.deduplication)
    | 'By band' >> beam.GroupByKey()
    | 'Compare' >> beam.FlatMap(_compare, plan.deduplication)
  )
  grouped = (
    _only(beam, examined, 'group')
    | 'By group' >> beam.GroupByKey()
    | 'Join groups' >> beam.FlatMap(_join_group)
  )
  roots = (
    (_only(beam, compared, 'pair'), grouped)
    | 'All pairs' >> beam.Flatten()
    | 'To one worker' >> beam.Map(_under_none)
    | 'Pairs' >> beam.GroupByKey()
    | 'Components' >> beam.FlatMap(_components)
  )
  decided = (
    {'found': found, 'near': _only(beam, compared, 'near'), 'root': roots}
    | 'By key' >> beam.CoGroupByKey()
    | 'Clusters' >> beam.Map(_in_cluster)
    | 'By cluster' >> beam.GroupByKey()
    | 'Decide' >> beam.FlatMap(_decide, plan)
  )
  kept = _only(beam, decided, 'kept')
  files = (
    _only(beam, decided, 'size')
    | 'Size of parts' >> beam.CombinePerKey(sum)
    | 'Sizes to one worker' >> beam.Map(_under_none)
    | 'Sizes' >> beam.GroupByKey()
    | 'Divide into files' >> beam.FlatMap(_divide)
  )
  written = (
    {'part': parts, 'kept': kept, 'file': files}
    | 'By part' >> beam.CoGroupByKey()
    | 'Parts to write' >> beam.FlatMap(_to_write)
    | 'By file' >> beam.GroupByKey()
    | 'Write' >> beam.FlatMap(_write, plan)
  )
  numbers = []
  for kind, combine in (('sum', sum), ('largest', max), ('files', _joined)):
    collected = [
      _only(beam, collection, kind)
      for collection in (examined, decided, written)
    ]
    numbers.append(
      collected
      | f'All {kind}' >> beam.Flatten()
      | f'Combine {kind}' >> beam.CombinePerKey(combine)
      | f'{kind} to one worker' >> beam.Map(_under_none)
    )
  damaged = (
    _only(beam, examined, 'damaged')
    | 'First damaged' >> beam.combiners.Top.Smallest(damage.MOST_NAMED)
    | 'Damaged to one worker' >> beam.Map(_named_damage)
  )
  _ = (
    (*numbers, damaged)
    | 'All numbers' >> beam.Flatten()
    | 'Numbers' >> beam.GroupByKey()
    | 'Save' >> beam.Map(_save, plan.output_dir)
  )


def _only(beam: Any, collection: Any, tag: str) -> Any:
  """The values of a collection that have a tag."""
  name = f'{tag} of {collection.producer.full_label}'
  return collection | name >> beam.FlatMap(_with_tag, tag)


def _with_tag(item: Tagged, tag: str) -> Iterator[Any]:
  if item[0] == tag:
    yield item[1]


def _under_none(item: Any) -> tuple[None, Any]:
  return None, item


def _named_damage(items: list[Any]) -> tuple[None, Any]:
  return None, (('named',), items)


def _joined(collected: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
  return tuple(sorted(name for names in collected for name in names))


def _parts(
  number: int, plan: build_lib.CorpusPlan
) -> Iterator[tuple[PartPlace, Any]]:
  found = plan.readers[number].parts(plan.max_bytes_per_source)
  for place, part in enumerate(found):
    yield (number, place), part


def _read(
  place: PartPlace, part: Any, plan: build_lib.CorpusPlan
) -> Iterator[tuple[reading.Item, int]]:
  """What a part holds, each with the bytes of its text."""
  reader = plan.readers[place[0]]
  with build_lib.reading_from(reader):
    yield from map(build_lib.measured, reader.read(part, lambda source: False))


def _examine(
  item: tuple[PartPlace, Any], plan: build_lib.CorpusPlan
) -> Iterator[Tagged]:
  """Reads one part and yields what decides about its documents."""
  place, part = item
  sums: Counter[tuple[Any, ...]] = Counter()
  largest: Counter[str] = Counter()
  for number, (raw, size) in enumerate(_read(place, part, plan)):
    source = raw.source
    if isinstance(raw, reading.Skipped):
      sums['damaged' if raw.damaged else 'skipped', source, raw.reason] += 1
      if raw.damaged:
        sums['damaged of', source, place[0]] += 1
        named = dataclasses.astuple(damage.named(raw))
        yield 'damaged', ((*place, number), named)
      continue
    sums['documents of', source, place[0]] += 1
    reason = build_lib.drop_reason(plan, raw)
    if reason is not None:
      sums['dropped', source, reason] += 1
      sums['dropped bytes', source, reason] += size
      continue
    sums['passed', source] += 1
    sums['passed bytes', source] += size
    largest[source] = max(size, largest[source])
    key = deduplication.content_key(raw.text)
    signature = None
    if plan.deduplication.near_threshold:
      signature = deduplication.signature(raw.text, plan.deduplication)
    yield (
      'found',
      (
        _digest(key),
        Found(
          place=(*place, number),
          source=source,
          num_bytes=size,
          split_place=clusters_lib.place(raw.group or key),
          signature=b'' if signature is None else signature.tobytes(),
        ),
      ),
    )
    if raw.group:
      group = hashlib.sha256(raw.group.encode('utf-8')).digest()
      yield 'group', (group[:_KEY_BYTES], _digest(key))
  for name, value in sums.items():
    yield 'sum', (name, value)
  for source, size in largest.items():
    yield 'largest', (('document', source), size)


def _digest(key: str) -> bytes:
  return bytes.fromhex(key)[:_KEY_BYTES]


def _by_band(
  item: tuple[bytes, Found], settings: deduplication.Deduplication
) -> Iterator[tuple[bytes, tuple[tuple[int, int, int], bytes, bytes]]]:
  key, found = item
  if found.signature:
    signature = np.frombuffer(found.signature, np.uint32)
    for band in deduplication.band_keys(signature, settings):
      yield band.tobytes(), (found.place, key, found.signature)


def _compare(
  item: tuple[bytes, Iterable[tuple[Any, bytes, bytes]]],
  settings: deduplication.Deduplication,
) -> Iterator[Tagged]:
  """Pairs of near-copies in a band, and which have an earlier one.

  Of the pairs only those that join clusters are needed.
  """
  members = sorted(item[1])
  if len(members) < 2:
    return
  signatures = np.stack([np.frombuffer(m[2], np.uint32) for m in members])
  clusters = clusters_lib.Clusters()
  for node, (_, key, _) in enumerate(members):
    clusters.add()
    has_near = False
    for start in range(0, node, _COMPARED_AT_ONCE):
      others = np.arange(start, min(node, start + _COMPARED_AT_ONCE))
      others = others[clusters.roots(others) != clusters.root(node)]
      similar = deduplication.are_similar(
        signatures[others], signatures[node], settings
      )
      for other in others[similar].tolist():
        if clusters.root(other) != clusters.root(node):
          clusters.join(other, node)
          yield 'pair', (members[other][1], key)
        has_near = True
    if has_near:
      yield 'near', (key, None)


def _join_group(
  item: tuple[bytes, Iterable[bytes]],
) -> Iterator[tuple[bytes, bytes]]:
  """Joins every document of a group with one of them."""
  first = min(item[1])
  for other in item[1]:
    if other != first:
      yield first, other


def _components(
  item: tuple[None, Iterable[tuple[bytes, bytes]]],
) -> Iterator[tuple[bytes, bytes]]:
  """Yields (key, key that stands for its component) of all in `pairs`."""
  nodes: dict[bytes, int] = {}
  clusters = clusters_lib.Clusters()
  for pair in item[1]:
    for key in pair:
      if key not in nodes:
        nodes[key] = clusters.add()
    clusters.join(*map(nodes.__getitem__, pair))
  keys = list(nodes)
  for key, root in zip(keys, clusters.roots().tolist(), strict=True):
    yield key, keys[root]


def _in_cluster(item: tuple[bytes, Any]) -> tuple[bytes, Any]:
  """(key that stands for the cluster, what decides about the document)."""
  key, joined = item
  (found,) = joined['found']
  root = next(iter(joined['root']), key)
  is_near = any(True for _ in joined['near'])
  return root, (found._replace(signature=b''), is_near, key)


def _decide(
  item: tuple[bytes, Iterable[tuple[Found, bool, bytes]]],
  plan: build_lib.CorpusPlan,
) -> Iterator[Tagged]:
  """Keeps or drops the documents of one cluster, and splits it."""
  members = item[1]
  first = min(found for found, _, _ in members)
  is_held_out = clusters_lib.held_out(
    first.split_place, plan.validation_fraction
  )
  split = 'validation' if is_held_out else 'train'
  kept: Counter[str] = Counter()
  sums: Counter[tuple[str, ...]] = Counter()
  for found, is_near, key in members:
    *part, number = found.place
    source = found.source
    if is_near and plan.deduplication.drop_near:
      sums['dropped', source, 'near_duplicate'] += 1
      sums['dropped bytes', source, 'near_duplicate'] += found.num_bytes
      continue
    kept[source] += 1
    sums['copies kept', source] += is_near
    yield 'kept', (tuple(part), (number, split, key))
    yield 'size', (tuple(part), found.num_bytes)
  for source, count in kept.items():
    yield 'largest', (('cluster', source), count)
  for name, value in sums.items():
    if value:
      yield 'sum', (name, value)


def _divide(
  item: tuple[None, Iterable[tuple[PartPlace, int]]],
) -> Iterator[tuple[PartPlace, int]]:
  """Numbers files: consecutive parts that fill one together share it."""
  file = num_bytes = 0
  for place, size in sorted(item[1]):
    if num_bytes and num_bytes + size > documents.FILE_BYTES:
      file, num_bytes = file + 1, 0
    num_bytes += size
    yield place, file


def _to_write(item: tuple[PartPlace, Any]) -> Iterator[tuple[int, Any]]:
  """(number of the file, what to read again and what of it to keep)."""
  place, joined = item
  for file in joined['file']:
    (part,) = joined['part']
    yield file, (place, part, list(joined['kept']))


def _write(
  item: tuple[int, Iterable[Any]], plan: build_lib.CorpusPlan
) -> Iterator[Tagged]:
  """Reads parts again and writes what is kept of them, a file per source.

  Whoever writes the same at the same time, because a worker is slow or was
  given up, uses other names until the files are whole.
  """
  number, parts = item
  attempt = uuid.uuid4().hex
  staged = storage.path(plan.output_dir) / staging.FOLDER / attempt
  writers: dict[str, documents.SourceWriter] = {}
  sums: Counter[tuple[str, ...]] = Counter()
  for place, part, kept in sorted(parts, key=lambda entry: entry[0]):
    for document in _kept_documents(place, part, kept, plan):
      source, split = document.source, document.split
      if source not in writers:
        writers[source] = documents.SourceWriter(staged, source)
      with staging.writing(plan.output_dir):
        writers[source].write(document)
      sums['documents', source, split] += 1
      sums['bytes', source, split] += document.bytes
      sums['language', source, document.language] += 1
      sums['license', source, document.license] += 1
      sums['identities',] += documents.identity(
        source, split, document.content_sha256
      )
  with staging.writing(plan.output_dir):
    for source, writer in writers.items():
      files = tuple(
        _moved(staged, name, plan.output_dir, number) for name in writer.close()
      )
      yield 'files', (('files', source), files)
  for name, value in sums.items():
    yield 'sum', (name, value)


def _kept_documents(
  place: PartPlace,
  part: Any,
  kept: list[tuple[int, str, bytes]],
  plan: build_lib.CorpusPlan,
) -> Iterator[documents.Document]:
  """The documents of a part that are kept.

  Raises:
    UserError: when the part does not hold what it held at first.
  """
  left = {number: (split, key) for number, split, key in kept}
  for number, (raw, _) in enumerate(_read(place, part, plan)):
    if number not in left or isinstance(raw, reading.Skipped):
      continue
    split, key = left[number]
    if _digest(deduplication.content_key(raw.text)) != key:
      break
    del left[number]
    yield documents.document(raw, split)
    if not left:
      return
  if left:
    raise errors.UserError(
      f'{type(plan.readers[place[0]]).__name__} gave other documents when it'
      ' read a part again (what it reads changed meanwhile); build again when'
      ' nothing writes there.'
    )


def _moved(staged: Any, name: str, folder: str, number: int) -> str:
  """Gives a staged file its last name: relative to `folder`."""
  last = name.replace('/documents-', f'/documents-{number:05d}-')
  target = storage.path(folder) / last
  target.parent.mkdir(parents=True, exist_ok=True)
  (staged / name).replace(target)
  return last


def _save(item: tuple[None, Iterable[Any]], output_dir: str) -> None:
  """Hands what was counted to whoever started the workers."""
  storage.write_json(
    storage.path(output_dir) / staging.FOLDER / _NUMBERS_NAME,
    [[list(name), value] for name, value in item[1]],
  )


def _run(beam: Any, options: Any, plan: build_lib.CorpusPlan) -> _Numbers:
  """Runs the pipeline and returns what it counted.

  Raises:
    UserError: that of a worker.
  """
  log = logging.getLogger('apache_beam.runners')
  level = log.level
  try:
    # It would print the trace of every mistake, which is told below.
    log.setLevel(logging.CRITICAL)
    with beam.Pipeline(options=options) as root:
      _pipeline(beam, root, plan)
  except Exception as error:  # A runner raises what it likes.
    message = f'codelaw.errors.{type(error).__name__}: {error}'
    mistake = _USER_ERROR.search(message)
    if mistake is None:
      raise
    raise errors.UserError(mistake[1]) from error
  finally:
    log.setLevel(level)
  numbers = storage.read_json(
    storage.path(plan.output_dir) / staging.FOLDER / _NUMBERS_NAME
  )
  return {tuple(name): value for name, value in numbers}


def _report(
  plan: build_lib.CorpusPlan, source: str, numbers: _Numbers
) -> report.SourceReport:
  """What one source holds."""

  def by_name(kind: str) -> dict[str, int]:
    found = {
      name[2]: value
      for name, value in numbers.items()
      if name[:2] == (kind, source)
    }
    return dict(sorted(found.items(), key=lambda entry: (-entry[1], entry[0])))

  sizes = by_name('bytes')
  counts = by_name('documents')
  dropped_bytes = by_name('dropped bytes')
  dropped = by_name('dropped')
  # All with the same text but the first.
  dropped['exact_duplicate'] = (
    numbers.get(('passed', source), 0)
    - dropped.get('near_duplicate', 0)
    - sum(counts.values())
  )
  dropped_bytes['exact_duplicate'] = (
    numbers.get(('passed bytes', source), 0)
    - dropped_bytes.get('near_duplicate', 0)
    - sum(sizes.values())
  )
  read = sum(by_name('documents of').values())
  return report.SourceReport(
    splits={
      split: report.SplitReport(counts.get(split, 0), sizes.get(split, 0))
      for split in report.SPLITS
    },
    files=tuple(numbers.get(('files', source), ())),
    documents_read=read,
    dropped={
      reason: report.DroppedReport(count, dropped_bytes[reason])
      for reason, count in dropped.items()
      if count
    },
    languages=by_name('language'),
    licenses=by_name('license'),
    skipped=by_name('skipped'),
    damaged=by_name('damaged'),
    copies_kept=numbers.get(('copies kept', source), 0),
    largest_cluster=numbers.get(('cluster', source), 0),
  )


def _check_damage(
  plan: build_lib.CorpusPlan,
  numbers: _Numbers,
  named: Sequence[report.DamagedItem],
) -> None:
  """Raises `UserError` when too much of what a reader found is damaged."""
  for (kind, *name), count in sorted(numbers.items()):
    if kind == 'damaged of':
      source, reader = name
      damage.check(
        type(plan.readers[reader]).__name__,
        source,
        count,
        count + numbers.get(('documents of', source, reader), 0),
        [item for item in named if item.source == source],
        plan.max_damaged_fraction,
      )


def _check_cut(
  plan: build_lib.CorpusPlan, source: str, kept: int, numbers: _Numbers
) -> None:
  """Raises `UserError` when one process would not have read a source out."""
  largest = numbers.get(('document', source), 0)
  most = plan.max_bytes_per_source
  if kept + largest > most:
    raise errors.UserError(
      f'Source {source} keeps {kept:,} bytes, and its largest document has'
      f' {largest:,}: that close to CorpusPlan.max_bytes_per_source ='
      f' {most:,} a source is cut where its reading in order ends, which'
      ' workers do not know; raise the limit, give its reader less, or build'
      ' without --beam.'
    )


def _beam() -> Any:
  """Apache Beam, imported without its remarks on what else is missing."""
  logging.disable(logging.WARNING)
  try:
    import apache_beam
  except ImportError as error:
    raise errors.UserError(
      'Apache Beam is not installed; install codelaw[beam], or build without'
      ' --beam.'
    ) from error
  finally:
    logging.disable(logging.NOTSET)
  return apache_beam


def _options(flags: Sequence[str]) -> Any:
  """Beam's options from flags, with our runner unless they name one.

  Raises:
    UserError: for a runner that is not there, a value that is none, or a flag
      that the local runner does not know.
  """
  from apache_beam.options import pipeline_options
  from apache_beam.runners import runner as beam_runner

  if not any(flag.split('=')[0] == '--runner' for flag in flags):
    flags = [*flags, f'--runner={DEFAULT_RUNNER}']
  try:
    options = pipeline_options.PipelineOptions(list(flags))
    known = options.get_all_options()
    every = options.get_all_options(retain_unknown_options=True)
    beam_runner.create_runner(known['runner'])
  except SystemExit as error:
    raise errors.UserError(
      f'Apache Beam does not take {" ".join(flags)!r} (see above).'
    ) from error
  except (AttributeError, ImportError, ValueError) as error:
    raise errors.UserError(
      f'Apache Beam has no runner {known["runner"]} here ({error}).'
    ) from error
  unknown = sorted(every.keys() - known.keys())
  # Runners elsewhere have options that are not known here.
  if unknown and known['runner'] == DEFAULT_RUNNER:
    raise errors.UserError(
      f'Apache Beam has no option --{unknown[0]}; its documentation lists them'
      ' under PipelineOptions.'
    )
  return options
