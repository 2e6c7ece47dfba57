# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A model that follows a script (integration/fixtures/model_server.py). To be sourced after lib.sh.

# model TURNS: starts a server that follows the turns; sets `model_port` and `requests`, its log, and has
# set_model(), which a test may make its own, put the port where its program looks for it.
# `model_tls`: a folder with a certificate: it speaks TLS then.
model_port='' requests='' model_tls=''
set_model() { :; }
model() {
  requests=$SCRATCH/requests.jsonl
  printf '%s\n' "$1" >"$SCRATCH/turns.json"
  rm -f "$SCRATCH/port"
  : >"$requests"
  python3 "$TESTS/integration/fixtures/model_server.py" "$SCRATCH/turns.json" --log "$requests" --port-file "$SCRATCH/port" ${model_tls:+--tls "$model_tls"} >"$SCRATCH/model.log" 2>&1 &
  started+=($!)
  wait_until 20 test -e "$SCRATCH/port"
  # shellcheck disable=SC2034  # the tests use it
  model_port=$(cat "$SCRATCH/port")
  set_model
}
