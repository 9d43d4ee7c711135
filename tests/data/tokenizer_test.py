import json

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest

from codelaw import errors
from codelaw.data import manifest
from codelaw.data import tokenizer as tokenizer_lib

_TEXTS = [
  f'def f{i}(x, y):\n    return [x + {i} for _ in range(y)]  # é\n'
  for i in range(200)
]
_TOKENIZER = tokenizer_lib.train(_TEXTS, 400)
_BYTES = tokenizer_lib.token_bytes(_TOKENIZER)


@hypothesis.given(
  st.one_of(
    st.text(),
    st.text(alphabet='<>pades|\n\t\r \x00Ġé'),
    st.sampled_from(['<pad>', '<eos>', 'a <eos>\n', '\r\n\x00', '']),
  )
)
@hypothesis.settings(deadline=None, max_examples=200)
def test_every_text_comes_back_and_its_bytes_add_up(text):
  (ids,) = tokenizer_lib.encode(_TOKENIZER, [text])
  assert tokenizer_lib.decode(_TOKENIZER, ids) == text
  assert _BYTES[ids].sum() == len(text.encode('utf-8'))
  assert not np.isin(ids, [0, 1]).any()


def test_special_tokens_have_the_ids_and_no_bytes():
  assert _TOKENIZER.token_to_id('<pad>') == 0
  assert _TOKENIZER.token_to_id('<eos>') == 1
  assert _BYTES[:2].tolist() == [0, 0]
  assert _BYTES[2:].min() == 1
  assert tokenizer_lib.decode(_TOKENIZER, [0, 1, 1]) == ''


def test_training_again_gives_the_same_tokenizer(tmp_path):
  prints = []
  for name in ('a.json', 'b.json'):
    tokenizer_lib.save(tokenizer_lib.train(_TEXTS, 400), tmp_path / name)
    prints.append(manifest.tokenizer_fingerprint(tmp_path / name))
  assert prints[0] == prints[1]
  tokenizer_lib.save(tokenizer_lib.train(_TEXTS[:9], 280), tmp_path / 'c.json')
  assert manifest.tokenizer_fingerprint(tmp_path / 'c.json') != prints[0]


def test_a_saved_tokenizer_reads_special_names_as_text(tmp_path):
  tokenizer_lib.save(_TOKENIZER, tmp_path / 'tokenizer.json')
  loaded = tokenizer_lib.load(tmp_path / 'tokenizer.json')
  (ids,) = tokenizer_lib.encode(loaded, ['x <eos> <pad>'])
  assert not np.isin(ids, [0, 1]).any()
  assert tokenizer_lib.decode(loaded, ids) == 'x <eos> <pad>'


@pytest.mark.parametrize('vocab_size', [0, 257, 2**18 + 1])
def test_a_vocabulary_out_of_range_is_refused(vocab_size):
  with pytest.raises(errors.UserError, match='vocab_size must be between'):
    tokenizer_lib.train(_TEXTS, vocab_size)


def test_a_sample_that_is_too_small_is_refused():
  with pytest.raises(errors.UserError, match='hold only 2.. different'):
    tokenizer_lib.train(['ab'], 1000)


def test_files_that_are_no_such_tokenizer_are_refused(tmp_path):
  with pytest.raises(errors.UserError, match='found none'):
    tokenizer_lib.load(tmp_path / 'absent.json')
  file = tmp_path / 'tokenizer.json'
  file.write_text('{"version": "1.0"}')
  with pytest.raises(errors.UserError, match='is not a tokenizer'):
    tokenizer_lib.load(file)
  content = json.loads(_TOKENIZER.to_str())
  content['decoder'] = None
  file.write_text(json.dumps(content))
  with pytest.raises(errors.UserError, match='not a byte-level tokenizer'):
    tokenizer_lib.load(file)
