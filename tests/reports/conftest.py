"""The planted study, read."""

import pytest

from codelaw.reports import study_folder


@pytest.fixture(scope='session')
def found(study):
  return study_folder.read(study)
