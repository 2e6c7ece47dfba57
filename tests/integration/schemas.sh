#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the API answers and what --json prints, of tasks of many kinds, is what schema/ says, judged by a validator of
# others (python3-jsonschema).
# timeout: 120
# shellcheck source=../lib.sh
. "${TESTS:-$(dirname "$0")/..}/lib.sh"
/usr/bin/python3 -W ignore -c 'import jsonschema, yaml' 2>/dev/null || skip 'needs python3-jsonschema and python3-yaml'

step 'tasks of many kinds'
repo
codexos run -q --name plain -- sh -c 'echo out; echo err >&2; echo new >new; echo more >>file.txt; mkdir d; ln -s new link'
expect_code 3 codexos run -q --name failed -- sh -c 'exit 3'
expect_code 127 codexos run -q --name missing -- no-such-program
expect_code 124 codexos run -q --name slow --timeout 200ms -- sleep 20
expect_ok codexos run -q --name shown --show /etc/hostname:/tmp/name --env A=b -- true
codexos run -d -q --name running -- sleep 60 >/dev/null
codexos run -d -q --name reaches --allow "example.com:443" -- sh -c 'getent hosts other.test; exit 0' >/dev/null 2>&1 || true
wait_until 10 state_is running running
codexos exec running -- true
codexos pause running >/dev/null && codexos resume running >/dev/null
codexos snapshot create plain --name one >/dev/null 2>&1 || true
printf 'version: 1\nallow: [example.com]\nshow: [/opt]\n' >.codexos.yaml
expect_ok codexos run -q --name policied -- true
expect_ok codexos apply plain
expect_ok codexos undo plain
codexos kill running >/dev/null
codexos wait reaches >/dev/null 2>&1 || true

step 'every GET of the API, and what --json prints'
cat >"$SCRATCH/check.py" <<'P'
import json, os, re, subprocess, sys, urllib.parse, yaml
from jsonschema import Draft202012Validator as Validator

root, socket = sys.argv[1], sys.argv[2]
api = yaml.safe_load(open(f"{root}/schema/openapi.yaml"))
problems, judged = [], {}

def expand(x):
    if isinstance(x, dict):
        if "$ref" in x:
            return expand(api["components"]["schemas"][x["$ref"].rsplit("/", 1)[1]])
        return {k: expand(v) for k, v in x.items()}
    return [expand(v) for v in x] if isinstance(x, list) else x

def judge(what, value, schema):
    Validator.check_schema(schema)
    judged[what] = judged.get(what, 0) + 1
    for e in Validator(schema).iter_errors(value):
        problems.append(f"{what}: {'/'.join(map(str, e.absolute_path))}: {e.message[:200]}")

def ask(path):
    done = subprocess.run(["curl", "-sS", "--max-time", "20", "--unix-socket", socket, "-w", "\n%{http_code} %{content_type}",
                           "http://codexos" + path], capture_output=True, text=True, check=True)
    body, _, last = done.stdout.rpartition("\n")
    code, _, media = last.partition(" ")
    return body, code, media.split(";")[0]

def command(*words):
    return subprocess.run(["codexos", "--json", *words], capture_output=True, text=True).stdout

tasks = [t["id"] for t in json.loads(ask("/v1/tasks?all=1")[0])["tasks"]]
for pattern, path_item in api["paths"].items():
    if "get" not in path_item:
        continue
    query = "?cwd=" + urllib.parse.quote(os.getcwd()) if any(p["name"] == "cwd" for p in path_item["get"].get("parameters", [])) else ""
    for task in tasks if "{id}" in pattern else [None]:
        body, code, media = ask(pattern.replace("{id}", str(task)) + query)
        declared = path_item["get"]["responses"].get(code, path_item["get"]["responses"]["default"])["content"]
        if media not in declared:
            problems.append(f"{pattern}: {code} as {media}, declared: {list(declared)}")
            continue
        schema = expand(declared[media]["schema"])
        if media == "application/x-ndjson":
            for line in filter(None, body.split("\n")):
                judge(pattern, json.loads(line), schema)
        elif media != "text/x-diff":
            judge(pattern, json.loads(body), schema)

# What a reader of YAML 1.1, as this one is, takes for something else.
def words(x, at=""):
    if isinstance(x, dict):
        problems.extend(f"{at}: {v!r} is no text" for v in x.get("enum", []) if not isinstance(v, str))
    for k, v in x.items() if isinstance(x, dict) else enumerate(x) if isinstance(x, list) else []:
        words(v, f"{at}/{k}")
words(api)

task_schema, event_schema = (json.load(open(f"{root}/schema/{n}.schema.json")) for n in ("task", "event"))
kinds = set()
for task in tasks:
    judge("inspect", json.loads(command("inspect", task)), task_schema)
    for line in filter(None, command("events", task).split("\n")):
        event = json.loads(line)
        kinds.add(event["type"])
        judge("events", event, event_schema)
for wrong in ({"type": "task.created", "nonsense": 1}, {"type": "no.such"}):
    if Validator(event_schema).is_valid(wrong):
        problems.append(f"the schema takes {wrong}")
for needed in ("task.created", "task.started", "task.ended"):
    if needed not in kinds:
        problems.append(f"no {needed} was seen")
print(f"{sum(judged.values())} answers of {len(judged)} kinds, events {' '.join(sorted(kinds))}")
sys.exit("\n".join(problems[:40]) or 0)
P
/usr/bin/python3 -W ignore "$SCRATCH/check.py" "$ROOT" "$(codexos --json daemon status | jq -r .socket)"
