import dataclasses

import pandas as pd
import pytest

from codelaw.reports import contents
from codelaw.reports import figures
from codelaw.reports import html
from codelaw.reports import study_folder
from codelaw.reports import study_variants

RUNS = {
  'text': ('t0', 't1'),
  'code, then text': ('c0', 'c1'),
  'code': ('k0', 'k1'),
}
LOSSES = {'t0': 3.0, 't1': 3.02, 'c0': 2.8, 'c1': 2.81, 'k0': 3.5, 'k1': 3.53}
SCORE = 'score/code/programs/pass@1'


def _table(**columns):
  rows = pd.DataFrame(
    {
      'run_id': list(LOSSES),
      'seed': [0, 1] * 3,
      'num_params': 5_000,
      'num_tokens': [9, 9, 9, 9, 7, 7],
      'step': 5,
      'is_final': True,
      'share/text': 1.0,
      'loss/text': list(LOSSES.values()),
    }
  )
  return rows.assign(**columns)


def _study(table, *comparisons):
  return study_folder.Study(
    folder='',
    name='ways',
    table=table,
    fits=(),
    mixture_fits=(),
    synergy=(),
    allocation=None,
    confirmation=None,
    purposes=dict.fromkeys(LOSSES, 'variant'),
    run_records=(),
    notes={},
    comparisons=comparisons
    or (study_folder.Comparison('ways, 5k parameters', 'text', RUNS),),
  )


def test_a_study_of_variants_answers_with_their_losses():
  page = contents.of_study(_study(_table()))
  assert page.answer.title == (
    'Of the held-out losses of ways, 5k parameters: 2 of 2 changes against'
    ' text are more than noise.'
  )
  (sentence,) = page.answer.sentences
  assert sentence.startswith('Loss of text: code, then text is lowest, -6.')
  assert [section.title for section in page.sections] == [
    'Losses of ways, 5k parameters',
    'Runs',
  ]
  runs = page.sections[1].tables[0]
  assert [row[1] for row in runs.rows[1:3]] == [
    'variant, text',
    'variant, code, then text',
  ]
  assert any('differ in tokens' in sentence for sentence in page.warnings)
  assert html.render(page).count('<svg') == 1


def test_evaluations_before_the_end_of_a_run_do_not_count():
  scored = _table(**{SCORE: [0.1, 0.12, 0.3, 0.32, 0.5, 0.5]})
  early = scored.assign(
    step=2, is_final=False, num_tokens=3, **{'loss/text': 9.0, SCORE: 0.9}
  )
  both = pd.concat([early, scored], ignore_index=True)
  pages = [contents.of_study(_study(table)) for table in (scored, both)]
  for one, other in zip(*(page.sections[:2] for page in pages), strict=True):
    assert [t.rows for t in one.tables] == [t.rows for t in other.tables]
  assert pages[0].answer == pages[1].answer
  assert pages[0].warnings == pages[1].warnings


def test_a_lower_loss_is_drawn_as_the_better_one():
  (section, _) = contents.of_study(_study(_table())).sections
  (axes,) = section.pictures[0].figure.axes
  colours = {
    axes.get_yticklabels()[round(line.get_ydata()[0])].get_text(): line
    for line in axes.lines
    if line.get_marker() == 'o'
  }
  assert colours['code, then text'].get_color() == figures.BLUE
  assert colours['code'].get_color() == figures.VERMILION


def test_of_one_comparison_no_more_is_said_than_can_be_read():
  names = [f'source{i}' for i in range(20)]
  table = _table(**{f'loss/{name}': list(LOSSES.values()) for name in names})
  assert len(contents.of_study(_study(table)).answer.sentences) == 8


def test_a_loss_that_stays_the_same_is_not_lower():
  page = contents.of_study(_study(_table(**{'loss/text': 3.0})))
  (sentence,) = page.answer.sentences
  assert sentence == 'Loss of text: no variant is below the baseline.'


