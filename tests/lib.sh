# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What black-box tests share. A test is a sentence about behaviour: it sources this file, acts through
# the real programs, and ends by falling off its end. tests/run gives each test HOME, TMPDIR, SCRATCH
# and CODEXOS_HOME of its own; run by hand, a test makes them here.
set -euo pipefail

if [ -z "${SCRATCH:-}" ]; then
  TESTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
  ROOT=$(dirname "$TESTS")
  CODEXOS_BIN=${CODEXOS_BIN:-$ROOT/build/release/bin}
  SCRATCH=$(mktemp -d "${TMPDIR:-/var/tmp}/cx.XXXXXX")
  HOME=$SCRATCH/home TMPDIR=$SCRATCH/tmp CODEXOS_HOME=$SCRATCH/state
  PATH=$CODEXOS_BIN:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  mkdir -p "$HOME" "$TMPDIR"
  cd "$TMPDIR"
  export TESTS ROOT CODEXOS_BIN SCRATCH HOME TMPDIR CODEXOS_HOME PATH
  printf 'scratch folder: %s\n' "$SCRATCH" >&2
fi
export GIT_CONFIG_NOSYSTEM=1

# --- verdicts -----------------------------------------------------------------------------------

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  local i
  for ((i = 1; i < ${#BASH_LINENO[@]}; i++)); do
    [ "${FUNCNAME[i]}" = main ] || printf '  at %s:%s in %s\n' "${BASH_SOURCE[i]##*/}" "${BASH_LINENO[i - 1]}" "${FUNCNAME[i]}" >&2
  done
  printf '  at %s:%s\n' "${BASH_SOURCE[-1]##*/}" "${BASH_LINENO[-2]}" >&2
  exit 1
}
skip() { printf '%s\n' "$*"; exit 77; }
# A sub-test's name, so that the log tells where a failure stands.
step() { printf -- '- %s\n' "$*" >&2; }
trap 'printf "FAILED: exit %s at %s:%s: %s\n" $? "${BASH_SOURCE[0]##*/}" "$LINENO" "$BASH_COMMAND" >&2' ERR
set -E

# --- running and comparing ----------------------------------------------------------------------

# expect_code N COMMAND...: runs it; `out` and `err` then hold what it printed.
out='' err='' code=0
run_captured() {
  code=0
  "$@" >"$TMPDIR/.out" 2>"$TMPDIR/.err" || code=$?
  out=$(tr -d '\0' <"$TMPDIR/.out")
  err=$(tr -d '\0' <"$TMPDIR/.err")
}
expect_code() {
  local wanted=$1
  shift
  run_captured "$@"
  [ "$code" = "$wanted" ] || fail "exit $code instead of $wanted: $*"$'\n'"stdout: ${out:0:1500}"$'\n'"stderr: ${err:0:1500}"
}
expect_ok() { expect_code 0 "$@"; }
expect_eq() { [ "$1" = "$2" ] || fail "${3:-values differ}: wanted '$2', got '$1'"; }
expect_ne() { [ "$1" != "$2" ] || fail "${3:-values are equal}: '$1'"; }
expect_has() { case "$1" in *"$2"*) ;; *) fail "${3:-text}: '$2' is not in: ${1:0:2000}" ;; esac; }
expect_hasnt() { case "$1" in *"$2"*) fail "${3:-text}: '$2' is in: ${1:0:2000}" ;; esac; }
expect_match() { [[ $1 =~ $2 ]] || fail "${3:-text}: does not match /$2/: ${1:0:2000}"; }
expect_file() { [ -e "$1" ] || fail "there is no file $1"; }
expect_no_file() { if [ -e "$1" ] || [ -L "$1" ]; then fail "there is a file $1"; fi; }
# An error as the contract wants it: "error: ..." on stderr, nothing on stdout.
expect_error() {
  local wanted=$1 text=$2
  shift 2
  expect_code "$wanted" "$@"
  expect_eq "$out" '' "stdout of a failed command ($*)"
  expect_match "$err" '(^|'$'\n'')error: ' "message of a failed command ($*)"
  expect_has "$err" "$text" "message of a failed command ($*)"
}

# wait_until SECONDS COMMAND...: until it succeeds; the only place where tests wait for time to pass.
wait_until() {
  local seconds=$1 deadline
  shift
  deadline=$((${EPOCHREALTIME/[.,]/} + seconds * 1000000))
  until "$@" >/dev/null 2>&1; do
    [ "${EPOCHREALTIME/[.,]/}" -lt "$deadline" ] || fail "after $seconds s still not: $*"
    sleep 0.05
  done
}

# json FILTER: jq on stdin, raw.
json() { jq -r "$1"; }
# field TASK FILTER: from inspect.
field() { codexos --json inspect "$1" | jq -r "$2"; }
is_root() { [ "$(id -u)" = 0 ]; }

# --- processes ----------------------------------------------------------------------------------

