import csv
import dataclasses
import io

import pytest
from rich import console as rich_console

from codelaw import records
from codelaw.cli import study_view
from codelaw.studies import dry_run
from codelaw.studies import experiments
from tests.studies import planned


def _shown(study, steps=(), width=200):
  out = rich_console.Console(width=width, file=io.StringIO(), highlight=False)
  study_view.show(dry_run.of_study(study, steps), out)
  return out.file.getvalue()


def _line(shown, start):
  """Words of the one line with this beginning."""
  lines = [' '.join(line.split()) for line in shown.splitlines()]
  (found,) = [line for line in lines if line.startswith(start)]
  return found


def test_a_line_has_what_a_run_is_and_costs():
  shown = _shown(planned.study(), [planned.step()])
  assert 'test: 6 runs.' in shown
  # 2,048 tokens: 4 steps of 1 to 2 seconds of 8 chips at $1.20 an hour.
  assert _line(shown, '1 single').startswith('1 single text 1 6.13k 2.05k')
  assert _line(shown, '1 single').endswith(
    'v5e:2x4 0.00889 to 0.0178 0.0107 to 0.0213'
  )
  assert _line(shown, '3 code').startswith('3 code code 1 3.06k 4.1k')
  assert '75% text, 25% code' in _line(shown, '6 code->both')
  assert 'Of all runs: batch 16, peak rate 0.01.' in shown


def test_totals_are_by_purpose_model_and_variant():
  shown = _shown(planned.study(), [planned.step()])
  assert _line(shown, 'single').startswith('single 4 6.14k')
  assert _line(shown, '6.13k').startswith('6.13k 2 3.07k')
  assert _line(shown, 'code->both, whole').startswith(
    'code->both, whole 2 6.14k'
  )
  assert _line(shown, 'all, each run once').startswith(
    'all, each run once 6 12.3k'
  )


def test_what_is_the_same_in_all_groups_is_shown_once():
  study = planned.study(experiments=[planned.GRID])
  shown = _shown(study)
  assert 'whole' not in shown
  assert '\n single' not in shown.partition('Totals')[2]


def test_the_price_comes_below_what_it_is_of_on_a_narrow_terminal():
  wide = _shown(planned.study(), [planned.step()])
  narrow = _shown(planned.study(), [planned.step()], width=80)
  assert max(map(len, narrow.splitlines())) <= 80
  assert 'FLOPs and cost' not in wide.replace('tokens of each, FLOPs', '')
  assert '0.00889 to 0.0178' in narrow.partition('FLOPs and cost')[2]


def test_seeds_share_a_line():
  seeds = dataclasses.replace(planned.VARIANTS, seeds=3)
  shown = _shown(planned.study(experiments=[seeds]))
  assert ' 3  3.06k' in _line_raw(shown, '1  ')
  assert _line(shown, 'all, each').startswith('all, each run once 6')


def _line_raw(shown, start):
  (found,) = [
    line.strip()
    for line in shown.splitlines()
    if line.strip().startswith(start)
  ]
  return found


def test_long_studies_are_shown_by_shape_of_mixture():
  sources = [f'code/{letter}' for letter in 'abcdefghijkl']
  grid = experiments.Grid(sources, [planned.SMALL], [1024, 2048, 4096])
  pairs = experiments.Pairs(sources, planned.SMALL, 1536)
  study = planned.study(experiments=[grid, pairs])
  shown = _shown(study)
  assert _line(shown, '1 single one').startswith('1 single one source 36 3.0')
  assert '1.02k to 4.1k' in _line(shown, '1 single one')
  assert _line(shown, '3 pair').startswith('3 pair 50:50 66 ')


def test_where_supplies_are_known_epochs_are_shown_and_refused_in_red():
  out = rich_console.Console(
    width=200, file=io.StringIO(), force_terminal=True, highlight=False
  )
  study = planned.study(supply={'code': 1024, 'text': 4096})
  study_view.show(dry_run.of_study(study, []), out)
  red = [
    line for line in out.file.getvalue().splitlines() if '\x1b[1;31m' in line
  ]
  assert len(red) == 2
  for line, words in zip(
    red, (('code->both', '4.5'), ('4.500', '1.15k')), strict=True
  ):
    assert all(word in line for word in words)


def test_estimates_are_marked():
  other = dataclasses.replace(planned.LARGE, vocab_size=310)
  shown = _shown(planned.study(), [planned.step(model=other)])
  assert '~' in _line(shown, '1 single')
  assert '~' in _line(shown, 'all, each run once')
  assert '~' not in _shown(planned.study(), [planned.step()])
  assert '~ 2 runs have no compiled step' in shown
  assert '4 runs have no slice and no finished run' in shown


@pytest.mark.parametrize(
  ('supply', 'words'),
  [
    (None, 'Supply: not known'),
    ({'code': 4096, 'text': 4096}, 'are not there'),
  ],
)
def test_it_says_where_the_supply_is_from(supply, words):
  assert words in _shown(planned.study(supply=supply))


def test_the_file_has_a_row_per_run(tmp_path):
  study = planned.study(
    supply={'code': 1024, 'text': 4096}, dollars_per_chip_hour=2.0
  )
  found = dry_run.of_study(study, [planned.step()])
  study_view.write(found, tmp_path / 'runs.csv')
  with open(tmp_path / 'runs.csv', newline='') as file:
    rows = {row['run_id']: row for row in csv.DictReader(file)}
  assert list(rows) == [row.run.run_id for row in found.rows]
  second = next(r for r in rows.values() if r['variants'] == 'code->both')
  assert rows[second['starts_from']]['variants'] == 'code, code->both'
  assert second['num_tokens'] == '2048'
  assert second['num_tokens_seen'] == '6144'
  assert (second['tokens/code'], second['tokens/text']) == ('512', '1536')
  assert second['epochs/code'] == '4.5'
  assert second['refused'] == 'code'
  assert second['slice'] == second['hours_from'] == second['dollars_to'] == ''
  assert second['stages'] == 'continued 1 constant 1: text 0.75, code 0.25'
  assert rows[second['starts_from']]['tokens/text'] == ''
  on_slices = [row for row in rows.values() if row['slice']]
  hours = [float(row['hours_to']) for row in on_slices]
  assert sum(hours) == pytest.approx(found.total.chip_hours[1], rel=1e-5)
  for row in on_slices:
    assert row['basis'] == 'compiled'
    # Six digits are written.
    assert float(row['dollars_from']) == pytest.approx(
      2 * float(row['hours_from']), rel=1e-5
    )


def test_mixtures_that_move_are_told_with_both_ends():
  stage = records.Stage('main', planned.TEXT, end_mixture=planned.BOTH)
  cooldown = records.Stage('cooldown', planned.CODE, 1.0, 'linear', 1.0, 0.0)
  schedule = records.Schedule((stage, cooldown))

  class One:
    def runs(self, pattern):
      plan = dataclasses.replace(pattern.run, schedule=schedule)
      yield experiments.PlannedRun('one', ('mixture',), plan)

  shown = _shown(planned.study(experiments=[One()]))
  assert 'main text -> 75% text, 25% code; cooldown code' in shown


def test_what_shared_beginnings_save_is_told():
  shown = _shown(planned.study())
  # Of 6,144 own tokens of two variants, 4,096 would be trained twice.
  assert 'what they share saves' in shown
  grid = experiments.Grid(['code'], [planned.SMALL], [1024])
  assert 'what they share' not in _shown(planned.study(experiments=[grid]))
