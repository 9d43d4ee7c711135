"""The files of an exported model, and the way back, without transformers."""

import dataclasses
import json
import struct

import jax
import ml_dtypes
import numpy as np
import pytest

from codelaw import errors
from codelaw import storage
from codelaw.data import manifest as manifest_lib
from codelaw.data import tokenizer as tokenizer_lib
from codelaw.interop import hugging_face
from codelaw.interop import hugging_face_weights
from codelaw.train import evaluate
from tests.interop import models_to_export

pytest.importorskip('safetensors')

_KINDS = {'F32': np.float32, 'BF16': ml_dtypes.bfloat16}


def read_safetensors(file):
  """Name -> array, by the definition of the format."""
  content = file.read_bytes()
  (size,) = struct.unpack('<Q', content[:8])
  header = json.loads(content[8 : 8 + size])
  assert header.pop('__metadata__') == {'format': 'pt'}
  data = content[8 + size :]
  return {
    name: np.frombuffer(
      data[slice(*entry['data_offsets'])], _KINDS[entry['dtype']]
    ).reshape(entry['shape'])
    for name, entry in header.items()
  }


@pytest.fixture
def model(tmp_path):
  return made(tmp_path)


def made(folder, name='sequential'):
  shape = models_to_export.shape(name)
  return models_to_export.model(shape, folder / 'shards')


@pytest.mark.parametrize('max_file_bytes', [10**9, 30_000])
@pytest.mark.parametrize('name', models_to_export.SHAPES)
def test_what_is_written_comes_back_bit_for_bit(name, max_file_bytes, tmp_path):
  model = made(tmp_path, name)
  hugging_face.write(tmp_path / 'out', model, max_file_bytes=max_file_bytes)
  again = hugging_face.read(tmp_path / 'out', 'tiny')
  jax.tree.map(np.testing.assert_array_equal, model.params, again.params)
  assert (again.record, again.step) == (model.record, model.step)


