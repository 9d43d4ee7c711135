"""Translation in a run table becomes matrices, dots and a table."""

import dataclasses
import itertools

from matplotlib import colors
import numpy as np
import pandas as pd
import pytest

from codelaw.reports import contents
from codelaw.reports import layout
from codelaw.reports import svg
from codelaw.reports import translation_plots
from codelaw.reports import translation_rows

LANGUAGES = ('python', 'java', 'go')


def _row(run, step, level, trained=('python-go', 'go-python')):
  row = {'run_id': run, 'step': step, 'tokens/parallel/python-go': 0.0}
  row |= {f'tokens/parallel/{name}': 1e6 for name in trained}
  for place, (source, target) in enumerate(
    itertools.permutations(LANGUAGES, 2)
  ):
    name = f'translation/{source}-{target}'
    row[f'score/{name}/bleu'] = level + place
    row[f'score_standard_error/{name}/bleu'] = 1.5
    row[f'score/{name}/nats_per_token'] = 1 - level / 100
  for kind in ('seen', 'unseen', 'all'):
    row[f'score/translation/{kind}/bleu'] = level
    row[f'score_standard_error/translation/{kind}/bleu'] = 0.5
  row['score/code/humaneval/pass@1'] = 0.5
  return row


TABLE = pd.DataFrame([
  _row('direct', 100, 20.0), _row('direct', 200, 30.0),
  _row('shuffled', 200, 10.0, trained=()),
  {'run_id': 'direct', 'step': 300}, {'run_id': 'other', 'step': 100},
])  # fmt: skip


def _texts(axes):
  return {
    (round(text.get_position()[1]), round(text.get_position()[0])): text
    for text in axes.texts
  }


def _frames(axes):
  """(row, column) of cells with a frame."""
  return {
    (
      round(p.get_y() + p.get_height() / 2),
      round(p.get_x() + p.get_width() / 2),
    )
    for p in axes.patches
  }


def test_runs_are_shown_at_their_last_scores():
  nats, bleu = translation_rows.by_metric(TABLE)
  assert [m.metric for m in nats] == ['nats_per_token'] * 2
  direct, shuffled = bleu
  assert (direct.run_id, shuffled.run_id) == ('direct', 'shuffled')
  assert len(direct.directions) == 6
  assert direct.directions['python', 'java'] == translation_rows.Score(30, 1.5)
  assert direct.averages['seen'] == translation_rows.Score(30, 0.5)
  assert nats[0].directions['python', 'java'].standard_error is None
  assert nats[0].averages == {}


def test_each_way_of_asking_has_matrices_of_its_own():
  row = _row('direct', 200, 30.0)
  del row['tokens/parallel/python-go'], row['tokens/parallel/go-python']
  row['tokens/parallel/prompt/python-go'] = 1e6
  row['tokens/parallel/direct/go-python'] = 0.0
  row['score/translation/java-go/nats_per_token@prompt'] = 0.25
  found = translation_rows.by_metric(pd.DataFrame([row]))
  assert [one.metric for (one,) in found] == [
    'nats_per_token', 'nats_per_token@prompt', 'bleu',
  ]  # fmt: skip
  assert found[1][0].directions.keys() == {('java', 'go')}
  assert found[1][0].seen == frozenset()
  assert found[0][0].seen == {('python', 'go')}
  metric = found[1][0].metric
  assert translation_rows.shown(metric) == 'nats per token, prompt'
  assert translation_rows.is_lower_better(metric)
  assert not translation_rows.is_lower_better('bleu@prompt')


def test_seen_directions_are_those_with_training_tokens():
  _, (direct, shuffled) = translation_rows.by_metric(TABLE)
  assert direct.seen == {('python', 'go'), ('go', 'python')}
  assert shuffled.seen == set()
  bare = TABLE.drop(columns=[c for c in TABLE if c.startswith('tokens/')])
  assert translation_rows.by_metric(bare)[0][0].seen == set()


def test_languages_begin_with_the_pivot():
  _, bleu = translation_rows.by_metric(TABLE)
  # Both python and go have two seen directions here.
  assert translation_rows.languages(bleu) == ['go', 'python', 'java']
  more = dataclasses.replace(
    bleu[0], seen=bleu[0].seen | {('python', 'java'), ('java', 'python')}
  )
  assert translation_rows.languages([more]) == ['python', 'go', 'java']


def test_cells_are_where_their_languages_are():
  _, bleu = translation_rows.by_metric(TABLE)
  figure = translation_plots.matrices(bleu)
  direct, shuffled = figure.axes
  names = [label.get_text() for label in direct.get_yticklabels()]
  assert names == ['go', 'python', 'java']
  assert names == [label.get_text() for label in direct.get_xticklabels()]
  texts = _texts(direct)
  assert len(texts) == 6
  for (row, column), text in texts.items():
    score = bleu[0].directions[names[row], names[column]]
    assert text.get_text() == f'{score.value:.1f}'
  assert texts[0, 1].get_fontweight() == 'bold'
  assert texts[0, 2].get_fontweight() == 'normal'
  assert _frames(direct) == {(0, 1), (1, 0)}
  assert not _frames(shuffled)
  assert direct.get_title() == 'direct'
  assert direct.yaxis_inverted()
  one_way = dataclasses.replace(bleu[0], seen=frozenset({('python', 'java')}))
  axes = translation_plots.matrices([one_way]).axes[0]
  assert [label.get_text() for label in axes.get_yticklabels()] == [
    'java',
    'python',
    'go',
  ]
  assert _frames(axes) == {(1, 0)}


