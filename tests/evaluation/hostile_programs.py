"""Programs that mean harm, for `sandbox_hostile_test`.

Each is told, as its arguments, the folder of its harness, the harness's pid,
and a port on which the harness listens. One that tries something forbidden
prints `stopped` for every way that failed, and `REACHED` for one that worked;
`whatever` is for what may seem to work inside and is judged from outside.
"""

import dataclasses

_HEAD = """
import ctypes, os, resource, signal, socket, sys, threading, time
outside, harness, port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
x86 = os.uname().machine == 'x86_64'
def attempt(function, *arguments):
  try:
    print('REACHED', function, arguments, function(*arguments), flush=True)
  except (OSError, ValueError) as error:
    print('stopped', error, flush=True)
def whatever(function, *arguments):
  try:
    function(*arguments)
  except OSError:
    pass
def forever(function, *arguments):
  while True:
    try:
      function(*arguments)
    except (OSError, RuntimeError):
      time.sleep(0.001)
def call(name, *arguments):
  libc = ctypes.CDLL(None, use_errno=True)
  if getattr(libc, name)(*arguments) < 0:
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
def read(path):
  with open(path, 'rb') as file:
    return file.read(1 << 16)
def write(path):
  with open(path, 'wb') as file:
    return file.write(b'mine')
"""


@dataclasses.dataclass(frozen=True)
class Program:
  """A hostile program and what must come of it.

  Attributes:
    source: in Python, behind `_HEAD`; or a command, if `shell`.
    ended: what `Outcome.ended` must be.
    exit_code: if it is 'exit' or 'signal'.
    stopped: how many of its attempts must have failed.
    limits: other than those of the suite.
    shell: whether `sh` runs it.
  """

  source: str
  ended: str = 'exit'
  exit_code: int = 0
  stopped: int = 0
  limits: dict = dataclasses.field(default_factory=dict)
  shell: bool = False

  @property
  def text(self) -> str:
    return self.source if self.shell else _HEAD + self.source


