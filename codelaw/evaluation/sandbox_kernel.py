"""System calls that Python 3.11 does not have, through the C library.

Constants are those of the kernel's headers: linux/prctl.h, linux/mount.h,
linux/sched.h, linux/capability.h, linux/if.h, linux/sockios.h.
"""

import ctypes
import os
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
_MNT_DETACH = 2
_PR_SET_PDEATHSIG = 1
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_PR_SET_CHILD_SUBREAPER = 36
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION_3 = 0x20080522
# The same number on every machine: it is newer than their common table.
_SYS_MOUNT_SETATTR = 442
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_SIGKILL = 9
_AF_INET = 2
_SOCK_DGRAM = 2
_IFF_UP = 0x1
_IFF_RUNNING = 0x40
_SIOCSIFFLAGS = 0x8914

_LIBC = ctypes.CDLL(None, use_errno=True)


class _MountAttributes(ctypes.Structure):
  _fields_ = [
    (name, ctypes.c_uint64)
    for name in ('attr_set', 'attr_clr', 'propagation', 'userns_fd')
  ]


class _Filter(ctypes.Structure):
  _fields_ = [('length', ctypes.c_ushort), ('code', ctypes.c_char_p)]


def adopt_orphans() -> None:
  """Makes this process the parent of orphans below it, so it can reap them."""
  _call('prctl', _PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent() -> None:
  """Has the kernel kill this process when its parent ends."""
  _call('prctl', _PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)


def unshare(flags: int) -> None:
  """Gives this process, or its next child, namespaces of its own."""
  _call('unshare', flags)


def mount(
  source: str, target: str, kind: str = '', flags: int = 0, data: str = ''
) -> None:
  """Attaches a file system, or a folder or file to another place."""
  words = [word.encode() or None for word in (source, target, kind)]
  _call('mount', *words, ctypes.c_ulong(flags), data.encode() or None)


def restrict_mount(target: str, flags: int, below: bool) -> None:
  """Adds MS_RDONLY, MS_NOSUID, MS_NODEV to a mount, and to those below it.

  Unlike a remount it keeps the other flags, which are locked in a new user
  namespace. Linux 5.12 or newer.
  """
  attributes = _MountAttributes(flags, 0, 0, 0)
  _call(
    'syscall',
    ctypes.c_long(_SYS_MOUNT_SETATTR),
    _AT_FDCWD,
    target.encode(),
    _AT_RECURSIVE if below else 0,
    ctypes.byref(attributes),
    ctypes.c_size_t(ctypes.sizeof(attributes)),
  )


def change_root(folder: str) -> None:
  """Makes a mount the root and takes the old one away: pivot_root(2)."""
  os.chdir(folder)
  _call('pivot_root', b'.', b'.')
  _call('umount2', b'.', _MNT_DETACH)
  os.chdir('/')


def give_up_privileges() -> None:
  """Drops all capabilities for good; no program can bring some back."""
  number = 0
  while _LIBC.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0) == 0:
    number += 1
  _LIBC.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
  header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
  _call('capset', header, (ctypes.c_uint32 * 6)())
  _call('prctl', _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def restrict_system_calls(code: bytes) -> None:
  """Installs a seccomp filter for good; no privileges must be left."""
  program = _Filter(len(code) // 8, code)
  _call(
    'prctl', _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0
  )


def start_loopback() -> None:
  """Lets the processes of a network namespace talk to each other."""
  socket = _LIBC.socket(_AF_INET, _SOCK_DGRAM, 0)
  if socket < 0:
    return
  request = struct.pack('16sH14x', b'lo', _IFF_UP | _IFF_RUNNING)
  request += bytes(8)
  _LIBC.ioctl(socket, ctypes.c_ulong(_SIOCSIFFLAGS), request)
  os.close(socket)


def set_host_name(name: bytes) -> None:
  """What `hostname` says: sethostname(2)."""
  _call('sethostname', name, ctypes.c_size_t(len(name)))


def _call(name: str, *arguments) -> None:
  if getattr(_LIBC, name)(*arguments) < 0:
    number = ctypes.get_errno()
    raise OSError(number, f'{name}: {os.strerror(number)}')
