"""One HTTP exchange with a server of chat completions, and what it means.

Every OpenAI-compatible server answers `POST <endpoint>/chat/completions`. The
API key goes into that request's header and nowhere else: it is in no message,
no file and no `repr`, and is taken out of what a server echoes.

Definitions owned here:
  passing fault: one that may be gone at the next try: no or a cut connection,
    a timeout, HTTP 408, 409, 425, 429 and 5xx, a body that is no completion.
    All others, like a refused key or an unknown model, end the work.
"""

from collections.abc import Mapping
import dataclasses
import email.utils
import http.client
import json
import re
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request

import codelaw
from codelaw import errors

_PASSING = frozenset((408, 409, 425, 429))
_MAX_BODY_BYTES = 1 << 24
_MAX_SHOWN = 200
# Local servers take any word for a key; those are no secrets, and taking them
# out of replies could change a verdict.
_SHORTEST_SECRET = 8


@dataclasses.dataclass(frozen=True)
class Reply:
  """What a judge said.

  Attributes:
    text: of its message; empty when it has none.
    prompt_tokens: as the server counted them; None when it did not.
    completion_tokens: likewise.
  """

  text: str
  prompt_tokens: int | None
  completion_tokens: int | None


class PassingError(Exception):
  """A passing fault; `retry_after` in seconds where the server says so."""

  def __init__(self, reason: str, retry_after: float | None = None):
    super().__init__(reason)
    self.retry_after = retry_after


class Endpoint:
  """Where requests go, checked.

  Attributes:
    shown: the address without its query, for messages and files.
  """

  def __init__(self, url: str):
    parts = urllib.parse.urlsplit(url) if isinstance(url, str) else None
    if (
      parts is None
      or parts.scheme not in ('http', 'https')
      or not parts.hostname
      or re.search(r'[\x00-\x20\x7f]', url)
    ):
      raise errors.UserError(
        'The endpoint must be an address like https://HOST/v1 or'
        f' http://127.0.0.1:8000/v1, got {url!r}.'
      )
    if parts.username is not None:
      raise errors.UserError(
        'The endpoint must not hold a name and password: its address is'
        ' written into results. Give a key through an environment variable.'
      )
    path = parts.path.rstrip('/')
    if not path.endswith('/chat/completions'):
      path += '/chat/completions'
    self.url = urllib.parse.urlunsplit(parts._replace(path=path, fragment=''))
    self.shown = urllib.parse.urlunsplit(
      parts._replace(path=path, fragment='', query='')
    )