# alive PID: it runs. A zombie does not, and kill -0 would succeed on one; but while other threads of it are still there
# its sockets are open.
alive() {
  local state threads
  { read -r state <"/proc/$1/stat"; } 2>/dev/null || return 1
  state=${state##*) }
  case ${state%% *} in
    Z)
      threads=("/proc/$1/task"/*)
      [ "${#threads[@]}" -gt 1 ]
      ;;
    '' | X) return 1 ;;
  esac
}
dead() { ! alive "$1"; }
# The zygotes and helpers of the daemon $1, and what its zygotes have parked: children and their children.
made_by() {
  local child children
  children=$(ps -o pid= --ppid "$1" | xargs || true)
  for child in $children; do printf '%s ' "$child"; ps -o pid= --ppid "$child" | xargs || true; done | xargs
}
# These are asked again and again, and jq takes ten times as long as codexos: the text is looked at as it is printed.
daemon_pid() {
  ! [[ $(CODEXOS_NO_AUTOSTART=1 codexos --json daemon status 2>/dev/null) =~ \"running\":true,\"pid\":([0-9]+) ]] || printf '%s\n' "${BASH_REMATCH[1]}"
}
state_is() { [[ $(codexos --json inspect "$1" 2>/dev/null) =~ ,\"state\":\"($2)\", ]]; }
ended() { state_is "$1" 'succeeded|failed|killed|timed_out|denied|lost'; }
# How often the marker $1 stands in the command line of a process on this machine. Tests ask again and again: it
# starts no program.
processes_with() {
  local n=0 dir argv IFS=' '
  for dir in /proc/[0-9]*; do
    case ${dir#/proc/} in "$$" | "$BASHPID") continue ;; esac
    mapfile -d '' -t argv <"$dir/cmdline" || continue
    [[ "${argv[*]} " != *"$1"* ]] || n=$((n + 1))
  done 2>/dev/null
  printf '%s' "$n"
}
no_processes_with() { [ "$(processes_with "$1")" = 0 ]; }

# Ends what the test started: tasks, then the daemon. Nothing is ended by name.
clean_up() {
  local pid task
  trap - ERR
  set +e
  pid=$(daemon_pid)
  if [ -n "$pid" ]; then
    for task in $(CODEXOS_NO_AUTOSTART=1 timeout 10 codexos -q ps 2>/dev/null); do
      CODEXOS_NO_AUTOSTART=1 timeout 10 codexos rm -f "$task" >/dev/null 2>&1
    done
    CODEXOS_NO_AUTOSTART=1 timeout 10 codexos daemon stop >/dev/null 2>&1
    for _ in $(seq 100); do alive "$pid" || break; sleep 0.05; done
    alive "$pid" && kill -KILL "$pid" 2>/dev/null
  fi
  for pid in "${started[@]}"; do kill -KILL "$pid" 2>/dev/null; done
  wait 2>/dev/null
}
# Further processes of the test that clean_up ends: started+=($!)
started=()
trap clean_up EXIT

# --- parts of a test, side by side ---------------------------------------------------------------

# beside NAME COMMAND...: runs it meanwhile, with a home, a state folder and a scratch folder of its own, in a
# work folder there; what it started is ended when it ends. all_parts waits for all of them, shows what each
# said, and fails when one did.
parts=()
in_room() {
  export HOME=$SCRATCH/parts/$1/home TMPDIR=$SCRATCH/parts/$1/tmp CODEXOS_HOME=$SCRATCH/state.$1
  mkdir -p "$HOME" "$TMPDIR"
  started=() parts=()
  trap clean_up EXIT
  shift
  work
  "$@"
}
beside() {
  mkdir -p "$SCRATCH/parts/$1"
  in_room "$@" >"$SCRATCH/parts/$1/log" 2>&1 &
  parts+=("$1 $!")
}
all_parts() {
  local name pid failed=()
  for name in "${parts[@]}"; do
    pid=${name#* } name=${name% *}
    if wait "$pid"; then sed "s/^/$name: /" "$SCRATCH/parts/$name/log" >&2; else failed+=("$name"); fi
  done
  for name in "${failed[@]}"; do sed "s/^/$name: /" "$SCRATCH/parts/$name/log" >&2; done
  [ ${#failed[@]} = 0 ] || fail "not well: ${failed[*]}"
}

# --- folders ------------------------------------------------------------------------------------

# work DIR...: makes a plain folder below the home and goes there.
work() { mkdir -p "$HOME/${1:-work}" && cd "$HOME/${1:-work}"; }
git_identity() { git config --global user.name 'Ada Tester' && git config --global user.email ada@example.org && git config --global init.defaultBranch main; }
# repo DIR: a git repository with one commit, below the home; goes there.
repo() {
  [ -e "$HOME/.gitconfig" ] || git_identity
  work "${1:-repo}"
  git init -q . && printf 'one\n' >file.txt && mkdir -p sub && printf 'two\n' >sub/deep.txt
  git add -A && git commit -q -m 'first commit'
}
api() { curl -sS --max-time 20 --unix-socket "$CODEXOS_HOME/codexosd.sock" "$@"; }
# The state folder's socket is usable by plain curl only where the kernel names the sender of each message.
needs_curl() { [ "$(uname -r | awk -F. '{ print $1 * 1000 + $2 }')" -ge 6011 ] || skip "plain curl works from kernel 6.11 on"; }
# pty [STEP...] -- COMMAND...: runs it on a terminal of its own, see fixtures/pty.py.
pty() { python3 "$TESTS/integration/fixtures/pty.py" "$@"; }
