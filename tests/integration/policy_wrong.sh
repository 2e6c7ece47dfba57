#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A policy file that is wrong in any way stops the start, and says file, line, field and what to do.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

config=$HOME/.config/codexos/config.yaml
mkdir -p "${config%/*}"
repo
wrong() { # wrong YAML MESSAGE [HINT]
  printf '%b' "$1" >"$config"
  expect_error 125 "$2" codexos run -- true
  [ -z "${3:-}" ] || expect_has "$err" "$3"
  expect_code 6 codexos policy check "$config"
  expect_has "$out" "$2"
}
wrong 'nett: none\n' "$config:1: unknown field \"nett\"" 'did you mean "net"?'
wrong 'limits:\n  timeout: 5 parsecs\n' "$config:2: limits.timeout: '5 parsecs' is not a time" 30m
wrong 'limits:\n  memory: 12\n' "$config:2: " quotes
wrong 'limits:\n  memory: 1k\n' "$config:2: limits.memory: '1k' is less than the least, 8MiB"
wrong 'limits:\n  max_tokens: 5\n' "$config:2: limits.max_tokens: a limit of tokens is not available in this version"
wrong 'secrets: [TOKEN]\n' 'secrets: not available in this version'
wrong 'net: &a none\nseccomp: *a\n' "$config:1: anchors and aliases are not allowed"
wrong 'net: none\nnet: host\n' "$config:2: "
wrong "show: $(printf '[%.0s' $(seq 3000))" "$config:1: "
wrong 'env: ["*"]\n' 'would pass on everything'
wrong '\xff\n' "$config"

step 'a fifo, a folder, a file that others can write'
rm "$config"; mkfifo "$config"
expect_error 125 'is no regular file' timeout 20 codexos run -- true
rm "$config"; mkdir "$config"
expect_error 125 'is no regular file' codexos run -- true
rmdir "$config"; printf 'net: none\n' >"$config"; chmod o+w "$config"
expect_error 125 'others can write to it' codexos run -- true
expect_has "$err" 'chmod'
chmod o-w "$config"
expect_ok codexos run -- true
head -c 70000 /dev/zero | tr '\0' '#' >"$config"
expect_error 125 "$config" codexos run -- true
rm "$config"

step "a project's file that is a link is not followed"
mkdir -p ~/.ssh && echo 'BEGIN PRIVATE' >~/.ssh/id_rsa && ln -s ~/.ssh/id_rsa .codexos.yaml
expect_error 125 'is a link' codexos run -- true
expect_hasnt "$err" PRIVATE
expect_code 6 codexos policy check
rm .codexos.yaml; printf 'ceiling: {net: none}\n' >.codexos.yaml
expect_error 125 'a project cannot set a ceiling' codexos run -- true
printf 'nett: none\n' >.codexos.yaml
expect_error 2 'unknown field' codexos policy show
expect_error 125 'unknown field' codexos run -- true
printf 'net: none\n' >~/p.yaml
expect_ok codexos run --policy ~/p.yaml -- true
expect_error 2 'unknown field' codexos trust

step 'wrong usage'
expect_error 125 '--policy is empty' codexos run --policy '' -- true
expect_error 2 '' codexos policy
expect_error 2 '' codexos policy shwo
expect_code 6 codexos policy check ~/nothing.yaml
expect_error 3 '' codexos policy show nothing
expect_error 2 '' codexos trust --list --revoke
for body in '{}' '{"cwd":"x"}' '{"cwd":"/","nothing":1}' '[]' ; do
  expect_code 0 curl -s -o /dev/null -w '%{http_code}' --unix-socket "$CODEXOS_HOME/codexosd.sock" -d "$body" http://x/v1/policy/show
  [ "$(uname -r | awk -F. '{ print $1 * 1000 + $2 }')" -lt 6011 ] || expect_eq "$out" 400 "$body"
done
expect_ok codexos health

step 'the schema takes what the loader takes'
if python3 -c 'import jsonschema, yaml' 2>/dev/null; then
  cat >good.yaml <<'END'
version: 1
show: [~/x]
hide: [.env]
net: none
limits: {timeout: 5m, idle_timeout: "0", memory: 1GiB, pids: 100, cpus: 1.5}
profiles: {ci: {seccomp: default}}
protect: ["*.tf"]
tests: [{env: X, expect: "no"}]
END
  expect_ok codexos policy check good.yaml
  cat >check.py <<'END'
import json, sys, yaml, jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
v = jsonschema.Draft202012Validator(schema)
assert v.is_valid(yaml.safe_load(open("good.yaml"))), list(v.iter_errors(yaml.safe_load(open("good.yaml"))))
for bad in ["nett: none", "net: all", "limits: {timeot: 5m}", "show: /x", "limits: {max_cost: 1}", "limits: {memory: 1000000000}", "profiles: {a: {b: 1}}", "limits: {timeout: 5}"]:
    assert not v.is_valid(yaml.safe_load(bad)), bad
END
  expect_ok python3 check.py "$ROOT/schema/policy.schema.json"
fi
