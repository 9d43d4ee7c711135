"""What the fake clients have in common: a cloud that is a folder.

It holds `behaviour.json`, which a test writes, a file per resource, and a log
of the calls. Machines are processes of this one, and time passes only when
somebody looks: each listing is a moment. Standard library only: each call is
a process of its own, as of the real clients.
"""

from collections.abc import Iterator
import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
from typing import Any

FOLDER = 'FAKE_CLOUD'


@dataclasses.dataclass
class Behaviour:
  """How the cloud behaves.

  Attributes:
    train: what the machines start for `codelaw`, with the job's arguments
      behind it.
    polls: moments that a job waits for its chips.
    preempt: chance that a running job loses them, in each moment.
    faults: to happen next: `{"program", "verb", "kind", "times"}`.
    seed: of chance.
  """

  train: list[str] = dataclasses.field(default_factory=list)
  polls: int = 2
  preempt: float = 0.0
  faults: list[dict[str, Any]] = dataclasses.field(default_factory=list)
  seed: int = 0


class Cloud:
  """The folder, held by one client at a time."""

  def __init__(self, folder: pathlib.Path):
    self.folder = folder
    self._resources = folder / 'resources'
    self._resources.mkdir(parents=True, exist_ok=True)

  @contextlib.contextmanager
  def held(self) -> Iterator[None]:
    """Keeps the other clients out."""
    with open(self.folder / 'lock', 'a') as lock:
      fcntl.flock(lock, fcntl.LOCK_EX)
      yield

  @property
  def behaviour(self) -> Behaviour:
    return Behaviour(**json.loads((self.folder / 'behaviour.json').read_text()))

  def behave(self, behaviour: Behaviour) -> None:
    """Sets how it behaves from now on."""
    _write(self.folder / 'behaviour.json', dataclasses.asdict(behaviour))

  def fault(self, program: str, verb: str) -> str:
    """What is to go wrong with this call; '' for nothing."""
    behaviour = self.behaviour
    for fault in behaviour.faults:
      is_meant = (fault['program'], fault['verb']) == (program, verb)
      if is_meant and fault.get('times', 1) > 0:
        fault['times'] = fault.get('times', 1) - 1
        self.behave(behaviour)
        return fault['kind']
    return ''

  def log(self, words: list[str]) -> None:
    """Keeps a call."""
    with open(self.folder / 'calls.jsonl', 'a') as file:
      file.write(json.dumps([time.time(), *words]) + '\n')

  def calls(self) -> list[list[str]]:
    """The calls so far, oldest first."""
    file = self.folder / 'calls.jsonl'
    lines = file.read_text().splitlines() if file.exists() else []
    return [json.loads(line)[1:] for line in lines]

  def names(self) -> list[str]:
    """Of the resources."""
    return sorted(file.stem for file in self._resources.glob('*.json'))

  def read(self, name: str) -> dict[str, Any]:
    """A resource."""
    return json.loads((self._resources / f'{name}.json').read_text())

  def write(self, name: str, resource: dict[str, Any]) -> None:
    """Keeps a resource."""
    _write(self._resources / f'{name}.json', resource)

  def forget(self, name: str) -> None:
    """Drops a resource, and ends its machine."""
    self.stop(self.read(name), signal.SIGKILL)
    (self._resources / f'{name}.json').unlink()

  def is_chance(self, chance: float, name: str) -> bool:
    """Whether something of that chance happens now."""
    behaviour = self.behaviour
    moment = len(self.calls())
    return random.Random(f'{behaviour.seed} {moment} {name}').random() < chance

  def start(self, name: str, words: list[str], **environment: str) -> int:
    """Starts a machine; its exit code is in `machines/NAME/exit`."""
    machine = self.folder / 'machines' / name
    machine.mkdir(parents=True, exist_ok=True)
    (machine / 'exit').unlink(missing_ok=True)
    with open(machine / 'output', 'a') as output:
      process = subprocess.Popen(
        [sys.executable, __file__, str(machine / 'exit'), *words],
        cwd=machine,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
      )
    return process.pid

  def exit_code(self, name: str) -> int | None:
    """Of the machine's command; None while it runs."""
    file = self.folder / 'machines' / name / 'exit'
    return int(file.read_text()) if file.exists() else None

  def stop(self, resource: dict[str, Any], number: int) -> None:
    """Takes a resource's machine away."""
    pid = resource.pop('pid', None)
    if pid is None:
      return
    with contextlib.suppress(ProcessLookupError):
      if number == signal.SIGTERM:
        os.killpg(pid, signal.SIGTERM)
        deadline = time.monotonic() + 20
        while _lives(pid) and time.monotonic() < deadline:
          time.sleep(0.05)
      os.killpg(pid, signal.SIGKILL)
    while _lives(pid):
      time.sleep(0.02)


def _lives(session: int) -> bool:
  """Whether any process of a session still runs."""
  for entry in pathlib.Path('/proc').glob('[0-9]*/stat'):
    with contextlib.suppress(OSError):
      fields = entry.read_text().rpartition(')')[2].split()
      if int(fields[3]) == session and fields[0] not in 'ZX':
        return True
  return False


def _write(file: pathlib.Path, content: Any) -> None:
  partial = file.with_suffix('.partial')
  partial.write_text(json.dumps(content, indent=1))
  os.replace(partial, file)


def _supervise(exit_file: str, words: list[str]) -> None:
  """A machine: runs a command and leaves its exit code."""
  signal.signal(signal.SIGTERM, lambda *_: None)  # it is for the command
  code = subprocess.run(words, check=False).returncode
  pathlib.Path(exit_file).write_text(str(code))


if __name__ == '__main__':
  _supervise(sys.argv[1], sys.argv[2:])