PROGRAMS = {
  # Processes.
  'fork bomb': Program('forever(os.fork)', 'processes'),
  'fork bomb of a shell': Program(
    'f() { f | f & }\nf 2>/dev/null &\nexec sleep 20', 'processes', shell=True
  ),
  'sleeping children': Program(
    'forever(lambda: os.fork() or time.sleep(1000))', 'processes'
  ),
  'zombies': Program('forever(lambda: os.fork() or os._exit(0))', 'processes'),
  'threads': Program(
    'forever(lambda: threading.Thread(target=time.sleep, args=(99,)).start())',
    'processes',
  ),
  # Memory.
  'memory': Program(
    'kept = []\nwhile True: kept.append(bytearray(b"x" * (1 << 20)))', 'memory'
  ),
  'memory of children': Program(
    'for _ in range(4):\n'
    '  if not os.fork():\n'
    '    kept = b"x" * (20 << 20)\n'
    '    time.sleep(1000)\n'
    'time.sleep(1000)',
    'memory',
  ),
  'shared memory': Program(
    'import mmap\n'
    'kept = mmap.mmap(-1, 1 << 30)\n'
    'for place in range(0, 1 << 30, 4096): kept[place] = 1',
    'memory',
  ),
  'memory behind a false name': Program(
    'call("prctl", 15, b") Z 1 1 1", 0, 0, 0)\n'
    'kept = []\nwhile True: kept.append(bytearray(b"x" * (1 << 20)))',
    'memory',
  ),
  'memory of no process': Program(
    'attempt(os.memfd_create, "x")\n'
    'attempt(call, "shmget", 0, 1 << 30, 0o1600)',
    stopped=2,
  ),
  'memory in /tmp': Program(
    'with open("/tmp/x", "wb") as file:\n'
    '  while True: file.write(b"x" * 65536)',
    'disk',
  ),
  'memory in /dev/shm': Program(
    'for number in range(200):\n'
    '  with open(f"/dev/shm/{number}", "wb") as f: f.write(b"x" * 65536)\n'
    'time.sleep(1000)',
    'disk',
  ),
  'larger standard input': Program(
    'attempt(write, "/proc/self/fd/0")', stopped=1
  ),
  # Output.
  'endless output': Program('while True: print("x" * 1000)', 'output'),
  'endless errors': Program(
    'while True: print("x" * 1000, file=sys.stderr)', 'output'
  ),
  'output of children': Program(
    'yes & yes >&2 & yes & sleep 1000', 'output', shell=True
  ),
  'output just before the end': Program(
    'os.write(1, b"x" * 60000)\nos.write(2, b"x" * 60000)', 'output'
  ),
  'terminal': Program(
    'import fcntl, termios\n'
    'print("\\x1b]0;title\\x07\\x1b[2J\\x9b0c")\n'
    'attempt(open, "/dev/tty")\n'
    'attempt(fcntl.ioctl, 0, termios.TIOCSTI, b"x")\n'
    'attempt(fcntl.ioctl, 2, termios.TIOCSTI, b"x")',
    stopped=3,
  ),
  # Disk.
  'large file': Program(
    'with open("x", "wb") as file:\n  while True: file.write(b"x" * 65536)',
    'disk',
  ),
  'sparse file': Program('attempt(os.truncate, 0, 1 << 40)', stopped=1),
  'large files, then an end': Program(
    'for name in "abcdef":\n'
    '  with open(name, "wb") as file: file.write(b"x" * (1 << 20))',
    'disk',
  ),
  'many files': Program(
    'for number in range(100000): open(str(number), "wb").close()', 'disk'
  ),
  'many files in /tmp': Program(
    'for number in range(100000): open(f"/tmp/{number}", "wb").close()', 'disk'
  ),
  'deep folders': Program(
    'for _ in range(10000):\n  os.mkdir("d" * 200)\n  os.chdir("d" * 200)',
    'disk',
  ),
  'files in an unreadable folder': Program(
    'os.mkdir("d")\n'
    'os.chmod("d", 0o300)\n'
    'for number in range(100000): open(f"d/{number}", "wb").close()',
    'disk',
  ),
  'strange names': Program(
    'for name in (b"\\n", b"\\xff\\xfe", b"-rf", b"x" * 255):\n'
    '  os.mkdir(name)\n'
    '  os.chmod(name, 0)\n'
    'os.mkfifo("pipe")'
  ),
  # Files of others.
  'paths': Program(
    'for path in ("/home", "/var", "/run", "/sys", "/boot", "/srv", "/mnt"):\n'
    '  attempt(os.listdir, path)\n'
    'attempt(read, "/root/.bashrc")\n'
    'attempt(read, "/etc/shadow")\n'
    'attempt(read, os.path.expanduser("~/.ssh/id_rsa"))\n'
    'attempt(read, outside + "/expected.json")\n'
    'attempt(read, "../" * 50 + outside + "/expected.json")\n'
    'attempt(read, "../expected.json")',
    stopped=13,
  ),
  'symlinks': Program(
    'os.symlink(outside, "link")\n'
    'os.symlink("/", "root")\n'
    'attempt(read, "link/expected.json")\n'
    'whatever(write, "link/canary")\n'
    'attempt(read, "root/etc/shadow")\n'
    'attempt(os.listdir, "root/home")',
    stopped=3,
  ),
  'hard links': Program(
    'attempt(os.link, outside + "/canary", "canary")\n'
    'attempt(os.link, "/usr/bin/env", "env")\n'
    'attempt(os.link, "/proc/1/exe", "exe")',
    stopped=3,
  ),
  'writing outside': Program(
    'for path in ("/x", "/usr/bin/x", "/etc/x", "/dev/x", "/lib/x",\n'
    '    "/proc/sys/kernel/core_pattern",\n'
    '    "/proc/sysrq-trigger", "/proc/self/oom_score_adj"):\n'
    '  attempt(write, path)\n'
    'attempt(os.remove, "/etc/passwd")\n'
    'attempt(os.chmod, "/usr/bin/env", 0)\n'
    'whatever(write, outside + "/canary")\n'
    'whatever(write, outside + "/another")',
    stopped=10,
  ),
  'other processes': Program(
    'for number in (harness, os.getppid() + 1000):\n'
    '  for name in ("environ", "mem", "fd/0", "root/etc/shadow", "maps"):\n'
    '    attempt(read, f"/proc/{number}/{name}")\n'
    'for path in ("/proc/1/root/etc/shadow", f"/proc/1/root{outside}/canary",\n'
    '    f"/proc/1/cwd{outside}/canary", f"/proc/self/root{outside}/canary"):\n'
    '  attempt(read, path)\n'
    'pids = [name for name in os.listdir("/proc") if name.isdigit()]\n'
    'assert set(pids) <= {"1", str(os.getpid())}, pids\n'
    'for name in ("environ", "cmdline", "maps"):\n'
    '  whatever(lambda: print(read(f"/proc/1/{name}")))',
    stopped=14,
  ),
  'inherited descriptors': Program(
    'found = set(os.listdir("/proc/self/fd")) - {"0", "1", "2", "3"}\n'
    'assert not found, found'
  ),
  # Network.
  'network': Program(
    'for family, address in ((socket.AF_INET, ("127.0.0.1", port)),\n'
    '    (socket.AF_INET, ("8.8.8.8", 53)),\n'
    '    (socket.AF_INET6, ("::1", port)),\n'
    '    (socket.AF_UNIX, f"\\0codelaw {harness}")):\n'
    '  attempt(lambda: socket.socket(family).connect(address))\n'
    'datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n'
    'whatever(datagrams.sendto, b"x", ("127.0.0.1", port))\n'
    'attempt(datagrams.sendto, b"x", ("8.8.8.8", 53))\n'
    'attempt(socket.getaddrinfo, "example.com", 80)\n'
    'attempt(socket.socket, socket.AF_INET, socket.SOCK_RAW, 1)\n'
    'attempt(socket.socket, socket.AF_PACKET, socket.SOCK_RAW)\n'
    'attempt(socket.socket, socket.AF_VSOCK, socket.SOCK_STREAM)\n'
    'names = [name for _, name in socket.if_nameindex()]\n'
    'assert set(names) <= {"lo", "sit0", "tunl0", "ip6tnl0"}, names',
    stopped=9,
  ),
  # Signals and other processes.
  'signals': Program(
    'attempt(os.kill, harness, signal.SIGKILL)\n'
    'whatever(os.kill, -1, signal.SIGKILL)\n'
    'signal.signal(signal.SIGTERM, signal.SIG_IGN)\n'
    'for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP):\n'
    '  for target in (1, os.getppid()): whatever(os.kill, target, number)\n'
    'os.killpg(0, signal.SIGTERM)\n'
    'print("still here")',
    stopped=1,
  ),
  'tracing': Program(
    'for request in (16, 0x4206):\n'
    '  attempt(call, "ptrace", request, 1, 0, 0)\n'
    'attempt(call, "process_vm_readv", 1, None, 0, None, 0, 0)',
    stopped=3,
  ),
  'a daemon': Program(
    'if not os.fork():\n'
    '  os.setsid()\n'
    '  if os.fork(): os._exit(0)\n'
    '  signal.signal(signal.SIGTERM, signal.SIG_IGN)\n'
    '  for number in range(1000):\n'
    '    open("alive", "w").write(str(time.time()))\n'
    '    time.sleep(0.01)\n'
    '  os._exit(0)\n'
    'os.wait()\n'
    'while not os.path.exists("alive"): pass',
  ),
  # Time.
  'sleep': Program('time.sleep(1000)', 'time', limits={'seconds': 0.5}),
  'deaf sleep': Program(
    'for number in range(1, 65):\n'
    '  try: signal.signal(number, signal.SIG_IGN)\n'
    '  except (OSError, ValueError): pass\n'
    'signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n'
    'while True: time.sleep(1)',
    'time',
    limits={'seconds': 0.5},
  ),
  'sleep without output': Program(
    'os.close(0); os.close(1); os.close(2)\ntime.sleep(1000)',
    'time',
    limits={'seconds': 0.5},
  ),
  'stopped': Program(
    'os.kill(os.getpid(), signal.SIGSTOP)', 'time', limits={'seconds': 0.5}
  ),
  'processor': Program('while True: pass', 'cpu', limits={'cpu_seconds': 0.3}),
  'processor of children': Program(
    'for _ in range(3): os.fork()\nwhile True: pass',
    'cpu',
    limits={'cpu_seconds': 0.3},
  ),
  'clock': Program(
    'attempt(time.clock_settime, time.CLOCK_REALTIME, 0)\n'
    'attempt(call, "settimeofday", ctypes.byref((ctypes.c_long * 2)()), None)\n'
    'attempt(call, "adjtimex", ctypes.byref((ctypes.c_long * 64)(1)))\n'
    'import select\n'
    'while True: select.select([], [], [], 1000)',
    'time',
    stopped=3,
    limits={'seconds': 0.5},
  ),
  # Privileges.
  'namespaces and mounts': Program(
    'for flag in (0x10000000, 0x20000, 0x40000000, 0x20000000):\n'
    '  attempt(call, "unshare", flag)\n'
    'attempt(call, "mount", b"none", b"/tmp", b"tmpfs", 0, None)\n'
    'attempt(call, "mount", b"", b"/", b"", 4096 | 32, None)\n'
    'attempt(call, "umount2", b"/proc", 2)\n'
    'attempt(os.chroot, ".")\n'
    'attempt(call, "setns", 0, 0)\n'
    'attempt(call, "syscall", 56 if x86 else 220, 0x10000011, 0, 0, 0, 0)',
    stopped=10,
  ),
  'privileges': Program(
    'attempt(os.setuid, 0)\n'
    'attempt(os.setgroups, [0])\n'
    'attempt(os.nice, -20)\n'
    'for name in (resource.RLIMIT_NPROC, resource.RLIMIT_FSIZE,\n'
    '    resource.RLIMIT_NOFILE, resource.RLIMIT_CPU):\n'
    '  attempt(resource.setrlimit, name, (1 << 40, 1 << 40))\n'
    'attempt(os.mknod, "device", 0o60600, os.makedev(8, 0))\n'
    'attempt(call, "syscall", 250 if x86 else 219, 0, -3, 1)\n'
    'attempt(os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(1))',
    stopped=10,
  ),
  'a program of root': Program('su -c id; sudo -n id; true', shell=True),
  # Verdicts.
  'an early end': Program('os._exit(0)\nraise SystemExit(1)'),
  'a signal to itself': Program(
    'os.kill(os.getpid(), signal.SIGKILL)', 'signal', 128 + 9
  ),
  'a crash': Program('ctypes.string_at(0)', 'signal', 128 + 11),
}