def test_scores_that_no_run_has_are_not_shown():
  nowhere = _table(**{SCORE: float('nan')})
  titles = [s.title for s in contents.of_study(_study(nowhere)).sections]
  assert titles == ['Losses of ways, 5k parameters', 'Runs']
  # Nor are those that are no scores: they are losses.
  other = SCORE.replace('pass@1', 'nats_per_token').replace('code', 'web')
  scored = {SCORE: [0.1, 0.12, 0.3, 0.32, 0.5, 0.5], other: 2.0}
  page = contents.of_study(_study(_table(**scored)))
  assert page.sections[0].title.startswith('Scores of')
  assert 'web' not in str(page.sections[0].tables)


def test_what_the_variants_cost_comes_before_what_they_gain():
  losses = [2.0, 2.1, 2.5, 2.6, 2.7, 2.8]
  others = {f'loss/{name}': losses for name in ('web', 'wiki')}
  page = contents.of_study(_study(_table(**others)))
  first, second = page.answer.sentences
  assert first == 'Loss of web, wiki: no variant is below the baseline.'
  assert second.startswith('Loss of text: code, then text is lowest')


def test_scores_come_before_losses():
  scored = _table(**{SCORE: [0.1, 0.12, 0.3, 0.32, 0.5, 0.5]})
  page = contents.of_study(_study(scored))
  assert [section.title for section in page.sections] == [
    'Scores of ways, 5k parameters',
    'Losses of ways, 5k parameters',
    'Runs',
  ]
  assert page.answer.title.startswith('Of the scores of ways')
  assert page.answer.sentences[0].startswith('code: code scores highest')
  assert page.answer.sentences[1].startswith('Loss of text: code, then text')
  html.render(page)


def test_scores_of_unknown_error_are_not_the_headline():
  alone = {name: runs[:1] for name, runs in RUNS.items()}
  once = study_folder.Comparison('once', 'text', alone)
  scored = _table(**{SCORE: [0.0] * 6})
  page = contents.of_study(_study(scored))
  assert page.answer.title.startswith('Of the held-out losses of ways')
  assert not page.sections[0].pictures  # changes from 0 to 0
  page = contents.of_study(_study(scored, once))
  assert page.answer.title.startswith('Of the scores of once')


def test_every_comparison_has_its_sections_and_its_words():
  two = (
    study_folder.Comparison('first', 'text', RUNS),
    study_folder.Comparison('second', 'code', RUNS),
  )
  page = contents.of_study(_study(_table(), *two))
  assert page.answer.title.startswith('Of the held-out losses of first')
  assert {warning.partition(':')[0] for warning in page.warnings} == {
    'first',
    'second',
  }
  assert [section.title for section in page.sections][:2] == [
    'Losses of first',
    'Losses of second',
  ]
  assert any(
    s.startswith('Of the held-out losses of second')
    for s in page.answer.sentences
  )
  names = [p.name for section in page.sections for p in section.pictures]
  assert len(set(names)) == len(names) == 2
  # A variant of the same name in both is named once.
  assert page.sections[-1].tables[0].rows[0][1] == 'variant, text'


def test_single_runs_are_compared_and_said_to_be_single():
  alone = {name: runs[:1] for name, runs in RUNS.items()}
  study = _study(_table(), study_folder.Comparison('once', 'text', alone))
  page = contents.of_study(study)
  assert 'no error is known' in page.answer.title
  assert any('trained once' in sentence for sentence in page.warnings)


def test_what_an_allocation_says_comes_first(study):
  found = study_folder.read(study)
  ids = list(found.table['run_id'])[:2]
  comparison = study_folder.Comparison(
    'ways', 'a', {'a': (ids[0],), 'b': (ids[1],)}
  )
  page = contents.of_study(
    dataclasses.replace(found, comparisons=(comparison,))
  )
  assert page.answer == contents.of_study(found).answer
  assert 'Losses of ways' in [section.title for section in page.sections]


