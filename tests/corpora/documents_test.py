import dataclasses
import hashlib

import pytest

from codelaw import errors
from codelaw.corpora import documents
from codelaw.corpora import report


def _corpus(folder, texts, source='code/python'):
  writer = documents.SourceWriter(folder, source)
  for place, text in enumerate(texts):
    raw = documents.RawDocument(text, source, 'python', f'p/{place}.py', 'MIT')
    writer.write(documents.document(raw, ('train', 'validation')[place % 2]))
  files = writer.close()
  split = report.SplitReport(1, 1)
  source_report = report.SourceReport(
    {'train': split, 'validation': split}, files, len(texts), {}, {}, {}
  )
  report.write(
    folder, report.CorpusReport({source: source_report}, {}, 'p', 'f', '0')
  )
  return files


def test_document_counts_utf8_bytes_and_hashes_the_text():
  raw = documents.RawDocument('é\n', 'commits', 'python', 'a.py')
  made = documents.document(raw, 'train')
  assert made.bytes == 3
  assert made.content_sha256 == hashlib.sha256(b'\xc3\xa9\n').hexdigest()
  assert made.license == ''


def test_documents_come_back_in_order_by_split(tmp_path):
  texts = [f'text {i} é\n' for i in range(7)]
  _corpus(tmp_path, texts)
  assert documents.sources(tmp_path) == ('code/python',)
  train = list(documents.read_documents(tmp_path, 'code/python', 'train'))
  held = list(documents.read_documents(tmp_path, 'code/python', 'validation'))
  assert [item.text for item in train] == texts[0::2]
  assert [item.text for item in held] == texts[1::2]
  assert train[1] == documents.document(
    documents.RawDocument(texts[2], 'code/python', 'python', 'p/2.py', 'MIT'),
    'train',
  )


def test_long_sources_span_row_groups_and_files(tmp_path, monkeypatch):
  monkeypatch.setattr(documents, 'ROW_GROUP_BYTES', 20)
  monkeypatch.setattr(documents, 'FILE_BYTES', 50)
  texts = [f'{i:09d}\n' for i in range(11)]  # 10 bytes each
  files = _corpus(tmp_path, texts)
  assert files == tuple(
    f'code/python/documents-{i:05d}.parquet' for i in range(2)
  )
  both = [
    item.text
    for split in report.SPLITS
    for item in documents.read_documents(tmp_path, 'code/python', split)
  ]
  assert sorted(both) == texts


def test_samples_are_drawn_by_seed_from_all_documents(tmp_path, monkeypatch):
  monkeypatch.setattr(documents, 'ROW_GROUP_BYTES', 20)
  monkeypatch.setattr(documents, 'FILE_BYTES', 50)
  texts = [f'{i:09d}\n' for i in range(11)]
  files = _corpus(tmp_path, texts)
  index = report.read(tmp_path)
  halves = dict.fromkeys(report.SPLITS, report.SplitReport(11, 110))
  source = dataclasses.replace(
    index.sources['code/python'],
    splits={**halves, 'validation': report.SplitReport(0, 0)},
  )
  assert files == source.files
  report.write(
    tmp_path, dataclasses.replace(index, sources={'code/python': source})
  )

  def drawn(count, seed):
    found = documents.sample(tmp_path, 'code/python', count, seed)
    return [item.text for item in found]

  assert drawn(11, 0) == drawn(50, 1) == texts
  assert drawn(0, 0) == []
  assert drawn(3, 0) == drawn(3, 0)
  assert len({text for seed in range(60) for text in drawn(1, seed)}) == 11
  assert drawn(4, 5) == sorted(drawn(4, 5))


def test_names_that_are_not_unicode_are_readable():
  assert documents.readable('naïve\n') == 'naïve\n'
  assert documents.readable('caf\udce9') == 'caf\\xe9'
  assert documents.readable('\ud800') == '\\ud800'


def test_fingerprints_add_up_in_any_order():
  made = [
    documents.identity('code/python', 'train', f'{n:064x}') for n in range(5)
  ]
  assert len(set(made)) == 5
  other = documents.identity('code/python', 'validation', f'{0:064x}')
  assert other != made[0]
  whole = documents.fingerprint(sum(made))
  assert whole == documents.fingerprint(sum(made[3:]) + sum(made[:3]))
  assert whole == documents.fingerprint(sum(made) % 2**256)
  assert whole != documents.fingerprint(sum(made[1:]))
  assert documents.fingerprint(2**255) != documents.fingerprint(0)
  # Twice the same document is not the same corpus.
  assert documents.fingerprint(2 * made[0]) != documents.fingerprint(0)


def test_folder_without_an_index_is_no_corpus(tmp_path):
  _corpus(tmp_path, ['a', 'b'])
  (tmp_path / 'corpus.json').unlink()
  with pytest.raises(errors.UserError, match='no finished corpus'):
    documents.sources(tmp_path)


def test_unknown_source_and_split_name_the_known(tmp_path):
  _corpus(tmp_path, ['a', 'b'])
  with pytest.raises(errors.UserError, match='code/java.*has code/python'):
    documents.read_documents(tmp_path, 'code/java', 'train')
  with pytest.raises(errors.UserError, match="train, validation; got 'test'"):
    documents.read_documents(tmp_path, 'code/python', 'test')


@pytest.mark.parametrize('damage', ['missing', 'truncated'])
def test_damaged_file_is_reported(tmp_path, damage):
  (name,) = _corpus(tmp_path, ['a', 'b'])
  if damage == 'missing':
    (tmp_path / name).unlink()
  else:
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-9])
  with pytest.raises(errors.UserError, match='build the corpus again'):
    list(documents.read_documents(tmp_path, 'code/python', 'train'))
