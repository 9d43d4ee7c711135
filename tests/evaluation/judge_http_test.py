"""One exchange with a real server that misbehaves in every known way."""

import json
import shutil
import socket
import ssl
import subprocess
import time

import pytest

from codelaw import errors
from codelaw.evaluation import judge_http
from tests.evaluation import judge_server

KEY = 'sk-secret-0123456789'
BODY = json.dumps({'model': 'm', 'messages': []}).encode()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
  monkeypatch.setenv('no_proxy', '*')


def post(action, key=KEY, timeout=5.0):
  """What comes of one request, and what the server got."""
  with judge_server.serve(lambda number, body: action) as server:
    endpoint = judge_http.Endpoint(server.url)
    connection = judge_http.Connection(endpoint, key, timeout)
    return connection.post(BODY), server.got


def test_a_reply_and_what_is_sent_for_it():
  reply, (got,) = post(judge_server.say('Fine.\nA', (12, 3)))
  assert reply == judge_http.Reply('Fine.\nA', 12, 3)
  assert got.path == '/v1/chat/completions'
  assert got.headers['Authorization'] == f'Bearer {KEY}'
  assert got.body == {'model': 'm', 'messages': []}


def test_a_body_in_chunks():
  body = b' \n \n' + judge_server.say('A').body  # some keep us alive so
  whole = judge_server.Send(body=body, chunked=True)
  assert post(whole)[0].text == 'A'
  for missing in (1, 3):
    cut = judge_server.Send(body=body, chunked=True, missing=missing)
    with pytest.raises(judge_http.PassingError, match='connection failed'):
      post(cut)


def test_a_certificate_that_nobody_vouches_for(tmp_path):
  openssl = shutil.which('openssl')
  if openssl is None:
    pytest.skip('needs openssl to make a certificate')
  options = '-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1'
  subprocess.run(
    [openssl, 'req', *options.split(), '-subj', '/CN=127.0.0.1']
    + ['-keyout', str(tmp_path / 'key'), '-out', str(tmp_path / 'cert')],
    check=True,
    capture_output=True,
  )
  context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
  context.load_cert_chain(tmp_path / 'cert', tmp_path / 'key')
  script = lambda number, body: judge_server.say('A')
  with judge_server.serve(script, context) as server:
    connection = judge_http.Connection(
      judge_http.Endpoint(server.url), KEY, 5.0
    )
    with pytest.raises(errors.UserError, match='not trusted.*no key was sent'):
      connection.post(BODY)
    assert server.got == []


def test_no_key_no_header():
  reply, (got,) = post(judge_server.say(None, usage=None), key='')
  assert reply == judge_http.Reply('', None, None)
  assert 'Authorization' not in got.headers


def test_a_key_that_the_server_echoes_is_taken_out():
  reply, _ = post(judge_server.say(f'Your key is {KEY}.'))
  assert reply.text == 'Your key is [API key].'
  # A word that local servers take for a key is no secret.
  assert post(judge_server.say('A'), key='A')[0].text == 'A'


@pytest.mark.parametrize(
  ('action', 'said'),
  [
    (judge_server.fail(429, 'slow down'), r'HTTP 429 \(slow down\)'),
    (judge_server.fail(500), 'HTTP 500'),
    (judge_server.Send(503, b'<html>busy</html>'), 'HTTP 503.*busy'),
    (judge_server.fail(408), 'HTTP 408'),
    (judge_server.CLOSE, 'connection failed'),
    (judge_server.Send(), 'no chat completion'),
    (judge_server.Send(body=b'{"choi'), 'no chat completion'),
    (judge_server.Send(body=b'\xff\xfe\x00'), 'no chat completion'),
    (judge_server.Send(body=b'[]'), 'no chat completion'),
    (judge_server.Send(body=b'{"choices": []}'), 'no chat completion'),
    (
      judge_server.Send(body=b'{"choices": [{"message": {"content": 3}}]}'),
      'no chat completion',
    ),
    (
      judge_server.Send(body=judge_server.say('A').body, missing=20),
      'connection failed',
    ),
    # Whole JSON, so that only the length tells that something is missing.
    (
      judge_server.Send(body=judge_server.say('A').body + b' ', missing=1),
      'connection failed',
    ),
  ],
)
def test_passing_faults(action, said):
  with pytest.raises(judge_http.PassingError, match=said):
    post(action)


