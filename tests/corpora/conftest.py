"""Files for corpora."""

import pytest

from tests.corpora import built


@pytest.fixture
def tree(tmp_path):
  root = tmp_path / 'tree'
  root.mkdir()
  for number in range(30):
    (root / f'p{number}.py').write_text(built.program(number))
  (root / 'copy.py').write_text(built.program(3))
  (root / 'near.py').write_text(built.program(4) + 'one_more = 1\n')
  (root / 'wide.py').write_text('x' * 2000 + '\n')
  return root
