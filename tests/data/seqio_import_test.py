import functools
import itertools
import math

import numpy as np
import pytest

from codelaw import errors
from codelaw import records
from codelaw import storage
from codelaw.data import manifest as manifest_lib
from codelaw.data import packing
from codelaw.data import seqio_import
from codelaw.data import seqio_mixtures
from codelaw.data import seqio_tasks
from codelaw.data import seqio_vocabulary
from codelaw.data import sequence_files
from codelaw.data import tokenizer as tokenizer_lib

# TensorFlow's own warnings at import are not ours to mend.
pytestmark = pytest.mark.filterwarnings('ignore')
MODULE = 'tests.data.seqio_examples'
_names = (f'odd{number}' for number in itertools.count())


@pytest.fixture(scope='module')
def examples():
  pytest.importorskip('seqio')
  seqio_mixtures.find('example', [MODULE])
  from tests.data import seqio_examples

  return seqio_examples


@pytest.fixture(scope='module')
def written(examples, tmp_path_factory):
  plan = seqio_import.SeqioImport(
    'example',
    [MODULE],
    str(tmp_path_factory.mktemp('shards')),
    sequence_length=32,
    validation_fraction=0.25,
    sequences_per_file=100,
  )
  return plan, seqio_import.write(plan)


def _texts(plan, manifest, source, split):
  """The texts of the documents, read back from the shards."""
  reader = sequence_files.SequenceReader(
    plan.shards_dir, manifest, source, split
  )
  stream = reader.read(np.arange(len(reader))).reshape(-1)
  ends = np.flatnonzero(stream == packing.EOS_ID)
  pieces = np.split(stream, ends + 1)
  assert not pieces.pop().any()  # padding
  return [bytes((piece[:-1] - 3).astype(np.uint8)).decode() for piece in pieces]


def test_every_example_comes_back_and_is_counted(examples, written):
  plan, manifest = written
  manifest = manifest_lib.read(plan.shards_dir)
  manifest_lib.verify(plan.shards_dir, manifest)
  assert (manifest.vocab_size, manifest.token_dtype) == (259, 'uint16')
  assert set(manifest.sources) == {'example/python', 'example_docs'}
  for split, texts in examples.TEXTS['example:Python'].items():
    found = _texts(plan, manifest, 'example/python', split)
    assert sorted(found) == sorted(texts)
    assert found != list(texts)  # but in the order of their hash
    held = manifest.split('example/python', split)
    assert held.documents == len(texts)
    assert held.bytes == sum(len(text.encode()) for text in texts)
    assert held.tokens == held.bytes + held.documents
    indices, paddings = manifest_lib.padded_sequences(
      plan.shards_dir, manifest, 'example/python', split
    )
    assert indices.tolist() == [held.sequences - 1]
    assert held.sequences * 32 - held.tokens == paddings.sum()


def test_without_validation_split_a_share_is_held_out_by_content(
  examples, written
):
  sides = {
    split: _texts(*written, 'example_docs', split)
    for split in ('train', 'validation')
  }
  assert sorted(sum(sides.values(), [])) == sorted(
    examples.TEXTS['example_docs']['train']
  )
  assert not set(sides['train']) & set(sides['validation'])
  share = len(sides['validation']) / 600
  assert abs(share - 0.25) < 4 * math.sqrt(0.25 * 0.75 / 300)


def test_the_same_mixture_gives_the_same_shards_and_is_not_written_twice(
  written, tmp_path
):
  plan, manifest = written
  messages = []
  again = seqio_import.write(plan, lambda text, _: messages.append(text))
  assert again == manifest
  assert 'already there' in messages[-1]
  elsewhere = functools.partial(
    seqio_import.SeqioImport,
    'example',
    [MODULE],
    sequence_length=32,
    sequences_per_file=100,
  )
  other = elsewhere(str(tmp_path), validation_fraction=0.25)
  assert seqio_import.write(other).fingerprint == manifest.fingerprint
  assert not (tmp_path / '.seqio').exists()
  with pytest.raises(errors.UserError, match='holds other shards'):
    seqio_import.write(elsewhere(str(tmp_path), validation_fraction=0.5))


def test_shares_count_tokens_of_nested_mixtures_and_computed_rates(
  examples, written
):
  plan, _ = written
  docs = _texts(*written, 'example_docs', 'train')
  python = examples.TEXTS['example:Python']['train']
  means = [
    sum(len(text.encode()) + 1 for text in texts) / len(texts)
    for texts in (python, docs)
  ]
  rates = [1 + 3 / 3, 3 * 2 / 3]
  expected = np.multiply(means, rates) / np.dot(means, rates)
  rows = seqio_mixtures.token_shares('example', [MODULE], plan.shards_dir)
  assert [row.source for row in rows] == ['example/python', 'example_docs']
  np.testing.assert_allclose([row.rate for row in rows], rates)
  np.testing.assert_allclose([row.share for row in rows], expected)
  (one,) = seqio_mixtures.token_shares('example_docs', [], plan.shards_dir)
  assert (one.source, one.share) == ('example_docs', 1.0)


def test_shares_of_our_own_tasks_are_the_shares_they_came_from(
  examples, packed, packed_manifest
):
  tasks = seqio_tasks.register(packed, 'back')
  rates = records.MixtureRates({'code/java': 1, 'code/python': 2, 'markup': 5})
  name = seqio_tasks.mixture('back', rates, tasks)
  rows = seqio_mixtures.token_shares(name, [], packed)
  shares = {row.source: row.share for row in rows}
  assert shares == pytest.approx(rates.shares(), rel=1e-12)
  with pytest.raises(errors.UserError, match='reads codelaw shards already'):
    seqio_import.write(seqio_import.SeqioImport(name, [], packed))


