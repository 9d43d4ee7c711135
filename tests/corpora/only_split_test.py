"""Documents that only one split may hold, as a corpus is built."""

import dataclasses

from codelaw.corpora import build
from codelaw.corpora import deduplication
from codelaw.corpora import documents
from codelaw.corpora import plan as plan_lib
from codelaw.corpora import report


@dataclasses.dataclass(frozen=True)
class _Reader:
  """Sixty groups: a document for either split, one for each split alone."""

  def source_names(self):
    return ('either', 'train_only', 'held_out')

  def parts(self, max_bytes_per_source):
    del max_bytes_per_source
    yield from range(60)

  def read(self, part, is_full):
    del is_full
    for source, only in (
      ('either', ''),
      ('train_only', 'train'),
      ('held_out', 'validation'),
    ):
      yield documents.RawDocument(
        text=' '.join(f'{source}{part * 100 + word}' for word in range(50)),
        source=source,
        language='python',
        origin=f'{part}',
        group=f'group {part}',
        only_split=only,
        prefix_bytes=part,
      )


def test_a_document_stays_only_where_its_group_goes_to_its_split(tmp_path):
  plan = plan_lib.CorpusPlan(
    readers=[_Reader()],
    output_dir=str(tmp_path),
    deduplication=deduplication.Deduplication(),
    validation_fraction=0.3,
    min_bytes_per_source=1000,
  )
  content = build.build(plan)
  found = {
    (source, split): {
      item.origin: item
      for item in documents.read_documents(tmp_path, source, split)
    }
    for source in content.sources
    for split in report.SPLITS
  }
  assert found['train_only', 'validation'] == found['held_out', 'train'] == {}
  for name, split in (('train_only', 'train'), ('held_out', 'validation')):
    assert found[name, split].keys() == found['either', split].keys() != set()
    source = content.sources[name]
    assert source.documents == len(found[name, split])
    assert source.dropped['other_split'].documents == 60 - source.documents
    assert source.languages == {'python': source.documents}
    assert source.splits[split].bytes == sum(
      item.bytes for item in found[name, split].values()
    )
  for items in found.values():
    assert all(item.prefix_bytes == int(n) for n, item in items.items())
