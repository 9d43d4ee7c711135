"""What is asked of transformers, and what is refused."""

import dataclasses

import pytest

from codelaw import errors
from codelaw.interop import hugging_face_config
from tests.interop import models_to_export


@pytest.mark.parametrize('name', models_to_export.SHAPES)
def test_a_configuration_describes_its_shape(name):
  shape = models_to_export.shape(name)
  content = hugging_face_config.to_config(shape, 32, 'float32')
  again, scale = hugging_face_config.from_config(content, 'config.json')
  assert again == shape
  assert scale == (24**-0.5 if shape.family == 'parallel' else 1.0)


def test_llama():
  shape = models_to_export.shape('sequential_grouped')
  assert hugging_face_config.to_config(shape, 32, 'bfloat16') == {
    'architectures': ['LlamaForCausalLM'],
    'model_type': 'llama',
    'vocab_size': 272,
    'hidden_size': 24,
    'intermediate_size': 40,
    'num_hidden_layers': 3,
    'num_attention_heads': 4,
    'num_key_value_heads': 2,
    'head_dim': 6,
    'hidden_act': 'silu',
    'rms_norm_eps': 1e-6,
    'attention_bias': False,
    'attention_dropout': 0.0,
    'mlp_bias': False,
    'tie_word_embeddings': False,
    'max_position_embeddings': 32,
    'rope_theta': 10_000.0,
    'rope_parameters': {'rope_type': 'default', 'rope_theta': 10_000.0},
    'bos_token_id': 0,
    'eos_token_id': 1,
    'pad_token_id': None,
    'torch_dtype': 'bfloat16',
  }


def test_cohere_has_the_factor_of_the_logits():
  shape = models_to_export.shape('parallel')
  content = hugging_face_config.to_config(shape, 32, 'float32')
  assert content['model_type'] == 'cohere'
  assert content['logit_scale'] == 24**-0.5
  assert content['layer_norm_eps'] == 1e-6
  assert content['use_qk_norm'] is False


def test_what_a_configuration_of_llama_2_leaves_out_is_its_default():
  content = {
    'model_type': 'llama',
    'vocab_size': 32000,
    'hidden_size': 4096,
    'intermediate_size': 11008,
    'num_hidden_layers': 32,
    'num_attention_heads': 32,
  }
  shape, scale = hugging_face_config.from_config(content, 'config.json')
  assert (shape.head_dim, shape.kv_heads, scale) == (128, 32, 1.0)
  assert not shape.tie_embeddings
  assert shape.rope_base == 10_000
  content = {**content, 'model_type': 'cohere', 'layer_norm_eps': 1e-6}
  shape, scale = hugging_face_config.from_config(content, 'config.json')
  assert (shape.tie_embeddings, shape.rope_base) == (True, 500_000)
  assert scale == 0.0625
  del content['layer_norm_eps']
  with pytest.raises(errors.UserError, match='layer_norm_eps 1e-05'):
    hugging_face_config.from_config(content, 'config.json')


@pytest.mark.parametrize(
  ('name', 'change', 'reason'),
  [
    ('sequential', {'model_type': 'qwen2'}, "of type 'qwen2'"),
    ('sequential', {'model_type': None}, 'only llama and cohere'),
    ('sequential', {'rms_norm_eps': 1e-5}, 'rms_norm_eps 1e-05'),
    ('sequential', {'attention_bias': True}, 'attention_bias True'),
    ('sequential', {'mlp_bias': True}, 'mlp_bias True'),
    ('sequential', {'hidden_act': 'gelu'}, "hidden_act 'gelu'"),
    ('sequential', {'rope_scaling': {'type': 'linear'}}, "'linear'"),
    ('parallel', {'rope_parameters': {'rope_type': 'yarn'}}, "'yarn'"),
    ('parallel', {'layer_norm_eps': 1e-5}, 'layer_norm_eps 1e-05'),
    ('parallel', {'use_qk_norm': True}, 'use_qk_norm True'),
  ],
)
def test_what_our_models_have_no_place_for_is_refused(name, change, reason):
  shape = models_to_export.shape(name)
  content = hugging_face_config.to_config(shape, 32, 'float32')
  with pytest.raises(errors.UserError, match=reason):
    hugging_face_config.from_config({**content, **change}, 'config.json')


def test_a_size_that_is_missing_is_named():
  shape = models_to_export.shape('sequential')
  content = hugging_face_config.to_config(shape, 32, 'float32')
  del content['hidden_size']
  with pytest.raises(errors.UserError, match='no hidden_size'):
    hugging_face_config.from_config(content, 'config.json')


def test_a_width_that_the_heads_of_llama_do_not_divide_is_refused():
  shape = models_to_export.shape('parallel_wide_heads')
  odd = dataclasses.replace(shape, num_heads=5)
  hugging_face_config.to_config(odd, 32, 'float32')
  llama = dataclasses.replace(odd, family='sequential')
  with pytest.raises(errors.UserError, match='num_heads=5'):
    hugging_face_config.to_config(llama, 32, 'float32')