def test_bytes_of_tokens(examples):
  import seqio

  model = 'test_data/sentencepiece/sentencepiece.model'
  vocabulary = seqio.SentencePieceVocabulary(
    str(storage.path(seqio.__file__).parent / model), extra_ids=5
  )
  name = next(_names)
  examples.add_task(name, {'train': ['a']}, vocabulary)
  described = seqio_vocabulary.describe(seqio.TaskRegistry.get(name))
  lengths = described['token_bytes']
  assert len(lengths) == described['vocab_size'] == vocabulary.vocab_size
  for text in ('this is a test', 'that was'):
    ids = vocabulary.encode(text)
    assert 2 not in ids
    # SentencePiece puts a space in front.
    assert sum(lengths[i] for i in ids) == len(f' {text}')
  assert lengths[:3] == [0, 0, 0]
  assert lengths[-5:] == [0] * 5


def test_a_vocabulary_that_tells_no_bytes_is_left_at_that(examples, tmp_path):
  import seqio

  class Unknown(seqio.PassThroughVocabulary):
    def _encode_tf(self, s):
      return examples.VOCABULARY.encode_tf(s)

  name = next(_names)
  examples.add_task(name, {'train': ['some text'] * 3}, Unknown(259, 1))
  plan = seqio_import.SeqioImport(name, [], str(tmp_path), 8)
  manifest = seqio_import.write(plan)
  assert manifest.split(name, 'train').bytes == 0
  file = tmp_path / manifest_lib.TOKENIZER_NAME
  assert tokenizer_lib.read_token_bytes(file) is None


def _odd(examples, **changes):
  name = next(_names)
  settings = {'texts': {'train': ['abc', 'def']}, **changes}
  examples.add_task(name, **settings)
  return name


def _replace(old, new):
  import tensorflow as tf

  def change(example):
    targets = example['targets']
    return {'targets': tf.where(targets == ord(old) + 3, new, targets)}

  return lambda dataset: dataset.map(change)


def test_what_cannot_be_stored_is_refused(examples, tmp_path):
  import seqio

  no_end = seqio.PassThroughVocabulary(300)
  no_end._encode_tf = examples.VOCABULARY.encode_tf
  mixed = [_odd(examples), _odd(examples, vocabulary=seqio.ByteVocabulary(7))]
  seqio.MixtureRegistry.add('odd_mixed', mixed, default_rate=1.0)

  def broken(dataset, sequence_length):
    return dataset.take(sequence_length['targets'])

  cases = {
    'padding and None for the end': _odd(examples, vocabulary=no_end),
    'inputs beside its targets': _odd(examples, features=('inputs', 'targets')),
    'no train split; it has test': _odd(examples, texts={'test': ['a']}),
    'different vocabularies': 'odd_mixed',
    'gives the token 0 inside': _odd(examples, more=[_replace('b', 0)]),
    'gives the token 259 inside': _odd(examples, more=[_replace('b', 259)]),
    'set SeqioImport.task_length': _odd(examples, more=[broken]),
    'gave no training examples': _odd(
      examples, more=[lambda dataset: dataset.take(0)]
    ),
  }
  for number, (message, name) in enumerate(cases.items()):
    folder = tmp_path / str(number)
    with pytest.raises(errors.UserError, match=message):
      seqio_import.write(seqio_import.SeqioImport(name, [], str(folder)))
    assert not manifest_lib.exists(folder)


def test_tasks_that_need_a_length_are_told_one(examples, tmp_path):
  def first(dataset, sequence_length):
    length = sequence_length['targets']
    return dataset.map(lambda x: {'targets': x['targets'][:length]})

  name = _odd(examples, texts={'train': ['abcdef', 'gh']}, more=[first])
  plan = seqio_import.SeqioImport(
    name, [], str(tmp_path), 8, task_length=3, validation_fraction=0.0
  )
  manifest = seqio_import.write(plan)
  assert sorted(_texts(plan, manifest, name, 'train')) == ['abc', 'gh']


def test_what_the_shards_do_not_hold_is_refused(examples, written):
  import seqio

  plan, _ = written
  find = functools.partial(
    seqio_mixtures.token_shares, shards_dir=plan.shards_dir
  )
  with pytest.raises(errors.UserError, match="no mixture or task 'exmaple'"):
    find('exmaple', [MODULE])
  with pytest.raises(errors.UserError, match=r'imported \(ModuleNotFound'):
    find('example', ['tests.data.absent'])
  with pytest.raises(errors.UserError, match='must be a list of names'):
    find('example', MODULE)
  name = _odd(examples)
  with pytest.raises(errors.UserError, match=f'no source {name} .*`codelaw ca'):
    find(name, [])
  # The same source, from a task with another vocabulary.
  other = seqio.Task(
    'example_docs',
    source=seqio.TaskRegistry.get('example_docs').source,
    preprocessors=[],
    output_features={'targets': seqio.Feature(seqio.ByteVocabulary(3))},
  )
  seqio.MixtureRegistry.add('odd_vocabulary', [(other, 1.0)])
  with pytest.raises(errors.UserError, match='another vocabulary'):
    find('odd_vocabulary', [])
  seqio.MixtureRegistry.add('odd_zero', [('example_docs', 0.0)])
  with pytest.raises(errors.UserError, match='All rates'):
    find('odd_zero', [])
  seqio.MixtureRegistry.add('odd_rate', [('example_docs', lambda t: t.absent)])
  with pytest.raises(errors.UserError, match='cannot be computed'):
    find('odd_rate', [])