def test_laws_are_drawn_without_the_variants(study):
  found = study_folder.read(study)
  variant = next(r for r, p in found.purposes.items() if p == 'single')
  purposes = {**found.purposes, variant: 'variant'}
  for given, there in ((found.purposes, True), (purposes, False)):
    page = contents.of_study(dataclasses.replace(found, purposes=given))
    pictures = {p.name: p for s in page.sections for p in s.pictures}
    for name in ('residuals', 'predicted_measured'):
      assert (variant in set(pictures[name].data['run_id'])) == there
    confirmed = {r for r, p in found.purposes.items() if p == 'confirm'}
    assert confirmed <= set(pictures['predicted_measured'].data['run_id'])
    assert not confirmed & set(pictures['residuals'].data['run_id'])


def test_laws_of_a_study_come_before_its_variants(study):
  found = dataclasses.replace(
    study_folder.read(study), allocation=None, confirmation=None
  )
  first, second = list(found.table['run_id'])[:2]
  comparison = study_folder.Comparison(
    'ways', 'a', {'a': (first,), 'b': (second,)}
  )
  with_ways = dataclasses.replace(found, comparisons=(comparison,))
  assert contents.of_study(with_ways).answer == contents.of_study(found).answer


def test_without_a_table_there_is_nothing_to_compare():
  assert study_variants.of(_study(None)) == []


def test_runs_have_the_name_of_their_variant():
  def names(study):
    return study_variants.run_names(study_variants.of(study))

  assert names(_study(_table())) == {
    't0': 'text, 1',
    't1': 'text, 2',
    'c0': 'code, then text, 1',
    'c1': 'code, then text, 2',
    'k0': 'code, 1',
    'k1': 'code, 2',
  }
  small = study_folder.Comparison('small', 'text', {'text': ('t0',)})
  large = study_folder.Comparison('large', 'text', {'text': ('c0',)})
  sizes = _table(num_params=[5_000, 5_000, 2_000_000, 1, 1, 1])
  assert list(names(_study(sizes, small, large)).items()) == [
    ('c0', 'text, 2M'),
    ('t0', 'text, 5k'),
  ]


def test_runs_that_a_name_does_not_tell_apart_keep_their_ids():
  once = study_folder.Comparison(
    'a', 'text', {'text': ('t0',), 'code': ('k0',)}
  )
  again = study_folder.Comparison(
    'b', 'text', {'text': ('c0',), 'mix': ('k0',)}
  )
  found = study_variants.of(_study(_table(), once, again))
  assert study_variants.run_names(found) == {}


def _translated(**values):
  """A table whose runs translate in two directions, one of them trained on."""
  directions = {
    'score/translation/java-go/nats_per_token': 3.0,
    'score/translation/go-java/nats_per_token': 3.0,
    'tokens/parallel/java-go': 7.0,
  }
  averages = {
    f'score/translation/{kind}/nats_per_token': column
    for kind, column in values.items()
  }
  return _table(**directions, **averages)


def test_a_study_of_translation_answers_with_the_best_variant():
  table = _translated(
    seen=[3.0, 2.0, 2.4, 2.4, 9, 9],
    unseen=[3.0, 2.0, 2.6, 2.6, 9, 9],
    all=[1.0, 1.0, 9, 9, 9, 9],
  )
  page = contents.of_study(_study(table))
  assert page.answer.title == (
    'Translation in unseen directions, nats per token: best is text, of unknown'
    ' error'
  )
  assert page.answer.sentences[0] == (
    'Translation in seen directions, nats per token: best is code, then text,'
    ' of unknown error.'
  )
  assert page.answer.sentences[1].startswith('Of the held-out losses of ways')
  assert page.sections[0].title == 'Translation'
  # Where nothing is known of seen directions, all count.
  page = contents.of_study(_study(_translated(all=[9, 9, 9, 9, 1.0, 1.0])))
  assert page.answer.title.startswith('Translation in all directions')
  assert page.answer.title.endswith('best is code, of unknown error')


