"""What a model is asked, and the scores that follow."""

import dataclasses
import itertools
import json
import math

import pytest

from codelaw import errors
from codelaw.corpora import pairing
from codelaw.evaluation import language_model
from codelaw.evaluation import toolchains
from codelaw.evaluation import translation
from codelaw.evaluation import translation_sets
from tests.evaluation import scripted_model

LANGUAGES = (
  'python', 'java', 'javascript', 'typescript', 'csharp', 'go', 'rust',
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Programs:
  """A test set in memory."""

  rows: tuple

  def languages(self):
    """In order of first mention."""
    return tuple(dict.fromkeys(name for row in self.rows for name in row))

  def items(self):
    """The rows."""
    for number, row in enumerate(self.rows):
      yield translation_sets.Item(f'row{number}', row)


def _row(number, languages=LANGUAGES):
  return {
    name: f'// {name}\nlet v{number} = f ( {number} ) ;\n' for name in languages
  }


EVERY = Programs(tuple(map(_row, range(3))))
TWO = Programs((
  {'python': 'a = 1 + 0\n', 'java': 'int a = 1 ;\n'},
  {'python': 'b = b + 22\n', 'java': 'b += 22 ;\n'},
))  # fmt: skip
# A model is asked without the last blank, and writes it.
DICTIONARY = {
  row[one]: f'\n{row[other]}'
  for row in TWO.rows
  for one, other in itertools.permutations(row)
}


def _evaluate(test_set, model=None, **settings):
  model = model or scripted_model.ScriptedModel()
  task = translation.Translation(test_set=test_set, **settings)
  result = task.evaluate(model, lambda words, share: None)
  return {
    score.name.removeprefix('translation/'): score for score in result.scores
  }, result


def test_all_directions_of_seven_languages():
  found, result = _evaluate(EVERY, metrics=['nats_per_token'])
  directions = {'-'.join(p) for p in itertools.permutations(LANGUAGES, 2)}
  assert len(directions) == 42
  names = directions | {'seen', 'unseen', 'all'}
  assert set(found) == {f'{name}/nats_per_token' for name in names}
  assert found['seen/nats_per_token'].num_items == 12 * 3
  assert found['unseen/nats_per_token'].num_items == 30 * 3
  assert len(result.samples) == 42 * 3
  assert sum(sample['is_seen'] for sample in result.samples) == 12 * 3


def test_a_label_tells_ways_of_asking_apart():
  asked = {'metrics': ['nats_per_token'], 'directions': ['java-go']}
  plain, _ = _evaluate(EVERY, **asked)
  found, _ = _evaluate(EVERY, **asked, label='prompt')
  assert set(found) == {f'{name}@prompt' for name in plain}
  assert translation.Translation(label='prompt').name == 'translation_prompt'
  assert translation.Translation().name == 'translation'
  with pytest.raises(errors.UserError, match="letters, digits and _, got 'A/'"):
    translation.Translation(label='A/')


def test_likelihood_per_token():
  nats = {
    '\nint a = 1 ;\n': 0.5, '\nb += 22 ;\n': 2.0,
    '\na = 1 + 0\n': 1.0, '\nb = b + 22\n': 3.0, '\n': 9.0,
  }  # fmt: skip
  model = scripted_model.ScriptedModel(nats=nats.__getitem__)
  found, result = _evaluate(TWO, model, metrics=['nats_per_token'])
  assert model.asked[0] == ('a = 1 + 0\n', '\nint a = 1 ;\n')
  to_java = (5 * 0.5 + 4 * 2.0) / (5 + 4)
  to_python = (5 * 1.0 + 5 * 3.0) / (5 + 5)
  score = found['python-java/nats_per_token']
  assert score.value == pytest.approx(to_java, rel=1e-15)
  assert not score.higher_is_better
  assert found['java-python/nats_per_token'].value == to_python
  assert found['all/nats_per_token'].value == pytest.approx(
    (to_java + to_python) / 2, rel=1e-15
  )
  assert result.samples[0]['nats'] == -2.5
  assert not model.prompts


def test_the_blank_before_a_translation_is_not_scored():
  """Though it is a token, and one that the model holds for unlikely."""

  class Letters(scripted_model.ScriptedModel):
    def likelihoods(self, requests):
      return [
        language_model.Likelihood(
          -sum(7.0 if c == '\n' else 1.0 for c in text), len(text), False
        )
        for _, text in requests
      ]

  rows = ({'python': 'ab\n', 'java': 'c\nd'},)
  for separator in ('\n', ' # ', '#', ''):
    settings = pairing.Pairing(separator=separator)
    found, _ = _evaluate(
      Programs(rows), Letters(), pairing=settings, metrics=['nats_per_token']
    )
    assert found['python-java/nats_per_token'].value == (1 + 7 + 1) / 3
    assert found['java-python/nats_per_token'].value == (1 + 1 + 7) / 3


def test_perfect_translations_have_bleu_100():
  model = scripted_model.ScriptedModel(DICTIONARY.__getitem__)
  found, result = _evaluate(TWO, model, metrics=['bleu'])
  for score in found.values():
    assert score.value == pytest.approx(100, 1e-12)
    assert score.higher_is_better
    assert score.standard_error == pytest.approx(0, abs=1e-9)
  assert not model.asked
  assert any('nrefs:1' in note and '0 to 100' in note for note in result.notes)
  assert result.samples[1]['translation'] == 'b += 22 ;\n'


def test_a_model_that_copies():
  """Shares words with the target, more where languages are alike."""
  rows = (
    {
      'python': 'def f(x):\n  return x + 1\n',
      'javascript': 'function f(x) {\n  return x + 1;\n}\n',
      'typescript': 'function f(x: number) {\n  return x + 1;\n}\n',
    },
  )
  model = scripted_model.ScriptedModel(lambda prompt: prompt)
  found, _ = _evaluate(Programs(rows), model, metrics=['bleu'])
  near = found['javascript-typescript/bleu'].value
  far = found['python-typescript/bleu'].value
  assert 0 < far < near < 100
  assert found['seen/bleu'].value == pytest.approx(
    math.fsum(
      found[f'{name}/bleu'].value
      for name in pairing.PIVOT_DIRECTIONS
      if f'{name}/bleu' in found
    )
    / 4,
    rel=1e-12,
  )
  assert found['unseen/bleu'].num_items == 2


def test_the_pairing_says_what_was_seen_and_how_it_was_written():
  model = scripted_model.ScriptedModel()
  settings = pairing.Pairing(
    'prompt', ['java-python'], prompt='\n# now in {target}:\n'
  )
  stop = language_model.Sampling(9, stop=('END',))
  found, result = _evaluate(TWO, model, pairing=settings, sampling=stop)
  assert model.prompts[0] == 'a = 1 + 0\n\n# now in Java:'
  assert result.samples[0]['prefix'] == 'a = 1 + 0\n\n# now in Java:\n'
  assert model.asked[0][0] == model.prompts[0]
  for sampling in model.samplings:
    assert sampling.stop == ('END', '\n# now in ')
    assert sampling.max_new_tokens == 9
  for kind, direction in (('seen', 'java-python'), ('unseen', 'python-java')):
    assert (
      found[f'{kind}/nats_per_token'].value
      == found[f'{direction}/nats_per_token'].value
    )


def test_shuffled_programs_are_asked_for_like_direct_pairs():
  models = []
  for strategy in ('shuffled', 'direct'):
    models.append(scripted_model.ScriptedModel())
    _evaluate(TWO, models[-1], pairing=pairing.Pairing(strategy))
  assert models[0].asked == models[1].asked
  assert models[0].prompts == models[1].prompts
  assert models[0].samplings[0].stop == ()


def _generated(count=2):
  """A small generated set, and a model that knows all its translations."""
  test_set = translation_sets.SyntheticParallel(
    count, 1, language_names=['javascript', 'python', 'go']
  )
  known = {
    item.programs[one]: '\n' + item.programs[other]
    for item in test_set.items()
    for one, other in (('javascript', 'python'), ('python', 'go'))
  }
  return test_set, known


def test_right_translations_pass_their_tests():
  test_set, known = _generated()
  first = next(iter(known))
  known[first] = known[first].replace('return ', 'return not ')
  model = scripted_model.ScriptedModel(known.__getitem__)
  found, result = _evaluate(
    test_set, model, directions=['javascript-python'], metrics=['execution']
  )
  score = found['javascript-python/execution']
  assert (score.value, score.num_items) == (0.5, 2)
  assert found['seen/execution'] == dataclasses.replace(
    score, task='translation/seen'
  )
  outcomes = [sample['outcome'] for sample in result.samples]
  assert outcomes == ['failed', 'passed']
  assert not model.asked


def test_languages_without_tools_are_skipped(monkeypatch):
  def missing(language, unsandboxed=False):
    if language == 'go':
      raise toolchains.Missing('no go on PATH')
    return tools(language, unsandboxed)

  tools = toolchains.toolchain
  monkeypatch.setattr(toolchains, 'toolchain', missing)
  test_set, known = _generated(1)
  found, result = _evaluate(
    test_set,
    scripted_model.ScriptedModel(known.__getitem__),
    directions=['javascript-python', 'python-go'],
    metrics=['bleu', 'execution'],
  )
  assert 'python-go/execution' not in found
  assert found['python-go/bleu'].value == pytest.approx(100, 1e-12)
  assert found['all/execution'].num_items == 1
  assert found['all/bleu'].num_items == 2
  assert 'Translations into go were not run: no go on PATH.' in result.notes


def test_programs_from_files_have_no_tests():
  found, result = _evaluate(TWO, metrics=['execution', 'nats_per_token'])
  assert not any('execution' in name for name in found)
  assert any('none was run' in note for note in result.notes)


def test_missing_languages():
  test_set = Programs((
    _row(0, ['python', 'java']),
    _row(1, ['python', 'java', 'go']),
    _row(2, ['python', 'rust']),
  ))  # fmt: skip
  found, result = _evaluate(test_set, metrics=['nats_per_token'])
  assert found['python-java/nats_per_token'].num_items == 2
  assert found['go-java/nats_per_token'].num_items == 1
  assert found['go-java/nats_per_token'].standard_error is None
  assert 'java-rust/nats_per_token' not in found
  (note,) = (note for note in result.notes if 'skipped' in note)
  assert 'java-rust' in note
  assert 'python-rust' not in note


def test_some_directions():
  found, _ = _evaluate(
    EVERY, directions=['go-rust', 'python-go'], metrics=['nats_per_token']
  )
  assert {name.partition('/')[0] for name in found} == {
    'go-rust', 'python-go', 'seen', 'unseen', 'all',
  }  # fmt: skip


def test_long_programs_are_left_out():
  found, _ = _evaluate(TWO, max_program_bytes=11)
  assert found['all/bleu'].num_items == 2
  with pytest.raises(errors.UserError, match='of at most 3 bytes'):
    _evaluate(TWO, max_program_bytes=3)


@pytest.mark.parametrize(
  ('settings', 'message'),
  [
    ({'directions': 'python-java'}, 'must be a list'),
    ({'directions': ['python-c']}, r"'python-c'.*python-java"),
    ({'directions': ['java-java']}, "'java-java'"),
    ({'directions': ['java-python'] * 2}, 'twice'),
    ({'metrics': ['loss']}, 'nats_per_token, bleu'),
    ({'metrics': []}, 'nats_per_token, bleu'),
    ({'workers': -1}, 'workers'),
    ({'test_set': 'aligned.jsonl'}, '@ParallelTestSet'),
    ({'pairing': 'direct'}, '@Pairing'),
    ({'bleu_tokenizer': 'moses'}, '13a'),
  ],
)
def test_bad_settings(settings, message):
  with pytest.raises(errors.UserError, match=message):
    translation.Translation(**{'test_set': TWO, **settings})


def test_samples_are_json():
  _, result = _evaluate(TWO)
  assert json.loads(json.dumps(result.samples)) == list(result.samples)
  assert [score.category for score in result.scores] == ['translation'] * 8
