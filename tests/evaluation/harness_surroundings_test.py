import os

import pytest

from codelaw.evaluation import harness_surroundings

pytest.importorskip('lm_eval')


@pytest.mark.parametrize('before', [None, '1'])
def test_programs_are_never_allowed(monkeypatch, before):
  monkeypatch.delenv('HF_ALLOW_CODE_EVAL', raising=False)
  if before:
    monkeypatch.setenv('HF_ALLOW_CODE_EVAL', before)
  with harness_surroundings.quiet() as folder:
    assert os.environ['HF_ALLOW_CODE_EVAL'] == '0'
    assert folder.is_dir()
  assert os.environ.get('HF_ALLOW_CODE_EVAL') == before
  assert not folder.exists()
