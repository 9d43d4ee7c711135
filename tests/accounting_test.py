import pytest

from codelaw import accounting
from codelaw import errors


def test_parallel_family_and_grouped_queries_by_hand():
  shape = accounting.ModelShape(
    vocab_size=10,
    width=6,
    num_layers=3,
    num_heads=4,
    head_dim=2,
    mlp_width=5,
    num_kv_heads=2,
    tie_embeddings=False,
    family='parallel',
  )
  # Attention: queries 6*8, keys 6*4, values 6*4, output 8*6, in 3 layers.
  assert accounting.params_by_group(shape) == {
    'embedding': 60,
    'attention': 3 * (48 + 24 + 24 + 48),
    'mlp': 3 * 3 * 6 * 5,
    'norm': 3 * 6 + 6,
    'output': 60,
  }
  assert accounting.num_params(shape) == 60 + 432 + 270 + 24 + 60
  assert accounting.num_params_no_embed(shape) == 432 + 270 + 24


def test_flops_of_a_model_without_attention_span_are_six_per_parameter():
  shape = accounting.ModelShape(
    vocab_size=100,
    width=64,
    num_layers=2,
    num_heads=2,
    head_dim=32,
    mlp_width=128,
  )
  groups = accounting.params_by_group(shape)
  matrices = groups['attention'] + groups['mlp'] + groups['embedding']
  one = accounting.train_flops_per_token(shape, 1)
  two = accounting.train_flops_per_token(shape, 2)
  attention_per_position = two - one
  assert attention_per_position == 3 * 2 * 2 * 2 * 32
  assert one - attention_per_position == 6 * matrices


@pytest.mark.parametrize(
  'change',
  [
    {'width': 0},
    {'num_layers': 1.5},
    {'num_kv_heads': 3},
    {'head_dim': 3},
    {'family': 'recurrent'},
  ],
)
def test_impossible_shapes_are_refused(change):
  shape = {
    'vocab_size': 8,
    'width': 4,
    'num_layers': 1,
    'num_heads': 2,
    'head_dim': 2,
    'mlp_width': 4,
  }
  accounting.ModelShape(**shape)
  with pytest.raises(errors.UserError, match='ModelShape.'):
    accounting.ModelShape(**{**shape, **change})


def test_peaks_are_found_by_device_kind():
  assert accounting.peak_flops_per_second('TPU v5 lite') == 197e12
  assert accounting.peak_flops_per_second('TPU v5p') == 459e12
  assert accounting.peak_flops_per_second('cpu') is None
