import pathlib
import subprocess
import sys

import codelaw

_SCRIPT = """
import sys

BLOCKED = ('flax', 'optax', 'orbax', 'grain', 'seqio', 'tensorflow',
           'array_record', 'tokenizers', 'datasketch')

# Python's own mark of a module that cannot be imported.
sys.modules.update(dict.fromkeys(BLOCKED))
folder = sys.argv[1]
import numpy as np
import tensorboardX
from codelaw.cli import collect, main
from codelaw.laws import comparison, predict, synergy
from codelaw.runs import events

writer = tensorboardX.SummaryWriter(folder)
writer.add_scalar('a', 0.5, 1)
writer.close()
assert events.read_scalars(folder) == {'a': [(1, 0.5)]}
sizes, tokens = np.meshgrid([1e6, 2e6, 4e6], [1e7, 2e7, 4e7])
with open(folder + '/runs.csv', 'w') as stream:
  stream.write('N,D,loss\\n')
  for n, d in zip(sizes.ravel().tolist(), tokens.ravel().tolist()):
    stream.write(f'{n!r},{d!r},{1 + 60 / n**0.3 + 300 / d**0.4!r}\\n')
assert main.main(['fit', '--runs', folder + '/runs.csv', '--law=chinchilla',
                  '--gin.FitSettings.num_bootstraps=0',
                  '--gin.FitSettings.num_starts=16', '--out', folder]) == 0
assert main.main(['predict', '--fit', folder + '/fit.json', '--points',
                  folder + '/runs.csv', '--out', folder + '/p.csv']) == 0
assert all(sys.modules[name] is None for name in BLOCKED)
"""


def test_analysis_works_without_the_training_half(tmp_path):
  root = pathlib.Path(codelaw.__file__).parent.parent
  done = subprocess.run(
    [sys.executable, '-c', _SCRIPT, str(tmp_path)],
    cwd=root,
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  assert (tmp_path / 'p.csv').exists()
