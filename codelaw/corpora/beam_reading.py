"""What workers know of a part: its documents, and what decides about them."""

from collections import Counter
from collections.abc import Iterator
import dataclasses
import hashlib
from typing import Any
from typing import NamedTuple

from codelaw.corpora import build as build_lib
from codelaw.corpora import clusters
from codelaw.corpora import damage
from codelaw.corpora import deduplication
from codelaw.corpora import plan as plan_lib
from codelaw.corpora import reading

_KEY_BYTES = 16  # of a content key, enough to tell all texts apart

# What a step yields of one kind: its name, and the value.
Tagged = tuple[str, Any]
PartPlace = tuple[int, int]  # reader and part


class Found(NamedTuple):
  """What is known of a document besides its text; ordered by its place.

  Attributes:
    place: of the reader, of the part, and in the part.
    source: typed stream that it belongs to.
    num_bytes: of the UTF-8 text.
    split_place: see `clusters.split_place`.
    only_split: as of a `RawDocument`.
    signature: uint32 as bytes, empty without words or near-duplicates.
  """

  place: tuple[int, int, int]
  source: str
  num_bytes: int
  split_place: int
  only_split: str
  signature: bytes


def parts(
  number: int, plan: plan_lib.CorpusPlan
) -> Iterator[tuple[PartPlace, Any]]:
  """The parts of one reader, with their places."""
  found = plan.readers[number].parts(plan.max_bytes_per_source)
  for place, part in enumerate(found):
    yield (number, place), part


def read(
  place: PartPlace, part: Any, plan: plan_lib.CorpusPlan
) -> Iterator[tuple[reading.Item, int]]:
  """What a part holds, each with the bytes of its text."""
  reader = plan.readers[place[0]]
  with build_lib.reading_from(reader):
    yield from map(build_lib.measured, reader.read(part, lambda source: False))


def examine(
  item: tuple[PartPlace, Any], plan: plan_lib.CorpusPlan
) -> Iterator[Tagged]:
  """Reads one part and yields what decides about its documents."""
  place, part = item
  sums: Counter[tuple[Any, ...]] = Counter()
  largest: Counter[str] = Counter()
  for number, (raw, size) in enumerate(read(place, part, plan)):
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
        digest(key),
        Found(
          place=(*place, number),
          source=source,
          num_bytes=size,
          split_place=clusters.split_place(raw, key),
          only_split=raw.only_split,
          signature=b'' if signature is None else signature.tobytes(),
        ),
      ),
    )
    if raw.group:
      group = hashlib.sha256(raw.group.encode('utf-8')).digest()
      yield 'group', (group[:_KEY_BYTES], digest(key))
  for name, value in sums.items():
    yield 'sum', (name, value)
  for source, size in largest.items():
    yield 'largest', (('document', source), size)


def digest(key: str) -> bytes:
  """What stands for a content key."""
  return bytes.fromhex(key)[:_KEY_BYTES]
