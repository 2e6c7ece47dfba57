#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The hooks and workflows are well-formed, call nothing of ours that is not there, and every action they use has a
# version; every file has a licence; the list of what is linked names every library of the build.
# needs: python3 jq
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

cd "$ROOT"
/usr/bin/python3 -c 'import yaml' 2>/dev/null || skip 'needs python3-yaml'
step 'workflows and hooks'
/usr/bin/python3 - <<'P'
import glob, re, subprocess, sys, yaml

problems, verbs = [], set(re.search(r"case \"\$\{1:-\}\" in ([^)]*)\) verb", open("setup.sh").read()).group(1).split(" | "))
def check_call(where, text):
    for verb in re.findall(r"\./setup\.sh(?: +(\S+))?", text):
        if verb and not verb.startswith(("-", ">")) and verb not in verbs:
            problems.append(f"{where}: setup.sh has no verb {verb}")
    for name in re.findall(r"tests/run(?: --long)? (\S+)", text):
        if not glob.glob(f"tests/{name}*"):
            problems.append(f"{where}: there is no test {name}")

for file in glob.glob(".github/workflows/*.yml"):
    flow = yaml.safe_load(open(file))
    for key in ("name", "permissions", "jobs"):
        if key not in flow:
            problems.append(f"{file}: no {key}")
    for name, job in flow["jobs"].items():
        where = f"{file}, {name}"
        if "timeout-minutes" not in job or "runs-on" not in job:
            problems.append(f"{where}: no timeout-minutes or runs-on")
        for step in job["steps"]:
            if ("uses" in step) == ("run" in step):
                problems.append(f"{where}: a step either uses an action or runs something")
            if "uses" in step and not re.fullmatch(r"[\w./-]+@v?\d[\w.]*", step["uses"]):
                problems.append(f"{where}: {step['uses']} has no version")
            if "run" in step:
                check_call(where, step["run"])
                if subprocess.run(["bash", "-n", "-c", re.sub(r"\$\{\{.*?\}\}", "x", step["run"])]).returncode:
                    problems.append(f"{where}: {step['run']!r} is no shell")
hooks = yaml.safe_load(open(".pre-commit-config.yaml"))
for repo in hooks["repos"]:
    if repo["repo"] != "local" and "rev" not in repo:
        problems.append(f"{repo['repo']}: no rev")
    for hook in repo["hooks"]:
        check_call(f"hook {hook['id']}", hook.get("entry", ""))
sys.exit("\n".join(problems) or 0)
P

step 'what is linked'
./setup.sh sbom >"$TMPDIR/sbom"
expect_eq "$(jq -r '.bomFormat + " " + .specVersion + " " + .metadata.component.name' "$TMPDIR/sbom")" 'CycloneDX 1.5 codexos'
expect_eq "$(jq '[.components[]|select((.version|length)>0 and (.purl|startswith("pkg:deb/")))]|length' "$TMPDIR/sbom")" \
  "$(sed -n "/^readonly build_packages/,/^'/p" setup.sh | grep -c '|include/')"

step 'licences'
if command -v reuse >/dev/null; then reuse lint >"$TMPDIR/reuse" 2>&1 || { tail -n 20 "$TMPDIR/reuse"; fail 'reuse lint'; }; fi
