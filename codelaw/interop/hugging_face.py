"""Folders that Hugging Face's transformers loads, from runs and into runs.

A folder holds `config.json`, the parameters as safetensors (in several files
with an index where they are large), the tokenizer, which begins every text
with token 0 as every document of a run begins, a model card, and
`codelaw.json`: the record of the run, and what the parameters alone do not
tell exactly. `config.json` is written last: without it nothing is loaded.

Writing and reading need the package safetensors (extra `hf`); neither
transformers nor PyTorch. A run of 0.58 GB of parameters was read and written in
1.3 GB beside the 0.2 of the program.
"""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
import contextlib
import dataclasses
import json
import os
import pathlib
from typing import Any

import jax.numpy as jnp
import numpy as np
from tokenizers import processors

from codelaw import accounting
from codelaw import errors
from codelaw import records
from codelaw import storage
from codelaw.data import manifest as manifest_lib
from codelaw.data import packing
from codelaw.data import tokenizer as tokenizer_lib
from codelaw.interop import hugging_face_card
from codelaw.interop import hugging_face_config
from codelaw.interop import hugging_face_weights
from codelaw.train import evaluate
from codelaw.train import run_model

CONFIG_NAME = 'config.json'
OUR_NAME = 'codelaw.json'
DTYPES = ('float32', 'bfloat16')
MAX_FILE_BYTES = 2_000_000_000
_SINGLE_NAME = 'model.safetensors'
_INDEX_NAME = 'model.safetensors.index.json'

Report = Callable[[str, float], None]


def write(
  folder: storage.PathLike,
  model: run_model.Model,
  *,
  dtype: str = 'float32',
  tokenizer_file: storage.PathLike | None = None,
  losses: Mapping[str, evaluate.HeldOutLoss] | None = None,
  max_file_bytes: int = MAX_FILE_BYTES,
  report: Report = lambda done, fraction: None,
) -> bool:
  """Writes a model as a folder for transformers.

  Args:
    folder: new, or without a `config.json`; on a disk or in a bucket.
    model: what to write.
    dtype: of the parameters in the folder, one of `DTYPES`.
    tokenizer_file: of the run; by default the one beside its shards.
    losses: source -> held-out loss, for the model card.
    max_file_bytes: a file of parameters is larger only for one tensor alone.
    report: called with each file's name and the fraction that is done.

  Returns:
    Whether a tokenizer is in the folder: that of SeqIO shards is not ours.

  Raises:
    UserError: when the folder holds a model, transformers has no place for
      the shape, the tokenizer is not the run's, or the disk is full. What was
      written is then removed.
  """
  target, plan = storage.path(folder), model.record.plan
  if (target / CONFIG_NAME).exists():
    raise errors.UserError(
      f'{os.fspath(target)} holds a model; choose another folder, or delete'
      ' that one.'
    )
  config = hugging_face_config.to_config(
    plan.model, plan.sequence_length, dtype
  )
  tokenizer = run_model.read_tokenizer(model.record, tokenizer_file)
  if target.exists():  # of a writer that was killed
    for file in target.glob('model*.safetensors*'):
      file.unlink()
  with _removed_on_failure() as add:
    tensors = hugging_face_weights.to_tensors(model.params, plan.model)
    for name, content, fraction in _files(tensors, dtype, max_file_bytes):
      storage.write_bytes(add(target / name), content)
      report(name, fraction)
    if tokenizer is not None:
      _write_tokenizer(target, tokenizer, plan.sequence_length, add)
    storage.write_json(
      add(target / 'generation_config.json'),
      {
        'bos_token_id': packing.PAD_ID,
        'eos_token_id': packing.EOS_ID,
        'pad_token_id': packing.EOS_ID,  # never an input in training
      },
    )
    storage.write_json(add(target / OUR_NAME), _our_content(model))
    storage.write_text(
      add(target / 'README.md'),
      hugging_face_card.text(
        model.record, model.step, losses or {}, dtype, tokenizer is not None
      ),
    )
    storage.write_json(add(target / CONFIG_NAME), config)
  return tokenizer is not None


