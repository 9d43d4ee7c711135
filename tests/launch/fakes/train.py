"""In the place of `codelaw` on a fake machine: a run that takes no time.

    codelaw train --gin_file=FILE

Writes the run.json that a test has prepared for the run into its folder; waits
for ever where it has prepared RUN_ID.wait; exits with 3 where it has prepared
nothing. Standard library only.
"""

import os
import pathlib
import re
import sys
import time

PREPARED = 'FAKE_RECORDS'  # folder with RUN_ID.json

if __name__ == '__main__':
  verb, file = sys.argv[1:]
  assert verb == 'train'
  text = pathlib.Path(file.removeprefix('--gin_file=')).read_text()
  model_dir = re.search(r"TrainSettings.model_dir = '(.*)'", text)
  assert model_dir is not None
  folder = pathlib.Path(model_dir.group(1))
  record = pathlib.Path(os.environ[PREPARED]) / f'{folder.name}.json'
  while record.with_suffix('.wait').exists():
    time.sleep(0.1)
  if not record.exists():
    print('there is nothing to do', file=sys.stderr)
    sys.exit(3)
  folder.mkdir(parents=True, exist_ok=True)
  (folder / 'run.json').write_text(record.read_text())
