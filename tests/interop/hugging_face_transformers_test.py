"""Exported models in transformers itself, where it is installed.

To run it: pip install torch transformers safetensors
"""

import json

import jax
import numpy as np
import pytest

from codelaw.data import packing
from codelaw.data import tokenizer as tokenizer_lib
from codelaw.interop import hugging_face
from codelaw.models import transformer
from tests.interop import models_to_export

torch = pytest.importorskip('torch')
transformers = pytest.importorskip('transformers')
pytest.importorskip('safetensors')

# Both compute in float32, in another order of sums. Measured at most 3e-6, on
# logits of up to 2.5.
FLOAT32 = dict(rtol=0, atol=2e-5)


@pytest.fixture(params=models_to_export.SHAPES)
def shape(request):
  return models_to_export.shape(request.param)


@pytest.fixture
def exported(shape, tmp_path):
  model = models_to_export.model(shape, tmp_path / 'shards')
  hugging_face.write(tmp_path / 'out', model, max_file_bytes=30_000)
  return model, tmp_path / 'out'


def load(folder, **settings):
  return transformers.AutoModelForCausalLM.from_pretrained(folder, **settings)


def test_logits_of_each_document_are_ours(exported):
  model, folder = exported
  loaded = load(folder)
  assert loaded.dtype == torch.float32
  generator = np.random.default_rng(1)
  documents = [generator.integers(2, 270, size) for size in (9, 1, 20)]
  stream = np.concatenate([[*d, packing.EOS_ID] for d in documents])
  features = packing.features(stream[None])
  shape = model.record.plan.model
  ours = np.asarray(
    transformer.Transformer(shape).apply(
      {'params': model.params},
      features['decoder_input_tokens'],
      features['decoder_segment_ids'],
      features['decoder_positions'],
    )
  )[0]
  first = 0
  for document in documents:
    inputs = torch.tensor([[packing.PAD_ID, *document]])
    with torch.no_grad():
      theirs = loaded(inputs).logits[0].numpy()
    mine = ours[first : first + len(theirs)]
    assert np.abs(mine).max() > 1
    np.testing.assert_allclose(theirs, mine, **FLOAT32)
    first += len(theirs)


def test_every_parameter_is_loaded_and_counted(exported):
  model, folder = exported
  loaded, info = load(folder, output_loading_info=True)
  assert not any(info.values()), info
  assert loaded.num_parameters() == model.record.num_params
  assert len(list(folder.glob('*.safetensors'))) > 1


def test_it_generates_from_the_start_token(exported):
  _, folder = exported
  loaded = load(folder)
  tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
  prompt = tokenizer('def add(', return_tensors='pt')
  assert prompt['input_ids'][0, 0] == packing.PAD_ID
  # Without a mask too: token 0 must not be taken for padding.
  answers = [
    loaded.generate(**inputs, max_new_tokens=8, do_sample=False)[0].tolist()
    for inputs in (prompt, {'input_ids': prompt['input_ids']})
  ]
  assert answers[0] == answers[1]
  tokens = list(prompt['input_ids'][0])
  for _ in range(len(answers[0]) - len(tokens)):
    with torch.no_grad():
      tokens.append(int(loaded(torch.tensor([tokens])).logits[0, -1].argmax()))
  assert [int(token) for token in tokens] == answers[0]


@pytest.mark.parametrize('name', ['sequential', 'parallel'])
def test_a_batch_padded_on_either_side_gives_the_same_logits(name, tmp_path):
  shape = models_to_export.shape(name)
  model = models_to_export.model(shape, tmp_path / 'shards')
  hugging_face.write(tmp_path / 'out', model)
  loaded = load(tmp_path / 'out')
  tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / 'out')
  texts = ['def add(first, second)', 'for']
  for side in ('left', 'right'):
    batch = tokenizer(
      texts, return_tensors='pt', padding=True, padding_side=side
    )
    alone = tokenizer(texts[1], return_tensors='pt')
    with torch.no_grad():
      logits = loaded(**batch).logits[1][batch['attention_mask'][1] == 1]
      expected = loaded(**alone).logits[0]
    np.testing.assert_allclose(logits, expected, **FLOAT32)


def test_the_tokenizer_gives_our_tokens_and_every_text_back(tmp_path):
  shape = models_to_export.shape('sequential')
  model = models_to_export.model(shape, tmp_path / 'shards')
  hugging_face.write(tmp_path / 'out', model)
  theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / 'out')
  ours = tokenizer_lib.load(tmp_path / 'shards' / 'tokenizer.json')
  texts = [
    *models_to_export.TEXTS,
    '',
    ' ',
    '\t\r\n',
    'a<eos><pad> b',
    '日本 é 🙂',
  ]
  for text, tokens in zip(
    texts, tokenizer_lib.encode(ours, texts), strict=True
  ):
    assert theirs(text)['input_ids'] == [packing.PAD_ID, *tokens]
    assert theirs.encode(text, add_special_tokens=False) == list(tokens)
    assert theirs.decode(tokens) == text
    assert theirs.decode([0, *tokens, 1], skip_special_tokens=True) == text
  assert (theirs.bos_token_id, theirs.eos_token_id) == (0, 1)
  assert theirs.model_max_length == 32


def test_what_transformers_saves_is_imported(exported, tmp_path):
  model, folder = exported
  load(folder).save_pretrained(tmp_path / 'again')
  transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(
    tmp_path / 'again'
  )
  again = hugging_face.read(tmp_path / 'again', 'again')
  assert again.record.plan.model == model.record.plan.model
  assert again.record.realised_tokens == {}
  differences = jax.tree.map(
    lambda ours, theirs: float(np.max(np.abs(ours - theirs))),
    model.params,
    again.params,
  )
  # Only the last norm of a Llama model, of values up to 2, is rounded: twice,
  # by half a place each.
  assert differences.pop('final_norm')['scale'] <= 2**-22
  assert not any(jax.tree.leaves(differences))


def test_bfloat16(tmp_path):
  shape = models_to_export.shape('parallel')
  model = models_to_export.model(shape, tmp_path / 'shards')
  hugging_face.write(tmp_path / 'out', model, dtype='bfloat16')
  loaded = load(tmp_path / 'out', dtype='auto')
  assert loaded.dtype == torch.bfloat16
  config = json.loads((tmp_path / 'out' / 'config.json').read_text())
  assert config['torch_dtype'] == 'bfloat16'
  theirs = loaded.model.embed_tokens.weight.float().detach().numpy()
  # It has 8 significant bits.
  np.testing.assert_allclose(theirs, model.params['embedding'], rtol=2**-8)