def read(folder: storage.PathLike, run_id: str) -> run_model.Model:
  """Reads a model from a folder of transformers, on a local disk.

  What `write` wrote comes back bit for bit, if it was float32. Where the
  folder has no `codelaw.json`, the record says nothing about the model's
  training: no tokens, step 1.

  Args:
    folder: with `config.json`, safetensors and our tokenizer.
    run_id: of the record.

  Raises:
    UserError: when the folder holds no model, or one that ours cannot be.
  """
  place = pathlib.Path(os.fspath(folder))
  file = place / CONFIG_NAME
  content = storage.read_json(file)
  shape, logit_scale = hugging_face_config.from_config(content, os.fspath(file))
  ours = place / OUR_NAME
  facts = storage.read_json(ours) if ours.exists() else {}
  final_norm = facts.get('final_norm_scale')
  with _tensor_reader(place, shape) as read_tensor:
    params = hugging_face_weights.from_tensors(
      read_tensor,
      shape,
      logit_scale,
      None if final_norm is None else np.array(final_norm, np.float32),
    )
  if facts:
    record = records.from_json(facts['record'], records.RunRecord)
    if not _is_same(record.plan.model, shape):
      raise errors.UserError(
        f'{ours} is of another model than {file}; delete the first, if the'
        ' parameters are those of the second.'
      )
    step = facts['step']
  else:
    length = content.get('max_position_embeddings', 2048)
    record, step = _blank_record(shape, length, place), 1
  record = dataclasses.replace(record, run_id=run_id, status='finished')
  return run_model.Model(params, record, step)


def _is_same(one: accounting.ModelShape, other: accounting.ModelShape) -> bool:
  """Whether two shapes are equal, however they say that all heads have keys."""
  plain, again = (
    dataclasses.replace(shape, num_kv_heads=shape.kv_heads)
    for shape in (one, other)
  )
  return plain == again


def _our_content(model: run_model.Model) -> dict[str, Any]:
  content = {'record': records.to_json(model.record), 'step': model.step}
  if model.record.plan.model.family == 'sequential':
    scale = np.asarray(model.params['final_norm']['scale'])
    content['final_norm_scale'] = scale.tolist()  # exact: repr of a float64
  return content


@contextlib.contextmanager
def _removed_on_failure() -> Iterator[Callable[[Any], Any]]:
  """Yields a function that notes a file; they are removed on any error."""
  files = []

  def add(file):
    files.append(file)
    return file

  try:
    yield add
  except BaseException:
    for file in files:
      file.unlink(missing_ok=True)
    raise


def _safetensors() -> Any:
  try:
    import safetensors.numpy
  except ImportError as error:
    raise errors.UserError(
      'Folders of Hugging Face need the package safetensors; install it, or'
      " the extra: pip install 'codelaw[hf]'."
    ) from error
  return safetensors


def _files(
  tensors: Mapping[str, hugging_face_weights.Tensor],
  dtype: str,
  max_file_bytes: int,
) -> Iterator[tuple[str, bytes, float]]:
  """(name, content, fraction done) of the files with the parameters."""
  library = _safetensors()
  kind = jnp.dtype(dtype)
  groups: list[list[str]] = [[]]
  filled = 0
  for name, tensor in tensors.items():
    size = tensor.size * kind.itemsize
    if groups[-1] and filled + size > max_file_bytes:
      groups.append([])
      filled = 0
    groups[-1].append(name)
    filled += size
  total = sum(tensor.size for tensor in tensors.values())
  names = [
    f'model-{number:05}-of-{len(groups):05}.safetensors'
    for number in range(1, len(groups) + 1)
  ]
  if len(groups) == 1:
    names = [_SINGLE_NAME]
  done = 0
  for file_name, group in zip(names, groups, strict=True):
    content = {
      name: tensors[name].make().astype(kind, copy=False) for name in group
    }
    done += sum(tensors[name].size for name in group)
    # transformers asks for the metadata.
    data = library.numpy.save(content, metadata={'format': 'pt'})
    yield file_name, data, done / total
  if len(groups) > 1:
    index = {
      'metadata': {'total_size': total * kind.itemsize},
      'weight_map': {
        name: file_name
        for file_name, group in zip(names, groups, strict=True)
        for name in group
      },
    }
    yield _INDEX_NAME, json.dumps(index, indent=2).encode(), 1.0


