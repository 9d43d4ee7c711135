"""Small models with random parameters, wrapped as tasks ask them."""

import dataclasses
import functools
import math

import jax
import numpy as np

from codelaw import execution as execution_lib
from codelaw.data import tokenizer as tokenizer_lib
from codelaw.evaluation import run_language_model
from codelaw.models import transformer
from codelaw.train import mesh as mesh_lib
from tests.interop import models_to_export

CONTEXT_LENGTH = 48


@functools.cache
def tokenizer():
  return tokenizer_lib.train(models_to_export.TEXTS * 20, 270)


def shape(name):
  """One of `models_to_export.SHAPES`, of two layers, which compile faster."""
  return dataclasses.replace(models_to_export.shape(name), num_layers=2)


def language_model(
  name='sequential_grouped', mesh_shape=(1, 1, 1), **settings
) -> run_language_model.RunLanguageModel:
  """One of `models_to_export.SHAPES`; `settings` are fields to change."""
  of = shape(name)
  mesh = mesh_lib.make(
    execution_lib.MeshShape(*mesh_shape),
    jax.devices()[: math.prod(mesh_shape)],
  )
  fields = dict(
    name=name,
    params=run_language_model.placed(models_to_export.params(of), mesh),
    shape=of,
    tokenizer=tokenizer(),
    context_length=CONTEXT_LENGTH,
    mesh=mesh,
    # One row of 64 tokens or two of 32: few programs for all tests.
    batch_tokens=64,
  )
  return run_language_model.RunLanguageModel(**{**fields, **settings})


@functools.cache
def _apply(shape):
  return jax.jit(transformer.Transformer(shape).apply)


def log_probabilities(shape, tokens):
  """Of every next token after 0 and after each of `tokens`, [1 + T, V].

  One row, padded to one length so that it compiles once; float64.
  """
  inputs = np.zeros((1, CONTEXT_LENGTH + 1), np.int32)
  inputs[0, 1 : len(tokens) + 1] = tokens
  places = np.arange(inputs.shape[1], dtype=np.int32)[None]
  segments = (places <= len(tokens)).astype(np.int32)
  logits = _apply(shape)(
    {'params': models_to_export.params(shape)}, inputs, segments, places
  )
  logits = np.asarray(logits, np.float64)[0, : len(tokens) + 1]
  logits -= logits.max(axis=-1, keepdims=True)
  return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
