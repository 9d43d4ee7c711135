"""Runs one program in a sandbox, watches it, ends it: a process per program.

It is a process of its own so that nothing that happens in codelaw's delays the
watch, and so that limits are set in a process with one thread. It must start
fast: it imports nothing of codelaw but its neighbours, and only small modules.

  codelaw --request--> supervisor --fork--> bwrap, or our own set-up
                                               `-> first process of a namespace
                                                     `-> the program, and others

It ends, and all below it, when codelaw ends. What the program does to its
output, its parent or its clock does not matter: the end is told by the kernel
and the limits are judged from outside.

Definitions owned here:
  request: a dictionary with
    'parent' (pid of codelaw), 'backend', 'executable' (of bwrap), 'entries'
    (`sandbox_view`), 'uid' (of the program as it sees itself), 'folder',
    'command', 'environment', 'stdin' and 'limits', a dictionary of the fields
    of `sandbox.Limits`.
  answer: a dictionary with the fields of `sandbox.Outcome`, or 'failure', a
    sentence about why the sandbox could not be made.
"""

import marshal
import os
import select
import signal
import sys
import time

from codelaw.evaluation import sandbox_folders
from codelaw.evaluation import sandbox_kernel
from codelaw.evaluation import sandbox_start
from codelaw.evaluation import sandbox_watch

# Between two looks at the processes: a program near its limits is looked at
# more often. In 10 ms a process can touch some 50 MB, or fork 100 times.
_TICK_SECONDS = 0.01
_NEAR_TICK_SECONDS = 0.002
# Looking at a folder takes at most this share of the time.
_DISK_SHARE = 0.1
_DISK_SECONDS = 0.05
# Set-up takes milliseconds, and so does the death of a process namespace;
# this is for a machine under heavy load.
_PATIENCE_SECONDS = 60.0
_CHUNK = 1 << 16


def main() -> None:
  """Reads a request from standard input, writes the answer to its output."""
  request = marshal.loads(sys.stdin.buffer.read())
  sandbox_kernel.adopt_orphans()
  answer = _Run(request).answer()
  sys.stdout.buffer.write(marshal.dumps(answer))


