"""A stand-in for the queued resources of the TPU API v2, for the real gcloud.

Methods, paths and fields: https://cloud.google.com/tpu/docs/reference/rest/v2/
projects.locations.queuedResources.
"""

import contextlib
import http.server
import json
import re
import threading
import urllib.parse


class _Handler(http.server.BaseHTTPRequestHandler):
  resources = None  # name -> resource

  def log_message(self, *_):
    pass

  def _answer(self, content, code=200):
    body = json.dumps(content).encode()
    self.send_response(code)
    self.send_header('Content-Type', 'application/json')
    self.send_header('Content-Length', str(len(body)))
    self.end_headers()
    self.wfile.write(body)

  def _done(self, response):
    name = 'projects/my-project/locations/us-west4-a/operations/1'
    self._answer({'name': name, 'done': True, 'response': response})

  def _missing(self, name):
    self._answer(
      {
        'error': {
          'code': 404,
          'message': f'{name} was not found',
          'status': 'NOT_FOUND',
        }
      },
      404,
    )

  def do_POST(self):  # noqa: N802
    url = urllib.parse.urlparse(self.path)
    size = int(self.headers['Content-Length'])
    resource = json.loads(self.rfile.read(size))
    (key,) = urllib.parse.parse_qs(url.query)['queuedResourceId']
    name = f'{url.path.removeprefix("/v2/")}/{key}'
    resource |= {'name': name, 'state': {'state': 'WAITING_FOR_RESOURCES'}}
    self.resources[name] = resource
    self._done(resource)

  def do_GET(self):  # noqa: N802
    path = urllib.parse.urlparse(self.path).path.removeprefix('/v2/')
    if path.endswith('/queuedResources'):
      self._answer({'queuedResources': list(self.resources.values())})
    elif path in self.resources:
      self._answer(self.resources[path])
    elif re.search('/operations/', path):
      self._done({})
    else:
      self._missing(path)

  def do_DELETE(self):  # noqa: N802
    url = urllib.parse.urlparse(self.path)
    name = url.path.removeprefix('/v2/')
    if self.resources.pop(name, None) is None:
      self._missing(name)
    else:
      self._done({})


@contextlib.contextmanager
def serving():
  """(address, resources by their full name)."""
  resources = {}
  handler = type('Handler', (_Handler,), {'resources': resources})
  with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f'http://127.0.0.1:{server.server_port}/', resources
    server.shutdown()
    thread.join()