def test_translation_is_told_by_size():
  table = _translated(unseen=[3.0, 2.0, 1.0, 9.0, 1.0, 2.0], seen=1.0)
  sizes = [5_000, 2_000_000, 5_000, 2_000_000, 5_000, 7_000]
  small = study_folder.Comparison(
    'small', 'text', {'text': ('t0',), 'both': ('c0',)}
  )
  large = study_folder.Comparison(
    'large', 'text', {'text': ('t1',), 'both': ('c1',)}
  )
  page = contents.of_study(_study(table.assign(num_params=sizes), small, large))
  assert page.answer.title == (
    'Translation in unseen directions, nats per token: best is both with 5k,'
    ' text with 2M, of unknown error'
  )


def test_scores_of_known_error_come_before_translation():
  table = _translated(all=2.0).assign(
    **{SCORE: [0.1, 0.12, 0.3, 0.32, 0.5, 0.5]}
  )
  page = contents.of_study(_study(table))
  assert page.answer.title.startswith('Of the scores of ways')
  assert page.answer.sentences[0].startswith('Translation in all directions')


def test_many_sources_are_compared_by_folder():
  losses = [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]
  columns = {f'loss/parallel/direct/{name}': losses for name in 'abcdefghijk'}
  (first, _) = contents.of_study(_study(_table(**columns))).sections
  assert 'parallel/direct/k' in first.tables[0].headings  # 12 can be read
  columns['loss/parallel/direct/l'] = [2.2, 3.4, 2.0, 2.0, 3.0, 3.0]
  columns['loss/alone/m'] = 1.0
  (first, _) = contents.of_study(_study(_table(**columns))).sections
  (table,) = first.tables
  assert table.headings == ('variant', 'alone/m', 'parallel/direct/*', 'text')
  assert table.rows[0][2] == f'{(11 + (2.2 + 3.4) / 2) / 12:.4f}'
  assert table.rows[1][2].startswith('2.0000')


def test_translation_that_cannot_be_compared_is_not_told():
  def told(study):
    answer = contents.of_study(study).answer
    return 'Translation' in str((answer.title, answer.sentences))

  assert told(_study(_translated(all=2.0)))
  alone = [1.0, 1.0, None, None, None, None]
  assert not told(_study(_translated(all=alone)))
  two = [
    study_folder.Comparison(name, 'text', RUNS) for name in ('one', 'other')
  ]  # of one size, which would not tell them apart
  assert not told(_study(_translated(all=2.0), *two))


@pytest.mark.parametrize(
  ('errors', 'words'),
  [
    ([0.1] * 6, 'beyond noise over programs'),
    ([0.24, 0.24, 0.24, 0.24, 0.1, 0.1], 'within noise over programs'),
    ([None, 0.1, 0.1, 0.1, 0.1, 0.1], 'of unknown error'),
  ],
)
def test_a_lead_in_translation_has_its_error(errors, words):
  column = 'score_standard_error/translation/all/nats_per_token'
  # Two standard errors of the lead of .5 are .28 and .68.
  table = _translated(all=[2.0, 2.0, 2.4, 2.6, 9, 9])
  page = contents.of_study(_study(table.assign(**{column: errors})))
  assert page.answer.title == (
    f'Translation in all directions, nats per token: best is text, {words}'
  )


def test_sizes_whose_lead_is_sure_are_named():
  column = 'score_standard_error/translation/all/nats_per_token'
  table = _translated(all=[2.0, 2.0, 2.4, 9, 9, 9]).assign(
    num_params=[5_000, 2_000_000, 5_000, 2_000_000, 1, 1], **{column: 0.2}
  )
  pairs = [
    study_folder.Comparison(name, 'text', {'text': (text,), 'both': (both,)})
    for name, text, both in (('small', 't0', 'c0'), ('large', 't1', 'c1'))
  ]
  assert contents.of_study(_study(table, *pairs)).answer.title.endswith(
    'best is text with 5k and 2M, beyond noise over programs with 2M alone'
  )
  unsure = table.assign(**{column: 20.0})
  assert contents.of_study(_study(unsure, *pairs)).answer.title.endswith(
    'best is text with 5k and 2M, all within noise over programs'
  )
