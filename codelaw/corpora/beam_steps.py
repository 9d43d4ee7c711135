"""The steps of a corpus on Apache Beam, from readers to files and counts.

Every document is known by its place (reader, part, place in the part), and of
two copies the one at the earlier place is the original.

  parts -> read, filter -> key, place, signature of each document
  by content key: the first document of those with the same text
  by band of the signature: documents that share one
  of these by band, with signatures: pairs of near-copies
  by group: documents that belong together
  components of these pairs -> split of each component
  places of what is kept -> the parts are read again, and written

Texts are never grouped. A text that occurs a million times, or a million
documents with a band in common, move as places, keys and signatures; what is
kept is read a second time by the worker that writes it. One worker alone
holds all pairs of copies (0.2 kB for each document that has one), and one
worker the signatures of one band (0.7 kB a document).

What a pipeline counts leaves it as a file, among what is staged:
`read_numbers`.
"""

from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from codelaw import storage
from codelaw.corpora import beam_copies
from codelaw.corpora import beam_files
from codelaw.corpora import beam_reading
from codelaw.corpora import clusters as clusters_lib
from codelaw.corpora import damage
from codelaw.corpora import plan as plan_lib
from codelaw.corpora import staging

_NUMBERS_NAME = 'numbers.json'

# What was counted: (what, source, more about it) -> number.
Numbers = dict[tuple[Any, ...], Any]


def add_steps(beam: Any, root: Any, plan: plan_lib.CorpusPlan) -> None:
  """All steps from readers to files and the numbers of the index."""
  parts = (
    root
    | 'Readers' >> beam.Create(range(len(plan.readers)))
    | 'Parts' >> beam.FlatMap(beam_reading.parts, plan)
    | 'Spread parts' >> beam.Reshuffle()
  )
  examined = parts | 'Examine' >> beam.FlatMap(beam_reading.examine, plan)
  found = _only(
    beam, examined, 'found'
  ) | 'First of equal texts' >> beam.CombinePerKey(min)
  # Most documents share no band, so that bands are compared without
  # signatures first.
  shared = (
    found
    | 'Bands' >> beam.FlatMap(beam_copies.by_band, plan.deduplication)
    | 'By band' >> beam.GroupByKey()
    | 'Shared bands' >> beam.FlatMap(beam_copies.of_several)
  )
  compared = (
    {'found': found, 'band': shared}
    | 'Join signatures' >> beam.CoGroupByKey()
    | 'With signature' >> beam.FlatMap(beam_copies.with_signature)
    | 'By shared band' >> beam.GroupByKey()
    | 'Compare' >> beam.FlatMap(beam_copies.compare, plan.deduplication)
  )
  grouped = (
    _only(beam, examined, 'group')
    | 'By group' >> beam.GroupByKey()
    | 'Join groups' >> beam.FlatMap(beam_copies.join_group)
  )
  roots = (
    (_only(beam, compared, 'pair'), grouped)
    | 'All pairs' >> beam.Flatten()
    | 'To one worker' >> beam.Map(_under_none)
    | 'Pairs' >> beam.GroupByKey()
    | 'Components' >> beam.FlatMap(beam_copies.components)
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
    | 'Divide into files' >> beam.FlatMap(beam_files.divide)
  )
  written = (
    {'part': parts, 'kept': kept, 'file': files}
    | 'By part' >> beam.CoGroupByKey()
    | 'Parts to write' >> beam.FlatMap(beam_files.to_write)
    | 'By file' >> beam.GroupByKey()
    | 'Write' >> beam.FlatMap(beam_files.write, plan)
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


def _with_tag(item: beam_reading.Tagged, tag: str) -> Iterator[Any]:
  if item[0] == tag:
    yield item[1]


def _under_none(item: Any) -> tuple[None, Any]:
  return None, item


def _named_damage(items: list[Any]) -> tuple[None, Any]:
  return None, (('named',), items)


def _joined(collected: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
  return tuple(sorted(name for names in collected for name in names))


def _in_cluster(item: tuple[bytes, Any]) -> tuple[bytes, Any]:
  """(key that stands for the cluster, what decides about the document)."""
  key, joined = item
  (found,) = joined['found']
  root = next(iter(joined['root']), key)
  is_near = any(True for _ in joined['near'])
  return root, (found._replace(signature=b''), is_near, key)


def _decide(
  item: tuple[bytes, Iterable[tuple[beam_reading.Found, bool, bytes]]],
  plan: plan_lib.CorpusPlan,
) -> Iterator[beam_reading.Tagged]:
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
    reason = None
    if is_near and plan.deduplication.drop_near:
      reason = 'near_duplicate'
    else:
      sums['only', source, found.only_split] += 1
      if found.only_split not in ('', split):
        reason = 'other_split'
    if reason is not None:
      sums['dropped', source, reason] += 1
      sums['dropped bytes', source, reason] += found.num_bytes
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


def _save(item: tuple[None, Iterable[Any]], output_dir: str) -> None:
  """Hands what was counted to whoever started the workers."""
  storage.write_json(
    storage.path(output_dir) / staging.FOLDER / _NUMBERS_NAME,
    [[list(name), value] for name, value in item[1]],
  )


def read_numbers(plan: plan_lib.CorpusPlan) -> Numbers:
  """What the pipeline of a plan counted."""
  numbers = storage.read_json(
    storage.path(plan.output_dir) / staging.FOLDER / _NUMBERS_NAME
  )
  return {tuple(name): value for name, value in numbers}
