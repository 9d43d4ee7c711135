"""A real server of chat completions on this machine that may misbehave."""

from collections.abc import Callable
import contextlib
import dataclasses
from http import server
import json
import re
import socket
import ssl
import threading
import time

from codelaw.evaluation import judge_client

_ANSWERS = re.compile(
  r'<<<ANSWER A\n(.*)\nANSWER A>>>.*<<<ANSWER B\n(.*)\nANSWER B>>>', re.DOTALL
)


@dataclasses.dataclass(frozen=True)
class Send:
  """What the server sends.

  Attributes:
    status: of HTTP.
    body: as it goes over the wire.
    headers: further ones.
    missing: bytes of `body` that Content-Length counts and nobody gets.
    drip: seconds between its bytes; 0 sends them at once.
    chunked: sends chunks of 10 bytes, the last `missing` ones not.
  """

  status: int = 200
  body: bytes = b''
  headers: dict = dataclasses.field(default_factory=dict)
  missing: int = 0
  drip: float = 0.0
  chunked: bool = False


CLOSE = Send(status=0)
HANG = Send(status=-1)


def say(text, usage=(30, 7)) -> Send:
  content = {'choices': [{'message': {'role': 'assistant', 'content': text}}]}
  if usage:
    content['usage'] = dict(
      zip(('prompt_tokens', 'completion_tokens'), usage, strict=True)
    )
  return Send(body=json.dumps(content).encode())


def fail(status, message='', **headers) -> Send:
  body = json.dumps({'error': {'message': message, 'code': 'some_code'}})
  return Send(
    status, body.encode(), {k.replace('_', '-'): v for k, v in headers.items()}
  )


def answers_in(body) -> tuple[str, str]:
  """(first, second) answer of a question with our instructions."""
  return _ANSWERS.search(body['messages'][0]['content']).groups()


def right(body) -> Send:
  """Whoever says `good` more often is better."""
  first, second = (a.count('good') for a in answers_in(body))
  verdict = 'A' if first > second else 'B' if second > first else 'tie'
  return say(f'I counted.\n{verdict}')


@dataclasses.dataclass(frozen=True)
class Got:
  body: dict
  headers: dict
  path: str


class Server:
  """Answers request n with `script(n, body)`, counted from 0."""

  def __init__(
    self,
    script: Callable[[int, dict], Send],
    tls: ssl.SSLContext | None = None,
  ):
    self.script = script
    self.got: list[Got] = []
    self.over = threading.Event()
    lock = threading.Lock()
    ours = self

    class Handler(server.BaseHTTPRequestHandler):
      def do_POST(self):
        length = int(self.headers['Content-Length'])
        body = json.loads(self.rfile.read(length))
        with lock:
          number = len(ours.got)
          ours.got.append(Got(body, dict(self.headers), self.path))
        ours._send(self, ours.script(number, body))

      def log_message(self, *_):
        pass

    class Listener(server.ThreadingHTTPServer):
      request_queue_size = 64

      def handle_error(self, *_):
        """Clients that went away are no news."""

    self._listener = Listener(('127.0.0.1', 0), Handler)
    scheme = 'https' if tls else 'http'
    if tls:
      self._listener.socket = tls.wrap_socket(
        self._listener.socket, server_side=True
      )
    self.url = f'{scheme}://127.0.0.1:{self._listener.server_port}/v1'
    # poll_interval: `shutdown` waits for it.
    self._thread = threading.Thread(
      target=self._listener.serve_forever, kwargs={'poll_interval': 0.01}
    )
    self._thread.start()

  def close(self):
    self.over.set()
    self._listener.shutdown()
    self._listener.server_close()
    self._thread.join()

  def _send(self, handler, action):
    handler.close_connection = True
    if action.status == -1:
      self.over.wait(30)
    if action.status <= 0:
      handler.connection.shutdown(socket.SHUT_RDWR)
      return
    handler.send_response(action.status)
    for name, value in action.headers.items():
      handler.send_header(name, value)
    if action.chunked:
      handler.send_header('Transfer-Encoding', 'chunked')
      handler.end_headers()
      parts = [action.body[i : i + 10] for i in range(0, len(action.body), 10)]
      wire = [b'%x\r\n%b\r\n' % (len(part), part) for part in (*parts, b'')]
      handler.wfile.write(b''.join(wire[: len(wire) - action.missing]))
      return
    handler.send_header('Content-Length', str(len(action.body)))
    handler.end_headers()
    if not action.drip:
      handler.wfile.write(action.body[: len(action.body) - action.missing])
      return
    for byte in action.body:
      if self.over.is_set():
        return
      handler.wfile.write(bytes([byte]))
      time.sleep(action.drip)


@contextlib.contextmanager
def serve(script, tls=None):
  found = Server(script, tls)
  try:
    yield found
  finally:
    found.close()


class FastClock(judge_client.Clock):
  """Nobody waits: time jumps to the end of each wait."""

  def __init__(self):
    self._lock = threading.Lock()
    self.now = 1000.0
    self.waits: list[float] = []

  def monotonic(self):
    with self._lock:
      return self.now

  def wait(self, seconds, stop):
    with self._lock:
      self.waits.append(seconds)
      self.now += seconds
