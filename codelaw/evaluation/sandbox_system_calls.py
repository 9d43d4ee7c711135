"""Which system calls a sandboxed program may not make, as a seccomp filter.

Namespaces and limits hold without it. It closes what they leave open: memory
that belongs to no process (memfd, System V segments), sockets to the machine
that hosts this virtual one (AF_VSOCK belongs to no network namespace), and the
parts of the kernel that programs have no use for and exploits like.

Numbers are those of the kernel's tables, arch/x86/entry/syscalls and
include/uapi/asm-generic/unistd.h; other machines than these two go without.
"""

import errno
import os
import struct

# AUDIT_ARCH_*, the call numbers that differ, `clone` and `socket`.
_MACHINES = {
  'x86_64': (0xC000003E, 56, 41),
  'aarch64': (0xC00000B7, 220, 198),
}
# Name: number on x86_64, on aarch64, what the program is told.
_REFUSED = {
  # Its flags cannot be looked at; C libraries then use `clone`.
  'clone3': (435, 435, errno.ENOSYS),
  'memfd_create': (319, 279, errno.ENOSYS),
  'memfd_secret': (447, 447, errno.ENOSYS),
  'shmget': (29, 194, errno.ENOSYS),
  'msgget': (68, 186, errno.ENOSYS),
  'io_uring_setup': (425, 425, errno.ENOSYS),
  'io_uring_enter': (426, 426, errno.ENOSYS),
  'io_uring_register': (427, 427, errno.ENOSYS),
  'userfaultfd': (323, 282, errno.ENOSYS),
  'bpf': (321, 280, errno.EPERM),
  'perf_event_open': (298, 241, errno.EPERM),
  'add_key': (248, 217, errno.EPERM),
  'request_key': (249, 218, errno.EPERM),
  'keyctl': (250, 219, errno.EPERM),
  'ptrace': (101, 117, errno.EPERM),
  'process_vm_readv': (310, 270, errno.EPERM),
  'process_vm_writev': (311, 271, errno.EPERM),
  'kcmp': (312, 272, errno.EPERM),
  'pidfd_getfd': (438, 438, errno.EPERM),
  'unshare': (272, 97, errno.EPERM),
  'setns': (308, 268, errno.EPERM),
  'mount': (165, 40, errno.EPERM),
  'umount2': (166, 39, errno.EPERM),
  'pivot_root': (155, 41, errno.EPERM),
  'chroot': (161, 51, errno.EPERM),
  'open_tree': (428, 428, errno.EPERM),
  'move_mount': (429, 429, errno.EPERM),
  'fsopen': (430, 430, errno.EPERM),
  'fsconfig': (431, 431, errno.EPERM),
  'fsmount': (432, 432, errno.EPERM),
  'fspick': (433, 433, errno.EPERM),
  'mount_setattr': (442, 442, errno.EPERM),
}
# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
_NEW_NAMESPACES = 0x7E020000
# AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: all belong to a network namespace.
_FAMILIES = (1, 2, 10, 16)
# Instructions of the Berkeley Packet Filter, linux/bpf_common.h.
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
# Offsets in `struct seccomp_data`; of the first argument, the lower half.
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
# Calls of x86_64 with 32-bit pointers, numbers of their own.
_X32 = 0x40000000


def seccomp_filter() -> bytes:
  """The filter, an array of `struct sock_filter`; empty on other machines."""
  machine = os.uname().machine
  if machine not in _MACHINES:
    return b''
  architecture, clone, socket = _MACHINES[machine]
  column = list(_MACHINES).index(machine)
  code = [
    (_LOAD, 0, 0, _ARCHITECTURE),
    (_EQUAL, 1, 0, architecture),
    (_RETURN, 0, 0, _ERROR | errno.ENOSYS),
    (_LOAD, 0, 0, _NUMBER),
    (_AT_LEAST, 0, 1, _X32),
    (_RETURN, 0, 0, _ERROR | errno.ENOSYS),
  ]
  for refused in _REFUSED.values():
    code += [
      (_EQUAL, 0, 1, refused[column]),
      (_RETURN, 0, 0, _ERROR | refused[2]),
    ]
  code += [
    (_EQUAL, 0, 4, clone),
    (_LOAD, 0, 0, _FIRST_ARGUMENT),
    (_ANY_BIT, 0, 1, _NEW_NAMESPACES),
    (_RETURN, 0, 0, _ERROR | errno.EPERM),
    (_RETURN, 0, 0, _ALLOW),
    (_EQUAL, 0, len(_FAMILIES) + 2, socket),
    (_LOAD, 0, 0, _FIRST_ARGUMENT),
  ]
  for place, family in enumerate(_FAMILIES):
    code.append((_EQUAL, len(_FAMILIES) - place, 0, family))
  code += [
    (_RETURN, 0, 0, _ERROR | errno.EAFNOSUPPORT),
    (_RETURN, 0, 0, _ALLOW),
  ]
  return b''.join(struct.pack('HBBI', *instruction) for instruction in code)
