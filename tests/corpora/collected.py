"""All that a reader yields, by source."""

from codelaw.corpora import documents


def items(reader, max_bytes_per_source=10**9):
  """Everything: documents and what was skipped."""
  for part in reader.parts(max_bytes_per_source):
    yield from reader.read(part, lambda source: False)


def by_source(reader, max_bytes_per_source=10**9):
  """Source -> its documents, for every source of the reader."""
  found = {source: [] for source in reader.source_names()}
  for item in items(reader, max_bytes_per_source):
    if isinstance(item, documents.RawDocument):
      found[item.source].append(item)
  return found
