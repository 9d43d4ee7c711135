import email.utils
import threading
import time

import pytest

from codelaw import errors
from codelaw.evaluation import judge_client
from codelaw.evaluation import judge_http
from tests.evaluation import judge_server

FINE = judge_server.say('A')


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
  monkeypatch.setenv('no_proxy', '*')


def send(actions, count=1, **policy):
  """Sends to a server with these actions; the last is for all that follow.

  Returns:
    (replies, requests the server got, clock, what was noted).
  """
  clock, notes = judge_server.FastClock(), []
  script = lambda number, body: actions[min(number, len(actions) - 1)]
  with judge_server.serve(script) as server:
    client = judge_client.Client(
      judge_http.Endpoint(server.url),
      policy=judge_client.RequestPolicy(**policy),
      clock=clock,
      note=notes.append,
    )
    stop = threading.Event()
    replies = [client.send({'n': n}, stop) for n in range(count)]
  return replies, server.got, clock, notes


def test_faults_are_waited_out_twice_as_long_each_time():
  actions = [
    judge_server.fail(500),
    judge_server.CLOSE,
    judge_server.Send(body=b'garbage'),
    judge_server.fail(429),
    FINE,
  ]
  (reply,), got, clock, notes = send(actions)
  assert reply.text == 'A'
  assert len(got) == 5
  assert all(g.body == {'n': 0} for g in got)
  for wait, most in zip(clock.waits, (1, 2, 4, 8), strict=True):
    assert most / 2 <= wait <= most
  assert [note.split()[0] for note in notes] == ['HTTP', 'the', 'no', 'HTTP']


def test_waits_have_an_upper_limit_and_tries_end():
  with pytest.raises(judge_client.NoReplyError, match='HTTP 502.*4 times'):
    send([judge_server.fail(502)], max_tries=4, max_delay_seconds=0.5)
  _, got, clock, _ = send(
    [judge_server.fail(502)] * 5 + [FINE], max_delay_seconds=3.0
  )
  assert len(got) == 6
  assert max(clock.waits) <= 3


@pytest.mark.parametrize('form', ['seconds', 'date'])
def test_retry_after_is_honoured(form):
  later = time.time() + 42
  value = '42' if form == 'seconds' else email.utils.formatdate(later)
  busy = judge_server.fail(429, Retry_After=value)
  _, got, clock, _ = send([busy, FINE], first_delay_seconds=20.0)
  assert len(got) == 2
  # The usual wait, 10 to 20 s, comes on top. A date has whole seconds, and a
  # slow machine may take some.
  least = 52 if form == 'seconds' else 43
  assert least <= clock.now - 1000 <= 62


def test_retry_after_holds_back_the_other_requests():
  busy = judge_server.fail(429, Retry_After='30')
  with judge_server.serve(
    lambda number, body: busy if number == 0 else FINE
  ) as server:
    clock = judge_server.FastClock()
    client = judge_client.Client(
      judge_http.Endpoint(server.url),
      policy=judge_client.RequestPolicy(max_tries=1),
      clock=clock,
    )
    stop = threading.Event()
    with pytest.raises(judge_client.NoReplyError):
      client.send({}, stop)
    assert clock.waits == []
    client.send({}, stop)
    assert clock.waits == [30.0]


def test_a_wait_that_is_too_long_ends_the_work():
  busy = judge_server.fail(429, 'come tomorrow', Retry_After='86400')
  with pytest.raises(errors.UserError, match='wait of 86400 s.*tomorrow'):
    send([busy])


def test_requests_keep_their_distance():
  replies, _, clock, _ = send([FINE], count=5, requests_per_minute=120)
  assert len(replies) == 5
  assert clock.waits == pytest.approx([0.5] * 4)
  assert send([FINE], count=5)[2].waits == []


def test_all_retries_together_have_a_limit():
  bad = judge_server.fail(503)
  with pytest.raises(errors.UserError, match='failed more than 3 times.*503'):
    send([bad, FINE, bad, FINE, bad, bad, FINE], count=9, max_retries=3)
  with pytest.raises(errors.UserError, match='more than 0 times'):
    send([bad], max_retries=0)


def test_what_does_not_pass_is_sent_once():
  script = lambda number, body: judge_server.fail(401)
  with judge_server.serve(script) as server:
    client = judge_client.Client(
      judge_http.Endpoint(server.url), clock=judge_server.FastClock()
    )
    with pytest.raises(errors.UserError, match='API key'):
      client.send({}, threading.Event())
    assert len(server.got) == 1


def test_nothing_is_sent_after_the_end():
  with judge_server.serve(lambda number, body: FINE) as server:
    client = judge_client.Client(judge_http.Endpoint(server.url))
    stop = threading.Event()
    stop.set()
    with pytest.raises(judge_client.StoppedError):
      client.send({}, stop)
    assert server.got == []


@pytest.mark.parametrize(
  'wrong',
  [
    {'max_tries': 0},
    {'max_tries': 1.5},
    {'max_retries': -1},
    {'timeout_seconds': 0.0},
    {'timeout_seconds': float('nan')},
    {'max_delay_seconds': -1.0},
    {'requests_per_minute': float('inf')},
  ],
)
def test_policies_that_make_no_sense(wrong):
  (name,) = wrong
  with pytest.raises(errors.UserError, match=f'RequestPolicy.{name}'):
    judge_client.RequestPolicy(**wrong)