@contextlib.contextmanager
def _tensor_reader(
  folder: pathlib.Path, shape: accounting.ModelShape
) -> Iterator[Callable[[str], np.ndarray]]:
  """Yields a function from a tensor's name to the tensor.

  Raises:
    UserError: when a file is missing or damaged, or the tensors are not those
      of such a model.
  """
  library = _safetensors()
  with contextlib.ExitStack() as stack:
    holders = {}
    for name in _weight_files(folder):
      try:
        file = stack.enter_context(library.safe_open(folder / name, 'np'))
      except (OSError, library.SafetensorError) as error:
        raise errors.UserError(
          f'{folder / name} cannot be read ({error}); copy it again.'
        ) from error
      holders.update(dict.fromkeys(file.keys(), file))
    expected = hugging_face_weights.names(shape)
    for what, wrong in (
      ('lacks', expected - set(holders)),
      ('has, and our models have not,', set(holders) - expected),
    ):
      if wrong:
        raise errors.UserError(
          f'The model in {folder} {what} {sorted(wrong)[0]} ({len(wrong)}'
          f' such); {CONFIG_NAME} describes another model.'
        )
    yield lambda name: holders[name].get_tensor(name)


def _weight_files(folder: pathlib.Path) -> list[str]:
  if (folder / _INDEX_NAME).exists():
    index = storage.read_json(folder / _INDEX_NAME)
    return sorted(set(index['weight_map'].values()))
  if not (folder / _SINGLE_NAME).exists():
    raise errors.UserError(
      f'{folder} holds neither {_SINGLE_NAME} nor {_INDEX_NAME}; save the'
      ' model there with safetensors.'
    )
  return [_SINGLE_NAME]


def _write_tokenizer(
  folder: Any,
  tokenizer: tokenizer_lib.Tokenizer,
  max_length: int,
  add: Callable[[Any], Any],
) -> None:
  first, last = tokenizer_lib.SPECIAL_TOKENS
  tokenizer.post_processor = processors.TemplateProcessing(
    single=f'{first} $A',
    pair=f'{first} $A {first} $B',
    special_tokens=[(first, packing.PAD_ID)],
  )
  tokenizer_lib.save(tokenizer, add(folder / manifest_lib.TOKENIZER_NAME))
  storage.write_json(
    add(folder / 'tokenizer_config.json'),
    {
      'tokenizer_class': 'PreTrainedTokenizerFast',
      'bos_token': first,
      'eos_token': last,
      'pad_token': last,
      'model_max_length': max_length,
      'clean_up_tokenization_spaces': False,
      # A text that spells `<eos>` is text, as in our shards.
      'split_special_tokens': True,
    },
  )


def _blank_record(
  shape: accounting.ModelShape, length: int, folder: pathlib.Path
) -> records.RunRecord:
  """The record of a model of whose training nothing is known."""
  tokenizer = tokenizer_lib.load(folder / manifest_lib.TOKENIZER_NAME)
  stage = records.Stage('unknown', records.MixtureRates({'unknown': 1.0}))
  plan = records.RunPlan(
    model=shape,
    schedule=records.Schedule((stage,)),
    optimizer=records.OptimizerSettings(peak_learning_rate=1.0),
    shards_dir='unknown',
    num_tokens=length,
    sequence_length=length,
    batch_size=1,
  )
  return records.RunRecord(
    run_id='',
    plan=plan,
    status='finished',
    step=1,
    num_params=accounting.num_params(shape),
    num_params_no_embed=accounting.num_params_no_embed(shape),
    params_by_group=accounting.params_by_group(shape),
    train_flops=0.0,
    flops_convention=accounting.FLOPS_CONVENTION,
    planned_tokens={},
    realised_tokens={},
    stage_end_steps={},
    manifest_fingerprint='unknown',
    tokenizer_fingerprint=tokenizer_lib.fingerprint(tokenizer),
    code_revision='unknown',
    package_versions={},
    hardware={},
    wall_seconds=0.0,
    message=f'imported from {folder}; its training is not known',
  )
