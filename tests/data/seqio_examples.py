"""Tasks of a SeqIO user, registered by importing this module.

`tests/data/seqio_import_test.py` and `tests/cli/seqio_mixture_test.py` name it
as a user names a module of theirs. `TEXTS` is what the tasks hold.
"""

import functools
import random

import seqio
import tensorflow as tf

_WORDS = ('def', 'return', 'x', 'é', '(', ')', '=', '\n')


def _texts(seed, count, longest):
  generator = random.Random(seed)
  return tuple(
    ' '.join(generator.choices(_WORDS, k=generator.randint(1, longest)))
    + f' {seed} {index}'
    for index in range(count)
  )


# task -> split -> texts
TEXTS = {
  'example:Python': {
    'train': _texts('python train', 150, 30),
    'validation': _texts('python validation', 20, 30),
  },
  'example_docs': {'train': _texts('docs', 300, 8) * 2},
}
VOCABULARY = seqio.ByteVocabulary()


def _dataset(split, shuffle_files, seed=None, *, texts):
  del shuffle_files, seed
  return tf.data.Dataset.from_tensor_slices({'text': list(texts[split])})


def add_task(
  name, texts, vocabulary=VOCABULARY, more=(), features=('targets',)
):
  """Registers a task over {split: texts}."""
  seqio.TaskRegistry.add(
    name,
    source=seqio.FunctionDataSource(
      functools.partial(_dataset, texts=texts), splits=tuple(texts)
    ),
    preprocessors=[
      functools.partial(
        seqio.preprocessors.rekey, key_map={f: 'text' for f in features}
      ),
      seqio.preprocessors.tokenize,
      seqio.preprocessors.append_eos,
      *more,
    ],
    output_features={
      f: seqio.Feature(vocabulary, add_eos=True) for f in features
    },
  )


for _name, _splits in TEXTS.items():
  add_task(_name, _splits)
# One part Python, three parts of which a third is Python again.
seqio.MixtureRegistry.add(
  'example_inner', [('example:Python', 1.0), ('example_docs', lambda _: 2.0)]
)
seqio.MixtureRegistry.add(
  'example', [('example:Python', 1), ('example_inner', 3)]
)
