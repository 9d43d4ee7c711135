import hypothesis
from hypothesis import strategies as st

from codelaw.corpora import documents
from codelaw.data import parts as parts_lib


@hypothesis.given(st.integers(1, 3000), st.data())
@hypothesis.settings(deadline=None, max_examples=100)
def test_every_hash_is_in_the_range_of_one_part(num_parts, data):
  start = data.draw(st.integers(0, 2**32 - 1))
  sha256 = f'{start:08x}' + data.draw(st.sampled_from(['0' * 56, 'f' * 56]))
  ranges = [
    parts_lib.Part('s', 'train', number, num_parts).hash_range()
    for number in range(num_parts)
  ]
  inside = [n for n, (first, end) in enumerate(ranges) if first <= sha256 < end]
  assert inside == [start * num_parts >> 32]


def test_the_sample_holds_as_many_bytes_of_each_source(corpus_dir):
  parts = [
    parts_lib.Part(source, 'train', number, 3)
    for source in ('code/java', 'code/python', 'markup')
    for number in range(3)
  ]
  texts = list(parts_lib.sample(corpus_dir, parts, 3000))
  lengths = dict.fromkeys(('code/java', 'code/python', 'markup'), 0)
  for text in texts:
    source = next(
      s
      for s in lengths
      for item in documents.read_documents(corpus_dir, s, 'train')
      if item.text.startswith(text)
    )
    lengths[source] += len(text.encode())
  assert all(995 < length <= 1000 for length in lengths.values())
