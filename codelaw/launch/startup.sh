# The startup script of a TPU VM: mounts the bucket, brings a Python of its own
# and codelaw, runs the command of the job on this host, and lets the slice go.
#
# It runs as root at every start of every machine of the slice, and does again
# nothing that is done. What it is about is in variables that codelaw writes
# above. Progress and output are in $ROOT/job.log, and in the bucket afterwards.
set -euo pipefail
export HOME="${HOME:-/root}"

main() {
  mkdir -p "$ROOT"
  exec >>"$ROOT/job.log" 2>&1
  local code=0
  {
    mount_bucket && install_codelaw && run_command
  } || code=$?
  keep_log
  # The machine is taken away, or starts anew and comes here again.
  if is_going; then
    say "told to stop"
    exit 0
  fi
  say "ended with $code"
  let_go
  exit "$code"
}

say() {
  echo "$(date --utc +%FT%TZ) codelaw launch: $*"
}

# Networks and package locks come up after the machine.
persist() {
  local try
  for try in 1 2 3 4 5; do
    "$@" && return 0
    say "try $try of 5 failed: $*"
    sleep "$((try * PAUSE_SECONDS))"
  done
  return 1
}

worker() {
  curl --silent --fail --retry 5 --header 'Metadata-Flavor: Google' \
    "http://metadata.google.internal/computeMetadata/v1/instance/attributes/agent-worker-number"
}

mount_bucket() {
  if mountpoint --quiet "$FOLDER"; then
    return 0
  fi
  if ! command -v gcsfuse >/dev/null; then
    if [ -z "$GCSFUSE" ]; then
      say "this image has no gcsfuse; put its Debian package into the bucket" \
        "and name it: QueuedResources.gcsfuse"
      return 1
    fi
    persist gcloud storage cp "$GCSFUSE" "$ROOT/gcsfuse.deb" || return 1
    persist apt-get install --yes --option DPkg::Lock::Timeout=600 \
      "$ROOT/gcsfuse.deb" || return 1
  fi
  mkdir -p "$FOLDER" || return 1
  persist gcsfuse "${MOUNT_FLAGS[@]}" "$BUCKET" "$FOLDER"
}

install_codelaw() {
  if [ "$(cat "$ROOT/installed" 2>/dev/null)" = "$PYTHON $PACKAGE" ]; then
    return 0
  fi
  export UV_PYTHON_INSTALL_DIR="$ROOT/python" UV_CACHE_DIR="$ROOT/cache"
  persist python3 -m pip install --quiet --upgrade --target "$ROOT/uv" \
    "uv==$UV" || return 1
  persist "$ROOT/uv/bin/uv" venv --clear --managed-python --python "$PYTHON" \
    "$ROOT/env" || return 1
  persist "$ROOT/uv/bin/uv" pip install --python "$ROOT/env/bin/python" \
    --constraint "$CONSTRAINTS" "$PACKAGE" || return 1
  echo "$PYTHON $PACKAGE" >"$ROOT/installed"
}

is_going() {
  [ "$(systemctl is-system-running)" = stopping ]
}

# All hosts end when one does, so that all of them come to the same number. Also
# when one is told to stop: those whose machine stays wait for it to come back.
run_command() {
  local restart code=0
  export PATH="$ROOT/env/bin:$PATH"
  for ((restart = 0; restart <= MAX_RESTARTS; restart++)); do
    code=0
    say "start $((restart + 1)): ${COMMAND[*]}"
    env "${ENVIRONMENT[@]}" "${COMMAND[@]}" || code=$?
    if [ "$code" -eq 0 ] || is_going; then
      return "$code"
    fi
    say "the command ended with $code"
    keep_log
    sleep "$PAUSE_SECONDS"
  done
  return "$code"
}

# Nothing is written below a folder that is not mounted: it would be in the way.
keep_log() {
  if mountpoint --quiet "$FOLDER" && mkdir -p "$LOGS"; then
    cp "$ROOT/job.log" "$LOGS/worker-$(worker || hostname).log" || true
  fi
}

# The first host frees the chips of all, after the others had time to end.
let_go() {
  if [ "$RELEASE" != yes ] || [ "$(worker)" != 0 ]; then
    return 0
  fi
  sleep "$((4 * PAUSE_SECONDS))"
  persist gcloud compute tpus queued-resources delete "$NAME" \
    "--project=$PROJECT" "--zone=$ZONE" --force --quiet --async
}

main