@pytest.mark.parametrize(
  ('metric', 'place'), [('bleu', 1), ('nats_per_token', 0)]
)
def test_darker_is_better(metric, place):
  found = translation_rows.by_metric(TABLE)[place]
  assert found[0].metric == metric
  figure = translation_plots.matrices(found)
  good, bad = (axes.collections[0] for axes in figure.axes)
  assert good.norm.vmin == bad.norm.vmin
  brightness = [
    np.mean(colors.to_rgb(mesh.cmap(mesh.norm(mesh.get_array().mean()))))
    for mesh in (good, bad)
  ]
  assert brightness[0] < brightness[1] - 0.2


@pytest.mark.parametrize(
  ('metric', 'value', 'least'), [('bleu', 1e-5, 10.0), ('execution', 0.0, 0.1)]
)
def test_noise_has_no_colour(metric, value, least):
  row = {'run_id': 'a', 'step': 1}
  row[f'score/translation/a-b/{metric}'] = value
  row[f'score/translation/b-a/{metric}'] = 0.0
  row[f'score/translation/unseen/{metric}'] = value
  found = translation_rows.by_metric(pd.DataFrame([row]))
  mesh = translation_plots.matrices(found[0]).axes[0].collections[0]
  assert (mesh.norm.vmin, mesh.norm.vmax) == (0.0, least)
  dots = translation_plots.seen_and_unseen(found).axes[0]
  assert dots.get_xlim()[0] == 0
  assert dots.get_xlim()[1] == least


def test_scales_of_losses_span_a_tenth_at_least():
  row = {'run_id': 'a', 'step': 1}
  row['score/translation/a-b/nats_per_token'] = 2.0
  row['score/translation/b-a/nats_per_token'] = 1.99
  (found,) = translation_rows.by_metric(pd.DataFrame([row]))
  mesh = translation_plots.matrices(found).axes[0].collections[0]
  assert (mesh.norm.vmin, mesh.norm.vmax) == (1.8, 2.0)


def test_dots_of_seen_and_unseen_directions():
  found = translation_rows.by_metric(TABLE)[1:]
  (axes,) = translation_plots.seen_and_unseen(found).axes
  lines = [tuple(line.get_xdata()) for line in axes.get_lines()]
  assert lines == [
    (29.0, 31.0), (30.0,), (29.0, 31.0), (30.0,),
    (9.0, 11.0), (10.0,), (9.0, 11.0), (10.0,),
  ]  # fmt: skip
  assert [t.get_text() for t in axes.get_yticklabels()] == [
    'direct',
    'shuffled',
  ]
  assert 'higher is better' in axes.get_xlabel()


def test_the_section():
  section = contents.translation(translation_rows.by_metric(TABLE))
  assert [picture.name for picture in section.pictures] == [
    'translation_nats_per_token',
    'translation_bleu',
    'translation_seen_unseen',
  ]
  (table,) = section.tables
  assert table.headings == ('run', 'BLEU, seen', 'BLEU, unseen', 'BLEU, all')
  assert table.rows[0] == ('direct', *['30.0\n± 0.5'] * 3)
  data = table.data
  assert len(data) == 2 * (6 + 9)
  assert set(data.loc[data['is_seen'].eq(True), 'direction']) == {
    'python-go',
    'go-python',
  }
  for picture in section.pictures:
    assert svg.inline(picture.figure, picture.name, picture.caption)


def test_runs_have_the_names_and_the_order_that_are_given():
  section = contents.translation(
    translation_rows.by_metric(
      TABLE, {'shuffled': 'apart', 'direct': 'in one, 5M'}
    )
  )
  matrices, dots = section.pictures[1:]
  assert [a.get_title() for a in matrices.figure.axes if a.texts] == [
    'apart',
    'in one, 5M',
  ]
  labels = dots.figure.axes[0].get_yticklabels()
  assert [label.get_text() for label in labels] == ['apart', 'in one, 5M']
  (table,) = section.tables
  assert [row[0] for row in table.rows] == ['apart', 'in one, 5M']
  assert set(table.data['run_id']) == {'direct', 'shuffled'}


def test_only_the_first_runs_are_drawn():
  many = pd.DataFrame([_row(f'run{n:02}', 1, n) for n in range(40)])
  section = contents.translation(translation_rows.by_metric(many))
  matrix, dots = section.pictures[1:]
  assert len([axes for axes in matrix.figure.axes if axes.texts]) == 4
  assert 'The first 4 of 40 runs.' in matrix.caption
  assert 'The first 30 of 40 runs.' in dots.caption
  assert len(dots.figure.axes[0].get_yticks()) == 30
  assert len(section.tables[0].rows) == 40


@pytest.mark.parametrize(
  'table',
  [pd.DataFrame({'run_id': ['a'], 'loss/x': [1.0]}),
   TABLE[TABLE['run_id'] == 'other'],
   TABLE.drop(columns=[c for c in TABLE if '-' in c])],
)  # fmt: skip
def test_nothing_to_show(table):
  found = translation_rows.by_metric(table)
  assert contents.translation(found) == layout.Section('', (), ())


def test_a_study_shows_translation(found):
  bare = dataclasses.replace(
    found,
    fits=(),
    mixture_fits=(),
    synergy=(),
    allocation=None,
    confirmation=None,
    run_records=(),
  )
  scored = bare.table.copy()
  for name, value in _row('', 0, 10.0).items():
    if name not in scored:
      scored[name] = value
  titles = [
    [section.title for section in contents.sections(study)]
    for study in (bare, dataclasses.replace(bare, table=scored))
  ]
  assert titles == [['Runs'], ['Translation', 'Runs']]
