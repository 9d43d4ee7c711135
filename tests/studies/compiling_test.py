import os

import pytest

from codelaw import errors
from codelaw import execution
from codelaw.studies import compiling
from tests.studies import planned


def test_what_does_not_suit_the_slice_is_refused():
  """By the compiling process, whose sentence comes back whole."""
  pytest.importorskip('libtpu')
  with pytest.raises(errors.UserError, match='batch of 3 sequences cannot be'):
    compiling.compile_step(
      planned.run(batch_size=3), execution.AUTOMATIC, 'v5e:2x2'
    )


def test_an_unknown_slice_is_refused_at_once():
  with pytest.raises(errors.UserError, match='must be one of v5e:1x1'):
    compiling.compile_step(planned.run(), execution.AUTOMATIC, 'v5e:3x3')


def _end_process(*_):
  os._exit(1)


def test_a_compiler_that_dies_is_told(monkeypatch):
  monkeypatch.setattr(compiling, '_compile', _end_process)
  with pytest.raises(errors.UserError, match='ended without a word'):
    compiling.compile_step(planned.run(), execution.AUTOMATIC, 'v5e:1x1')