class Connection:
  """Sends single requests to one endpoint; threads may share it."""

  def __init__(self, endpoint: Endpoint, api_key: str, timeout_seconds: float):
    """Checks the key; nothing is sent.

    Args:
      endpoint: where requests go.
      api_key: sent as a bearer token; empty for none.
      timeout_seconds: for a connection, for silence, and for a whole body.

    Raises:
      UserError: for a key that no header can hold.
    """
    api_key = api_key.strip()
    if not re.fullmatch(r'[\x21-\x7e]*', api_key):
      raise errors.UserError(
        'The API key has spaces, line ends or letters beyond ASCII; copy it'
        ' again into its environment variable.'
      )
    self._endpoint = endpoint
    self._key = api_key
    self._timeout = timeout_seconds
    # No redirects, which would take the key to other hosts, and no exceptions
    # for statuses, which are judged here.
    self._opener = urllib.request.OpenerDirector()
    for handler in (
      urllib.request.ProxyHandler(),
      urllib.request.HTTPHandler(),
      urllib.request.HTTPSHandler(),
    ):
      self._opener.add_handler(handler)

  def post(self, content: bytes) -> Reply:
    """Sends one request.

    Args:
      content: JSON of a chat completion.

    Raises:
      PassingError: for a passing fault.
      UserError: for any other.
    """
    request = urllib.request.Request(
      self._endpoint.url,
      data=content,
      headers={
        'Content-Type': 'application/json',
        'Accept': 'application/json',
        'User-Agent': f'codelaw/{codelaw.__version__}',
      },
    )
    if self._key:
      request.add_unredirected_header('Authorization', f'Bearer {self._key}')
    deadline = time.monotonic() + self._timeout
    try:
      with self._opener.open(request, timeout=self._timeout) as response:
        text = self._clean(_read(response, deadline))
    except (OSError, http.client.HTTPException) as error:
      raise self._fault(error) from error
    if 200 <= response.status < 300:
      return self._reply(text)
    raise self._refusal(response.status, response.headers, text)

  def _fault(self, error: Exception) -> Exception:
    """What a connection that failed means."""
    cause = error
    if isinstance(error, urllib.error.URLError) and isinstance(
      error.reason, Exception
    ):
      cause = error.reason
    where = self._endpoint.shown
    if isinstance(cause, ssl.SSLCertVerificationError):
      return errors.UserError(
        f'The certificate of {where} is not trusted'
        f' ({cause.verify_message}); no key was sent. Set SSL_CERT_FILE to the'
        ' certificates you trust.'
      )
    if isinstance(cause, socket.gaierror) and cause.errno != socket.EAI_AGAIN:
      return errors.UserError(
        f'There is no host for {where} ({cause.strerror}); check --endpoint.'
      )
    if isinstance(cause, TimeoutError):
      return PassingError(f'no answer within {self._timeout:g} s')
    text = str(cause) or type(cause).__name__
    return PassingError(f'the connection failed ({text[:_MAX_SHOWN]})')

  def _refusal(
    self, status: int, headers: Mapping[str, str], text: str
  ) -> Exception:
    """What a status that is no success means."""
    where = self._endpoint.shown
    said, code = _error_message(text)
    said = ' '.join(self._clean(said).split())[:_MAX_SHOWN]
    if code == 'insufficient_quota':
      return errors.UserError(
        f'{where} says that the account has no quota left: {said}'
      )
    if status in _PASSING or status >= 500:
      after = _retry_after(headers.get('Retry-After', ''), time.time())
      return PassingError(f'HTTP {status}{said and f" ({said})"}', after)
    if 300 <= status < 400:
      target = self._clean(headers.get('Location', ''))
      return errors.UserError(
        f'{where} redirects to {target or "nowhere"} (HTTP {status}); give the'
        ' address itself, the key is sent to no other.'
      )
    meaning = {
      401: 'does not accept the API key; check the variable that'
      ' --api_key_variable names',
      403: 'does not let this key use this model',
      404: 'knows no such model or path; check --judge_model and --endpoint',
    }.get(status, 'refuses the request')
    return errors.UserError(
      f'{where} {meaning} (HTTP {status}{said and f": {said}"}).'
    )

  def _reply(self, text: str) -> Reply:
    try:
      content = json.loads(text)
      message = content['choices'][0]['message']['content']
      if not isinstance(message, str | None):
        raise TypeError
      usage = content.get('usage') or {}
      counts = [
        count if isinstance(count, int) and count >= 0 else None
        for count in (
          usage.get('prompt_tokens'),
          usage.get('completion_tokens'),
        )
      ]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
      shown = ' '.join(text.split())[:_MAX_SHOWN]
      raise PassingError(
        f'no chat completion came back but {shown!r}'
      ) from error
    return Reply(self._clean(message or ''), *counts)

  def _clean(self, text: str) -> str:
    if len(self._key) < _SHORTEST_SECRET:
      return text
    return text.replace(self._key, '[API key]')


def _read(response: http.client.HTTPResponse, deadline: float) -> str:
  """The whole body; servers that drip it are cut off at `deadline`."""
  parts, size = [], 0
  while part := response.read1(1 << 16):
    parts.append(part)
    size += len(part)
    if time.monotonic() > deadline:
      raise TimeoutError
    if size > _MAX_BODY_BYTES:
      raise http.client.HTTPException(f'more than {_MAX_BODY_BYTES:,} bytes')
  if response.length:
    raise http.client.IncompleteRead(b'', response.length)
  return b''.join(parts).decode(errors='replace')


def _error_message(text: str) -> tuple[str, str]:
  """(message, code) of an error's body: of its JSON, or its first words."""
  try:
    error = json.loads(text)['error']
    if isinstance(error, str):
      said, code = error, ''
    else:
      said, code = str(error['message']), str(error.get('code', ''))
  except (ValueError, LookupError, TypeError, AttributeError):
    said, code = text, ''
  return said, code


def _retry_after(value: str, now: float) -> float | None:
  """Seconds of a Retry-After header (RFC 9110, 10.2.3); None for none."""
  if re.fullmatch(r'\s*\d{1,9}(\.\d*)?\s*', value):
    return float(value)
  try:
    return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now)
  except (ValueError, TypeError, OverflowError):
    return None