def test_layouts_of_llama(tmp_path):
  model = made(tmp_path, 'sequential_grouped')
  hugging_face.write(tmp_path / 'out', model)
  found = read_safetensors(tmp_path / 'out' / 'model.safetensors')
  assert set(found) == hugging_face_weights.names(model.record.plan.model)
  assert len(found) == 3 * 9 + 3
  params, layer = model.params, model.params['layers']
  same = np.testing.assert_array_equal
  same(found['model.embed_tokens.weight'], params['embedding'])
  same(found['lm_head.weight'], params['output'])
  factor = np.float32(24**-0.5)
  same(found['model.norm.weight'], params['final_norm']['scale'] * factor)
  prefix = 'model.layers.2.'
  norms = layer['attention_norm']['scale'], layer['mlp_norm']['scale']
  same(found[f'{prefix}input_layernorm.weight'], norms[0][2])
  same(found[f'{prefix}post_attention_layernorm.weight'], norms[1][2])
  for name in ('gate', 'up', 'down'):
    same(
      found[f'{prefix}mlp.{name}_proj.weight'],
      layer['mlp'][name]['kernel'][2].T,
    )
  key = found[f'{prefix}self_attn.k_proj.weight']
  assert key.shape == (2 * 6, 24)
  for row in range(12):
    ours = layer['attention']['key']['kernel'][2, :, row // 6, row % 6]
    same(key[row], ours)
  output = found[f'{prefix}self_attn.o_proj.weight']
  ours = layer['attention']['output']['kernel'][2]
  same(output[:, 6 * 3 + 2], ours[3, 2])


def test_cohere_turns_neighbours(tmp_path):
  model = made(tmp_path, 'parallel')
  hugging_face.write(tmp_path / 'out', model)
  found = read_safetensors(tmp_path / 'out' / 'model.safetensors')
  attention = model.params['layers']['attention']
  for theirs, ours in (('q_proj', 'query'), ('k_proj', 'key')):
    rows = found[f'model.layers.1.self_attn.{theirs}.weight']
    head = attention[ours]['kernel'][1, :, 2]  # [width, head_dim]
    order = [0, 3, 1, 4, 2, 5]
    np.testing.assert_array_equal(rows[12:18], head[:, order].T)
  value = found['model.layers.1.self_attn.v_proj.weight']
  head = attention['value']['kernel'][1, :, 2]
  np.testing.assert_array_equal(value[12:18], head.T)
  np.testing.assert_array_equal(
    found['model.norm.weight'], model.params['final_norm']['scale']
  )


def test_many_files_have_an_index(model, tmp_path):
  done = []
  hugging_face.write(
    tmp_path / 'out',
    model,
    max_file_bytes=30_000,
    report=lambda name, fraction: done.append((name, fraction)),
  )
  index = json.loads(
    (tmp_path / 'out' / 'model.safetensors.index.json').read_text()
  )
  files = sorted((tmp_path / 'out').glob('*.safetensors'))
  assert [file.name for file in files][-1] == (
    f'model-{len(files):05}-of-{len(files):05}.safetensors'
  )
  assert len(files) > 1
  found = {file.name: read_safetensors(file) for file in files}
  places = {name: file for file, names in found.items() for name in names}
  assert places == index['weight_map']
  sizes = [sum(a.nbytes for a in arrays.values()) for arrays in found.values()]
  assert sum(sizes) == index['metadata']['total_size']
  assert sum(sizes) == 4 * model.record.num_params
  assert all(
    size <= 30_000 or len(arrays) == 1
    for size, arrays in zip(sizes, found.values(), strict=True)
  )
  assert [name for name, _ in done][:-1] == [file.name for file in files]
  assert done[-1][1] == 1


def test_bfloat16_rounds_to_nearest(model, tmp_path):
  hugging_face.write(tmp_path / 'out', model, dtype='bfloat16')
  found = read_safetensors(tmp_path / 'out' / 'model.safetensors')
  table = found['model.embed_tokens.weight']
  ours = model.params['embedding']
  np.testing.assert_array_equal(table, ours.astype(ml_dtypes.bfloat16))
  again = hugging_face.read(tmp_path / 'out', 'tiny')
  assert again.params['embedding'].dtype == np.float32
  np.testing.assert_array_equal(again.params['embedding'], table)
  np.testing.assert_array_equal(  # exact beside the rounded ones
    again.params['final_norm']['scale'], model.params['final_norm']['scale']
  )


def test_a_last_norm_that_was_trained_further_is_not_the_old_one(
  model, tmp_path
):
  hugging_face.write(tmp_path / 'out', model)
  record = json.loads((tmp_path / 'out' / 'codelaw.json').read_text())
  record['final_norm_scale'][0] += 1e-3
  storage.write_json(tmp_path / 'out' / 'codelaw.json', record)
  again = hugging_face.read(tmp_path / 'out', 'tiny').params['final_norm']
  ours = model.params['final_norm']['scale']
  assert not np.array_equal(again['scale'], ours)
  # Multiplied and divided, each rounded by half a place.
  np.testing.assert_allclose(again['scale'], ours, rtol=2**-22)


def test_another_factor_of_the_logits_goes_into_the_last_norm(tmp_path):
  model = made(tmp_path, 'parallel')
  hugging_face.write(tmp_path / 'out', model)
  file = tmp_path / 'out' / 'config.json'
  content = json.loads(file.read_text())
  storage.write_json(file, {**content, 'logit_scale': 2 * 24**-0.5})
  again = hugging_face.read(tmp_path / 'out', 'tiny').params['final_norm']
  np.testing.assert_array_equal(
    again['scale'], 2 * model.params['final_norm']['scale']
  )


def test_the_tokenizer_is_that_of_the_shards_again_when_loaded(model, tmp_path):
  hugging_face.write(tmp_path / 'out', model)
  file = tmp_path / 'out' / 'tokenizer.json'
  assert (
    manifest_lib.tokenizer_fingerprint(file)
    != model.record.tokenizer_fingerprint
  )
  tokenizer = tokenizer_lib.load(file)
  assert (
    tokenizer_lib.fingerprint(tokenizer) == model.record.tokenizer_fingerprint
  )
  (tmp_path / 'out' / 'codelaw.json').unlink()
  record = hugging_face.read(tmp_path / 'out', 'other').record
  assert record.tokenizer_fingerprint == model.record.tokenizer_fingerprint
  assert record.plan.model == model.record.plan.model
  assert not record.realised_tokens


def test_the_card_tells_the_run(model, tmp_path):
  losses = {
    'code/python': evaluate.HeldOutLoss(2.34567, 1.2),
    'commits': evaluate.HeldOutLoss(3.5, None),
  }
  hugging_face.write(tmp_path / 'out', model, losses=losses)
  card = (tmp_path / 'out' / 'README.md').read_text()
  assert card.startswith('---\nlibrary_name: transformers\n')
  total = model.record.num_params
  assert f'{total:,} parameters, ' in card
  assert 'trained on 1,533 tokens' in card
  assert '| code/python | 1,150 | 2.3457 | 1.2000 |' in card
  assert '| commits | 0 | 3.5000 |  |' in card
  assert '`LlamaForCausalLM`: 3 layers of width 24, 4 heads' in card
  earlier = dataclasses.replace(model, step=6)
  hugging_face.write(tmp_path / 'earlier', earlier)
  card = (tmp_path / 'earlier' / 'README.md').read_text()
  assert 'step 6 of 12' in card
  assert '1,533' not in card


def test_the_card_counts_what_an_earlier_run_has_seen(model, tmp_path):
  record = dataclasses.replace(
    model.record, inherited_tokens={'code/python': 1000}
  )
  hugging_face.write(
    tmp_path / 'out', dataclasses.replace(model, record=record)
  )
  card = (tmp_path / 'out' / 'README.md').read_text()
  assert 'trained on 2,533 tokens' in card
  assert '| code/python | 2,150 | ' in card


def test_a_vocabulary_of_seqio_is_no_tokenizer(model, tmp_path):
  file = tmp_path / 'vocabulary.json'
  storage.write_json(
    file, {'type': tokenizer_lib.VOCABULARY_TYPE, 'token_bytes': None}
  )
  record = dataclasses.replace(
    model.record,
    tokenizer_fingerprint=manifest_lib.tokenizer_fingerprint(file),
  )
  given = dataclasses.replace(model, record=record)
  out = tmp_path / 'out'
  assert not hugging_face.write(out, given, tokenizer_file=file)
  assert not (out / 'tokenizer.json').exists()
  assert 'SeqIO vocabulary' in (out / 'README.md').read_text()


def test_another_tokenizer_is_refused(model, tmp_path):
  other = tokenizer_lib.train(['other text ' * 200], 260)
  tokenizer_lib.save(other, tmp_path / 'other.json')
  with pytest.raises(errors.UserError, match='is not the tokenizer that tiny'):
    hugging_face.write(
      tmp_path / 'out', model, tokenizer_file=tmp_path / 'other.json'
    )
  (tmp_path / 'shards' / 'tokenizer.json').unlink()
  with pytest.raises(errors.UserError, match='with --tokenizer'):
    hugging_face.write(tmp_path / 'out', model)
  assert not (tmp_path / 'out').exists()


def test_a_folder_with_a_model_is_left_alone(model, tmp_path):
  hugging_face.write(tmp_path / 'out', model)
  before = {f: f.read_bytes() for f in (tmp_path / 'out').iterdir()}
  with pytest.raises(errors.UserError, match='holds a model'):
    hugging_face.write(tmp_path / 'out', model, dtype='bfloat16')
  assert before == {f: f.read_bytes() for f in (tmp_path / 'out').iterdir()}


def test_a_failure_leaves_nothing(model, tmp_path, monkeypatch):
  monkeypatch.setattr(hugging_face.hugging_face_card, 'text', lambda *_: 1 / 0)
  with pytest.raises(ZeroDivisionError):
    hugging_face.write(tmp_path / 'out', model, max_file_bytes=30_000)
  assert not list((tmp_path / 'out').iterdir())


def test_what_a_killed_writer_left_is_not_mixed_in(model, tmp_path):
  hugging_face.write(tmp_path / 'out', model)
  (tmp_path / 'out' / 'config.json').unlink()
  hugging_face.write(tmp_path / 'out', model, max_file_bytes=30_000)
  assert not (tmp_path / 'out' / 'model.safetensors').exists()


def _cut(folder):
  file = folder / 'model.safetensors'
  file.write_bytes(file.read_bytes()[:-4])


def _without(name):
  return lambda folder: (folder / name).unlink()


def _with_config(**changes):
  def change(folder):
    content = json.loads((folder / 'config.json').read_text())
    storage.write_json(folder / 'config.json', {**content, **changes})

  return change


@pytest.mark.parametrize(
  ('damage', 'reason'),
  [
    (_cut, 'cannot be read'),
    (_without('model.safetensors'), 'holds neither'),
    (_without('config.json'), 'Expected a file at'),
    (_with_config(num_hidden_layers=4), 'lacks model.layers.3.input'),
    (_with_config(num_hidden_layers=2), 'has, and our models have not'),
    (_with_config(intermediate_size=48), 'the configuration asks for'),
    (_with_config(rope_theta=5e5, rope_parameters=None), 'another model'),
  ],
)
def test_a_damaged_folder_is_refused(damage, reason, model, tmp_path):
  hugging_face.write(tmp_path / 'out', model)
  damage(tmp_path / 'out')
  with pytest.raises(errors.UserError, match=reason):
    hugging_face.read(tmp_path / 'out', 'tiny')


def test_without_safetensors_the_extra_is_named(model, tmp_path, monkeypatch):
  monkeypatch.setitem(__import__('sys').modules, 'safetensors.numpy', None)
  with pytest.raises(errors.UserError, match=r'codelaw\[hf\]'):
    hugging_face.write(tmp_path / 'out', model)
