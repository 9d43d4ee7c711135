"""What a model is asked of a pair of programs.

The document is that of the training pairs, `Pairing.prefix` and then the
translation. Tokenizers take the line breaks between two programs as other
tokens when nothing follows them, so the last blank of the prefix is left to
the model: it writes that blank first, which is taken off its translation, and
the likelihood is that of blank and reference without that of the blank alone.
A model of shuffled programs may end the document there, and not translate.

A translation ends where the model ends the document, before a string of
`Sampling.stop`, before the model begins another prompt (strategy `prompt`: the
text before the first language that the prompt names), or after
`Sampling.max_new_tokens`. Nothing else is cut from it.
"""

from collections.abc import Sequence
import dataclasses

from codelaw.corpora import pairing as pairing_lib
from codelaw.evaluation import language_model
from codelaw.evaluation import translation_sets


@dataclasses.dataclass(frozen=True)
class Question:
  """A program to translate.

  Attributes:
    direction: like `python-java`.
    item: that has the program and its translation.
    context: the prefix without its last character, if that is blank.
    blank: that character.
    reference: the translation that the item has.
  """

  direction: str
  item: translation_sets.Item
  context: str
  blank: str
  reference: str

  @property
  def prefix(self) -> str:
    """What stands before the translation."""
    return self.context + self.blank


def of(
  pairing: pairing_lib.Pairing, direction: str, item: translation_sets.Item
) -> Question | None:
  """The question of an item; None if it lacks a language of the direction."""
  source, target = direction.split('-')
  if not {source, target} <= item.programs.keys():
    return None
  prefix = pairing.prefix(direction, item.programs[source])
  blank = prefix[-1:] if prefix[-1:].isspace() else ''
  context = prefix.removesuffix(blank)
  return Question(direction, item, context, blank, item.programs[target])


def likelihoods(
  model: language_model.LanguageModel, questions: Sequence[Question]
) -> list[language_model.Likelihood]:
  """Of the references after their whole prefixes.

  Raises:
    UserError: when a reference is longer than the model's context.
  """
  whole = model.likelihoods(
    [(one.context, one.blank + one.reference) for one in questions]
  )
  parted = [(one.context, one.blank) for one in questions if one.blank]
  blanks = iter(model.likelihoods(parted) if parted else ())
  return [
    _without(found, next(blanks)) if one.blank else found
    for found, one in zip(whole, questions, strict=True)
  ]


def _without(
  whole: language_model.Likelihood, begin: language_model.Likelihood
) -> language_model.Likelihood:
  return dataclasses.replace(
    whole,
    nats=whole.nats - begin.nats,
    num_tokens=whole.num_tokens - begin.num_tokens,
  )


def translations(
  model: language_model.LanguageModel,
  questions: Sequence[Question],
  sampling: language_model.Sampling,
  pairing: pairing_lib.Pairing,
) -> list[str]:
  """What the model writes after the prefixes."""
  again = pairing.prompt.partition('{')[0]
  if pairing.strategy == 'prompt' and again.strip():
    sampling = dataclasses.replace(sampling, stop=(*sampling.stop, again))
  texts = model.generate([one.context for one in questions], sampling)
  return [
    text.removeprefix(one.blank)
    for text, one in zip(texts, questions, strict=True)
  ]
