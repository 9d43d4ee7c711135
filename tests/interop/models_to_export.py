"""Models with their records and a tokenizer, for the tests of interop."""

import functools

import jax
import numpy as np

from codelaw import accounting
from codelaw import records
from codelaw.data import manifest as manifest_lib
from codelaw.data import tokenizer as tokenizer_lib
from codelaw.interop import hugging_face_weights
from codelaw.train import run_model

TEXTS = [
  'def add(first, second):\n  return first + second\n',
  'for value in range(10):\n  print(value, "café")\n',
  'class Stack:\n  def push(self, item):\n    self.items.append(item)\n',
]
# No width here is a power of 4, where multiplying by width**-0.5 loses nothing.
SHAPES = {
  'sequential': dict(num_heads=4),
  'sequential_grouped': dict(num_heads=4, num_kv_heads=2, tie_embeddings=False),
  'sequential_narrow_heads': dict(num_heads=2, head_dim=6),
  'parallel': dict(num_heads=4, family='parallel'),
  'parallel_grouped': dict(
    num_heads=4, num_kv_heads=1, family='parallel', tie_embeddings=False
  ),
  'parallel_wide_heads': dict(num_heads=3, head_dim=16, family='parallel'),
}


def shape(name: str) -> accounting.ModelShape:
  sizes = dict(vocab_size=272, width=24, num_layers=3, head_dim=6, mlp_width=40)
  return accounting.ModelShape(**{**sizes, **SHAPES[name]})


@functools.cache
def params(of: accounting.ModelShape):
  """Random, norms too: fresh scales are 1 and would hide a mistake."""
  generator = np.random.default_rng(0)

  def draw(path, leaf):
    mean, deviation = (1.0, 0.3) if path[-1].key == 'scale' else (0.0, 0.5)
    return generator.normal(mean, deviation, leaf.shape).astype(np.float32)

  return jax.tree_util.tree_map_with_path(
    draw, hugging_face_weights.abstract_params(of)
  )


def model(of: accounting.ModelShape, folder) -> run_model.Model:
  """A model whose shards, of which only the tokenizer exists, are `folder`."""
  tokenizer = tokenizer_lib.train(TEXTS * 20, 270)
  file = folder / manifest_lib.TOKENIZER_NAME
  tokenizer_lib.save(tokenizer, file)
  mixture = records.MixtureRates({'code/python': 3, 'markup': 1})
  plan = records.RunPlan(
    model=of,
    schedule=records.Schedule((records.Stage('main', mixture),)),
    optimizer=records.OptimizerSettings(0.01),
    shards_dir=str(folder),
    num_tokens=12 * 4 * 32,
    sequence_length=32,
    batch_size=4,
  )
  return run_model.Model(
    params(of),
    records.RunRecord(
      run_id='tiny',
      plan=plan,
      status='finished',
      step=12,
      num_params=accounting.num_params(of),
      num_params_no_embed=accounting.num_params_no_embed(of),
      params_by_group=accounting.params_by_group(of),
      train_flops=1e6,
      flops_convention='6ND',
      planned_tokens={'code/python': 1152, 'markup': 384},
      realised_tokens={'code/python': 1150, 'markup': 383},
      stage_end_steps={'main': 12},
      manifest_fingerprint='aaaa',
      tokenizer_fingerprint=manifest_lib.tokenizer_fingerprint(file),
      code_revision='cccc',
      package_versions={},
      hardware={},
      wall_seconds=1.0,
    ),
    12,
  )