@pytest.mark.parametrize(
  ('status', 'said'),
  [
    (400, 'refuses the request'),
    (401, 'does not accept the API key'),
    (403, 'does not let this key'),
    (404, 'no such model or path'),
    (422, 'refuses the request'),
    (302, 'redirects to http://elsewhere/'),
    (307, 'redirects to http://elsewhere/'),
  ],
)
def test_faults_that_do_not_pass(status, said):
  action = judge_server.fail(
    status, f'bad {KEY}' + 'x' * 400, Location='http://elsewhere/'
  )
  with pytest.raises(errors.UserError, match=said) as caught:
    post(action)
  assert f'HTTP {status}' in str(caught.value)
  assert KEY not in str(caught.value)
  assert len(str(caught.value)) < 400


def test_an_empty_account_is_no_passing_fault():
  body = b'{"error": {"message": "pay", "code": "insufficient_quota"}}'
  with pytest.raises(errors.UserError, match='no quota left: pay'):
    post(judge_server.Send(429, body))


def test_silence_and_drip_end_at_the_timeout():
  long = judge_server.say('A' * 2000).body
  for action in (judge_server.HANG, judge_server.Send(body=long, drip=0.01)):
    start = time.monotonic()
    with pytest.raises(judge_http.PassingError, match='within 0.2 s'):
      post(action, timeout=0.2)
    # Twice the limit at worst, and a slow machine; the drip would take 20 s.
    assert time.monotonic() - start < 5


def test_nobody_listens():
  with socket.socket() as free:
    free.bind(('127.0.0.1', 0))
    port = free.getsockname()[1]
  endpoint = judge_http.Endpoint(f'http://127.0.0.1:{port}/v1')
  with pytest.raises(judge_http.PassingError, match='refused'):
    judge_http.Connection(endpoint, KEY, 5.0).post(BODY)


def test_a_host_that_is_not_there(monkeypatch):
  def unknown(*args, **kwargs):
    raise socket.gaierror(socket.EAI_NONAME, 'Name or service not known')

  monkeypatch.setattr(socket, 'getaddrinfo', unknown)
  endpoint = judge_http.Endpoint('http://no.such.host/v1')
  with pytest.raises(errors.UserError, match=r'no host for .*no\.such\.host'):
    judge_http.Connection(endpoint, KEY, 5.0).post(BODY)


@pytest.mark.parametrize(
  ('value', 'seconds'),
  [
    ('7', 7.0),
    ('1.5', 1.5),
    ('Thu, 01 Jan 1970 00:01:40 GMT', 60.0),
    ('Thu, 01 Jan 1970 00:00:01 GMT', 0.0),
    ('', None),
    ('soon', None),
    ('-3', None),
  ],
)
def test_retry_after(value, seconds):
  assert judge_http._retry_after(value, now=40.0) == seconds


@pytest.mark.parametrize(
  'url',
  ['', 'host/v1', 'ftp://host/v1', 'http://', 'http://a b/v1', 'http://a\n/v1'],
)
def test_addresses_that_are_none(url):
  with pytest.raises(errors.UserError, match='endpoint must be'):
    judge_http.Endpoint(url)


def test_addresses():
  for url in ('http://h/v1', 'http://h/v1/', 'http://h/v1/chat/completions'):
    assert judge_http.Endpoint(url).url == 'http://h/v1/chat/completions'
  query = judge_http.Endpoint('https://h/v1?api-version=2&key=x')
  assert query.url == 'https://h/v1/chat/completions?api-version=2&key=x'
  assert query.shown == 'https://h/v1/chat/completions'
  with pytest.raises(errors.UserError, match='name and password') as caught:
    judge_http.Endpoint('https://me:secret@h/v1')
  assert 'secret' not in str(caught.value)


@pytest.mark.parametrize('key', ['two words', 'a\nb', 'schlüssel'])
def test_keys_that_no_header_can_hold_are_refused_and_not_shown(key):
  endpoint = judge_http.Endpoint('http://h/v1')
  with pytest.raises(errors.UserError, match='API key has') as caught:
    judge_http.Connection(endpoint, key, 1.0)
  assert key not in str(caught.value)