class _Run:
  """One program from start to end."""

  def __init__(self, request: dict):
    self._request = request
    self._limits = request['limits']
    self._output: dict[int, bytearray] = {}
    self._status = b''
    self._status_open = True
    self._first: int | None = None
    self._watched: sandbox_watch.Processes | None = None
    self._in_memory: list[int] = []
    self._near = False
    self._next_disk = 0.0
    self._memory = 0
    self._child_code: int | None = None

  def answer(self) -> dict:
    if os.geteuid() == 0 and self._request['backend'] != 'none':
      sandbox_folders.give(self._request['folder'], sandbox_start.user())
    self._start()
    if not self._wait_for_set_up():
      self._kill()
      self._drain()
      message = bytes(self._output[self._stderr]).decode('utf-8', 'replace')
      return {'failure': message.strip() or 'it ended during set-up'}
    begin = time.monotonic()
    os.write(self._release, b'x')
    os.close(self._release)
    ended = self._watch(begin)
    seconds = time.monotonic() - begin
    self._kill()
    self._drain()
    self._read_status()
    return self._judge(ended, seconds)

  def _start(self) -> None:
    """Forks what becomes the sandbox; it waits for `_release`."""
    (
      self._child,
      self._release,
      self._stdout,
      self._stderr,
      self._status_end,
    ) = sandbox_start.start(self._request)
    for descriptor in (self._stdout, self._stderr):
      self._output[descriptor] = bytearray()
    self._poll = select.poll()
    self._pidfd = os.pidfd_open(self._child)
    self._poll.register(self._pidfd, select.POLLIN)
    for descriptor in (*self._output, self._status_end):
      os.set_blocking(descriptor, False)
      self._poll.register(descriptor, select.POLLIN)

  def _wait_for_set_up(self) -> bool:
    """Until the first process of the namespace is known."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
      ready = {number for number, _ in self._poll.poll(_TICK_SECONDS * 1000)}
      self._read(ready)
      if os.getppid() != self._request['parent']:
        return False
      first = _number(self._status, b'"child-pid":')
      if first is not None:
        self._first = os.pidfd_open(first)
        self._first_pid = first
        if self._request['backend'] == 'none':
          proc = os.open('/proc', os.O_RDONLY | os.O_DIRECTORY)
          self._watched = sandbox_watch.Processes(proc, os.getpid())
        else:
          sandbox_start.limit_processes(first, self._limits['processes'])
        return True
      if self._pidfd in ready:
        return False
    return False

  def _watch(self, begin: float) -> str:
    """Until the program ends or a limit is exceeded; says which."""
    until = begin + self._limits['seconds']
    while True:
      now = time.monotonic()
      tick = _NEAR_TICK_SECONDS if self._near else _TICK_SECONDS
      timeout = max(0.0, min(tick, until - now))
      ready = {number for number, _ in self._poll.poll(timeout * 1000)}
      self._read(ready)
      if os.getppid() != self._request['parent']:
        return 'time'
      if sum(map(len, self._output.values())) > self._limits['output_bytes']:
        return 'output'
      if self._pidfd in ready:
        return self._disk() or 'exit'
      if time.monotonic() >= until:
        return 'time'
      exceeded = self._usage() or self._disk(seldom=True)
      if exceeded:
        return exceeded

  def _usage(self) -> str:
    """The limit of processes, memory or processor time that is exceeded."""
    if self._watched is None:
      self._look_inside()
    if self._watched is None:
      return ''
    limits = self._limits
    threads, memory, seconds = self._watched.usage(
      limits['processes'], limits['memory_bytes']
    )
    in_memory = sum(
      sandbox_watch.memory_folder_usage(descriptor)[0]
      for descriptor in self._in_memory
    )
    self._memory = max(self._memory, memory + in_memory)
    self._near = (
      memory + in_memory > limits['memory_bytes'] / 4
      or threads > limits['processes'] / 4
    )
    if threads > limits['processes']:
      return 'processes'
    if memory > limits['memory_bytes']:
      return 'memory'
    if seconds > limits['cpu_seconds']:
      return 'cpu'
    return ''

  def _look_inside(self) -> None:
    """Opens the sandbox's own `/proc`, once it is there."""
    root = f'/proc/{self._first_pid}/root'
    try:
      proc = os.open(f'{root}/proc', os.O_RDONLY | os.O_DIRECTORY)
      # Before the change of root that is the host's.
      if os.fstat(proc).st_dev == os.stat('/proc').st_dev:
        os.close(proc)
        return
      self._in_memory = [
        os.open(f'{root}{entry[1]}', os.O_RDONLY | os.O_DIRECTORY)
        for entry in self._request['entries']
        if entry[0] == 'tmpfs'
      ]
    except OSError:
      return
    self._watched = sandbox_watch.Processes(proc)

  def _disk(self, seldom: bool = False) -> str:
    """'disk' when there are too many bytes or files."""
    now = time.monotonic()
    if seldom and now < self._next_disk:
      return ''
    max_bytes, max_files = self._limits['disk_bytes'], self._limits['files']
    size, files = sandbox_watch.disk_usage(
      self._request['folder'], max_bytes, max_files
    )
    for descriptor in self._in_memory:
      more_size, more_files = sandbox_watch.memory_folder_usage(descriptor)
      size, files = size + more_size, files + more_files
    end = time.monotonic()
    self._next_disk = end + max(_DISK_SECONDS, (end - now) / _DISK_SHARE)
    return 'disk' if size > max_bytes or files > max_files else ''

  def _read(self, ready: set[int]) -> None:
    """What the program printed; a closed pipe is watched no more."""
    if self._status_end in ready:
      self._read_status()
    for descriptor in self._output:
      if descriptor in ready:
        try:
          content = os.read(descriptor, _CHUNK)
        except BlockingIOError:
          continue
        if not content:
          self._poll.unregister(descriptor)
        self._output[descriptor] += content

  def _read_status(self) -> None:
    try:
      content = os.read(self._status_end, _CHUNK)
    except BlockingIOError:
      return
    # The first process says three lines; what got hold of it may say more.
    if content:
      self._status = (self._status + content)[:_CHUNK]
    elif self._status_open:
      self._status_open = False
      self._poll.unregister(self._status_end)

  def _kill(self) -> None:
    """Ends every process of the sandbox and waits until all are gone."""
    for descriptor in (self._first, self._pidfd):
      if descriptor is not None:
        _signal(signal.pidfd_send_signal, descriptor)
    until = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
      if self._request['backend'] == 'none' and self._watched is not None:
        for pid in self._watched.pids():
          _signal(os.kill, pid)
      try:
        pid, ended = os.waitpid(-1, os.WNOHANG)
      except ChildProcessError:
        return
      if pid == self._child:
        code = os.waitstatus_to_exitcode(ended)
        self._child_code = code if code >= 0 else 128 - code
      elif pid == 0:
        time.sleep(0.0005)

  def _drain(self) -> None:
    """What was printed before the end, up to the limit."""
    room = self._limits['output_bytes']
    for descriptor, content in self._output.items():
      while len(content) <= room:
        try:
          more = os.read(descriptor, _CHUNK)
        except BlockingIOError:
          break
        if not more:
          break
        content += more

  def _judge(self, ended: str, seconds: float) -> dict:
    code = _number(self._status, b'"exit-code":')
    if self._request['backend'] == 'none':
      code = self._child_code
    stdout, stderr = (bytes(self._output[d]) for d in self._output)
    room = self._limits['output_bytes']
    if ended == 'exit' and len(stdout) + len(stderr) > room:
      ended = 'output'
    if ended == 'exit' and code is None:
      message = stderr.decode('utf-8', 'replace').strip()
      if not message.startswith('bwrap: execvp '):
        return {'failure': message or 'it ended without a status'}
      code = 127  # No such program, as shells have it.
    if ended == 'exit' and code is not None and 128 < code <= 128 + 64:
      ended = 'signal'
    return {
      'ended': ended,
      'exit_code': code if ended in ('exit', 'signal') else None,
      'stdout': stdout[:room],
      'stderr': stderr[: max(0, room - len(stdout))],
      'seconds': seconds,
      'memory_bytes': self._memory,
    }


def _signal(send, process: int) -> None:
  try:
    send(process, signal.SIGKILL)
  except ProcessLookupError:
    return


def _number(text: bytes, name: bytes) -> int | None:
  """The integer behind a name of a JSON object."""
  _, found, rest = text.partition(name)
  digits = rest.split(b',')[0].split(b'}')[0].strip()
  return (
    int(digits) if found and digits.isdigit() and len(digits) < 10 else None
  )
