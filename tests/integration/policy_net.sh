#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Policies say what tasks may reach; what they did not reach why explains, and policy suggest adds.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

config=$HOME/.config/codexos/config.yaml
mkdir -p "${config%/*}"
repo
net_of() { codexos --json run --plan-only "$@" -- true 2>/dev/null | json '[.network, (.allow|join(","))]|join(" ")'; }

step 'rules of the file, and of options'
expect_eq "$(net_of)" 'none '
printf "allow: [a.example, '*.b.example:8443']\n" >"$config"
expect_eq "$(net_of)" 'by name a.example,*.b.example:8443'
expect_eq "$(net_of --allow c.example)" 'by name a.example,*.b.example:8443,c.example'
expect_eq "$(net_of --net none)" 'none '
expect_eq "$(CODEXOS_ALLOW=d.example,10.0.0.0/8:22 net_of)" 'by name a.example,*.b.example:8443,d.example,10.0.0.0/8:22'
expect_error 125 'd.example:x' env CODEXOS_ALLOW=d.example:x codexos run -- true

step 'a name that is not allowed is refused, told, explained'
expect_code 1 codexos run -- sh -c 'getent ahosts c.example; getent ahosts d.example; exit 1'
expect_has "$err" 'c.example was refused'
expect_has "$err" '--allow c.example'
expect_ok codexos why
expect_has "$out" 'dns: c.example was refused'
expect_has "$out" 'option  --allow c.example'
expect_has "$out" 'policy  allow: [c.example]'
expect_eq "$(codexos --json why | json '[.reasons[]|select(.what == "dns").target]|sort|unique|join(" ")')" 'c.example d.example'
expect_ok codexos run -- sh -c 'getent ahosts a.example >/dev/null; getent ahosts x.b.example >/dev/null'
expect_ok codexos run -- cat /run/codexos/policy.txt
expect_has "$out" 'network: by name: a.example, *.b.example:8443'

step 'the suggested policy has what was there and what was missing'
expect_code 1 codexos run -- sh -c 'getent ahosts c.example; exit 1'
codexos policy suggest >"$TMPDIR/p.yaml" 2>/dev/null
expect_eq "$(grep -c example "$TMPDIR/p.yaml")" 3
expect_ok codexos run --policy "$TMPDIR/p.yaml" -- getent ahosts c.example
expect_error 125 "--allow d.example: allow: d.example goes beyond what $TMPDIR/p.yaml allows" codexos run --policy "$TMPDIR/p.yaml" --allow d.example -- true

step 'an untrusted project reaches no more'
printf 'allow: [evil.example, a.example]\n' >.codexos.yaml
expect_eq "$(net_of)" 'by name a.example,*.b.example:8443'
rm "$config"
expect_eq "$(net_of)" 'none '
expect_ok codexos run -- true
expect_has "$err" 'net: allow, allow: evil.example, allow: a.example'
codexos trust >/dev/null
expect_eq "$(net_of)" 'by name evil.example,a.example'
printf 'ceiling: {allow: [a.example]}\n' >"$config"
expect_eq "$(net_of)" 'by name a.example'
rm .codexos.yaml

step "the host's network takes a policy"
expect_error 125 'no policy admits the network of the host' codexos run --net host -- true
printf 'ceiling: {net: host}\n' >"$config"
expect_ok codexos run --net host -- sh -c 'cat /proc/net/dev | wc -l'
expect_eq "$out" "$(wc -l </proc/net/dev)"
expect_eq "$(codexos --json inspect 2>/dev/null | json .network)" host
expect_ok codexos run -- sh -c 'cat /proc/net/dev | wc -l'
expect_eq "$out" 3
