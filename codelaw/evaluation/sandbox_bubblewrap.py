"""The sandbox made by bubblewrap: the command line of `bwrap`.

Options are those of bubblewrap 0.5 or newer, bwrap(1).
"""

import os

from codelaw.evaluation import sandbox_system_calls


def arguments(
  executable: str, request: dict, status: int, block: int
) -> list[str]:
  """What to execute.

  Descriptors of contents are opened here and stay open for `bwrap`.

  Args:
    executable: path of `bwrap`.
    request: see `sandbox_supervisor`.
    status: descriptor that gets a line with the pid of the first process
      of the namespace, and one with the exit code.
    block: descriptor; the program starts once a byte can be read from it.
  """
  found = [
    executable,
    *('--unshare-user', '--unshare-pid', '--unshare-net', '--unshare-ipc'),
    *('--unshare-uts', '--unshare-cgroup-try', '--hostname', 'sandbox'),
    *('--uid', str(request['uid']), '--gid', str(request['uid'])),
    *('--cap-drop', 'ALL'),
    *('--die-with-parent', '--new-session'),
    *('--json-status-fd', str(status), '--block-fd', str(block)),
  ]
  code = sandbox_system_calls.seccomp_filter()
  if code:
    found += ['--seccomp', str(_content(code))]
  for entry in request['entries']:
    found += _options(entry)
  # Its own folder of the root, of /dev and of /proc would be writable. All of
  # /proc matters for root, who may otherwise set the host's sysctls.
  for target in ('/proc', '/dev', '/'):
    found += ['--remount-ro', target]
  return [*found, '--chdir', request['folder'], '--', *request['command']]


def _options(entry: tuple) -> list[str]:
  kind, *rest = entry
  if kind == 'bind':
    source, target, writable = rest
    return ['--bind' if writable else '--ro-bind', source, target]
  if kind == 'file':
    content, target = rest
    return ['--ro-bind-data', str(_content(content)), target]
  if kind == 'tmpfs':
    target, size = rest
    return ['--perms', '1777', '--size', str(size), '--tmpfs', target]
  if kind == 'symlink':
    return ['--symlink', *rest]
  return [f'--{kind}', *rest]


def _content(content: bytes) -> int:
  """A descriptor to read from, which `bwrap` inherits."""
  descriptor = os.memfd_create('sandbox', 0)
  os.write(descriptor, content)
  os.lseek(descriptor, 0, os.SEEK_SET)
  return descriptor
