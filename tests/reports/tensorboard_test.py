"""Figures and tables arrive in TensorBoard's events."""

from tensorboard.backend.event_processing import event_accumulator

from codelaw.reports import contents
from codelaw.reports import study_folder
from codelaw.reports import tables
from codelaw.reports import tensorboard


def test_figures_and_tables_arrive(study, tmp_path):
  page = contents.of_study(study_folder.read(study))
  tensorboard.write(page, tmp_path)
  events = event_accumulator.EventAccumulator(str(tmp_path))
  events.Reload()
  tags = events.Tags()
  assert set(tags['images']) == {
    f'report/{name}'
    for name in (
      'allocation',
      'confirmation',
      'loss_curves',
      'residuals',
      'isoloss',
      'optimal_sizes',
      'mixture_residuals',
      'synergy',
      'transfer',
      'predicted_measured',
      'tokens',
    )
  }
  image = events.Images('report/allocation')[0]
  assert image.width > 900
  assert image.height > 300
  text = next(t for t in tags['tensors'] if t.startswith('report/answer'))
  value = events.Tensors(text)[0].tensor_proto.string_val[0].decode()
  assert 'Uniform rates are as good' in value


def test_a_table_is_one_line_per_row():
  table = tables.Table('t', 'Caption.', ('a', 'b'), (('x', '1\n0 to 2'),))
  assert tensorboard.markdown(table) == (
    'Caption.\n\n| a | b |\n| --- | --- |\n| x | 1 0 to 2 |'
  )
