"""The vocabulary of a SeqIO task, as the `tokenizer.json` of shards.

codelaw does not need to encode text to train on a task's tokens: it needs to
know how many tokens there are, that 0 pads and 1 ends a document, and for bits
per byte how many bytes each token stands for. That is what is written here, in
the place of a tokenizer; its fingerprint names the vocabulary.

TensorFlow is imported when a function here is called, not before.
"""

import hashlib
from typing import Any

from codelaw import errors
from codelaw.data import packing
from codelaw.data import tokenizer as tokenizer_lib


def describe(task: Any) -> dict[str, Any]:
  """What `tokenizer.json` says about the vocabulary of a task's targets.

  Args:
    task: seqio.Task.

  Returns:
    JSON values: `type`, `vocabulary` (its class, and a hash of a
    SentencePiece model), `vocab_size`, and `token_bytes`, a list of bytes per
    token or None where the vocabulary does not tell.

  Raises:
    UserError: when the task has no targets or inputs beside them, or its
      vocabulary does not pad with 0 and end documents with 1.
  """
  features = task.output_features
  if 'targets' not in features or features['targets'].rank != 1:
    raise errors.UserError(
      f'SeqIO task {task.name} has no one-dimensional feature targets (it has'
      f' {", ".join(features)}), which is what codelaw trains on.'
    )
  if 'inputs' in features:
    raise errors.UserError(
      f'SeqIO task {task.name} has inputs beside its targets; codelaw trains'
      ' decoders on targets alone, so let the task join the two into targets.'
    )
  vocabulary = features['targets'].vocabulary
  ids = (vocabulary.pad_id, vocabulary.eos_id)
  if ids != (packing.PAD_ID, packing.EOS_ID):
    raise errors.UserError(
      f'The vocabulary of SeqIO task {task.name} has {ids[0]} for padding and'
      f' {ids[1]} for the end of a document, codelaw needs {packing.PAD_ID} and'
      f' {packing.EOS_ID}; give the task such a vocabulary.'
    )
  return {
    'type': tokenizer_lib.VOCABULARY_TYPE,
    'vocabulary': _name(vocabulary),
    'vocab_size': int(vocabulary.vocab_size),
    'token_bytes': _token_bytes(vocabulary),
  }


def _name(vocabulary: Any) -> str:
  import seqio

  kind = type(vocabulary)
  name = f'{kind.__module__}.{kind.__qualname__}'
  if isinstance(vocabulary, seqio.SentencePieceVocabulary):
    name += f' {hashlib.sha256(vocabulary.sp_model).hexdigest()[:16]}'
  return name


def _token_bytes(vocabulary: Any) -> list[int] | None:
  """UTF-8 bytes of each token, or None for vocabularies that do not tell.

  A byte or piece stands for the same bytes wherever it is; other vocabularies
  only decode whole texts. Unknown text and extra ids count as nothing.
  """
  import seqio

  size = int(vocabulary.vocab_size)
  if isinstance(vocabulary, seqio.ByteVocabulary):
    special = 3  # padding, end, unknown; extra ids come after the bytes
    return [int(special <= token < special + 256) for token in range(size)]
  if isinstance(vocabulary, seqio.SentencePieceVocabulary):
    model = vocabulary.tokenizer
    return [
      _piece_bytes(model, token) if token < size - vocabulary.extra_ids else 0
      for token in range(size)
    ]
  return None


def _piece_bytes(model: Any, token: int) -> int:
  if model.IsControl(token) or model.IsUnknown(token) or model.IsUnused(token):
    return 0
  if model.IsByte(token):
    return 1
  # SentencePiece writes a space as U+2581, which has three bytes.
  return len(model.IdToPiece(token).replace('\u2581', ' ').encode())
