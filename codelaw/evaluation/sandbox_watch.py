"""What a sandboxed program uses, looked at from outside.

Address space says nothing about memory (Java, Go and Node reserve much more
than they touch), and a limit per process says nothing about their sum, so the
resident memory, the threads and the processor time of all processes are read
from `/proc` again and again. This module and those that it serves run in a
process of their own that starts for every program: they import little.

Definitions owned here:
  usage: (threads, resident bytes, processor seconds) of all processes.
"""

import errno
import os

_PAGE = os.sysconf('SC_PAGE_SIZE')
_TICKS = os.sysconf('SC_CLK_TCK')
# Fields of /proc/PID/stat behind the name of the command: proc(5).
_PARENT, _UTIME, _CSTIME, _THREADS, _RESIDENT = 1, 11, 14, 17, 21


class Processes:
  """Those of a process namespace, or below one process."""

  def __init__(self, proc: int, root: int | None = None):
    """Watches a `/proc`.

    Args:
      proc: descriptor of the folder.
      root: pid of a process whose descendants are meant; None for all but
        the first of the namespace, which only keeps it up.
    """
    self._proc = proc
    self._root = root

  def usage(self, max_threads: int, max_bytes: int) -> tuple[int, int, float]:
    """Threads, bytes and seconds now.

    Pages that processes share are counted once, but only where that can
    decide about the limit, because it takes longer to find out. With too many
    processes nothing else is looked at: they grow while one looks.
    """
    if self._root is None:
      num_processes = sum(map(str.isdigit, os.listdir(self._proc)))
      if num_processes > max_threads + 1:
        return num_processes, 0, 0.0
    found = self._stats()
    kept = {
      pid: fields
      for pid, fields in found.items()
      if self._root is not None or pid != 1
    }
    threads = sum(int(fields[_THREADS]) for fields in kept.values())
    memory = sum(int(fields[_RESIDENT]) for fields in kept.values()) * _PAGE
    if memory > max_bytes and threads <= max_threads and len(kept) > 1:
      memory = sum(
        self._proportional(pid, int(fields[_RESIDENT]) * _PAGE)
        for pid, fields in kept.items()
      )
    # The first process has waited for those that nobody else waited for.
    ticks = sum(
      int(field)
      for fields in found.values()
      for field in fields[_UTIME : _CSTIME + 1]
    )
    return threads, memory, ticks / _TICKS

  def pids(self) -> list[int]:
    """As that `/proc` numbers them."""
    return list(self._stats())

  def _stats(self) -> dict[int, list[bytes]]:
    found = {}
    for name in os.listdir(self._proc):
      if name.isdigit():
        content = self._read(f'{name}/stat')
        # The name of the command may hold anything, also brackets.
        fields = content[content.rfind(b')') + 2 :].split()
        if len(fields) > _RESIDENT and fields[0] not in b'ZX':
          found[int(name)] = fields
    if self._root is None:
      return found
    below: set[int] = {self._root}
    grown = True
    while grown:
      more = {pid for pid in found if int(found[pid][_PARENT]) in below} - below
      below |= more
      grown = bool(more)
    return {pid: found[pid] for pid in below - {self._root} if pid in found}

  def _proportional(self, pid: int, resident: int) -> int:
    for line in self._read(f'{pid}/smaps_rollup').splitlines():
      if line.startswith(b'Pss:'):
        return int(line.split()[1]) * 1024
    return resident

  def _read(self, path: str) -> bytes:
    try:
      descriptor = os.open(path, os.O_RDONLY, dir_fd=self._proc)
    except OSError:
      return b''
    try:
      return os.read(descriptor, 1 << 14)
    except OSError:
      return b''
    finally:
      os.close(descriptor)


def disk_usage(folder: str, max_bytes: int, max_files: int) -> tuple[int, int]:
  """Bytes and files below a folder; stops counting beyond either limit.

  No symlink is followed. A tree too deep for a path counts as beyond, and so
  does a folder that the program made unreadable to hide what it holds.
  """
  size = files = 0
  waiting = [folder]
  while waiting and size <= max_bytes and files <= max_files:
    try:
      with os.scandir(waiting.pop()) as found:
        for entry in found:
          files += 1
          if files > max_files:
            break
          try:
            size += entry.stat(follow_symlinks=False).st_blocks * 512
            if entry.is_dir(follow_symlinks=False):
              waiting.append(entry.path)
          except FileNotFoundError:
            continue
    except OSError as error:
      if error.errno in (errno.ENAMETOOLONG, errno.EACCES):
        return size, max_files + 1
  return size, files


def memory_folder_usage(descriptor: int) -> tuple[int, int]:
  """Bytes and files of a tmpfs, from a descriptor of it."""
  found = os.fstatvfs(descriptor)
  used = (found.f_blocks - found.f_bfree) * found.f_frsize
  return used, found.f_files - found.f_ffree
