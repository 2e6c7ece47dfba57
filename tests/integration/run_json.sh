#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run --json prints one event a line, output as lines of type output, and exits with the code.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
expect_code 5 codexos --json run -- sh -c 'echo text; printf "\377\376" >&2; exit 5'
expect_eq "$(jq -s -r 'map(select(.type!="output").type)|join(" ")' <<<"$out")" 'task.created task.started task.ended'
expect_eq "$(jq -s -r 'map(select(.type=="output" and .stream=="stdout").text)|join("")' <<<"$out")" text
expect_eq "$(jq -s -r 'map(select(.type=="output" and .stream=="stderr").base64)|join("")' <<<"$out")" '//4='
expect_eq "$(jq -s -r '.[-1].type' <<<"$out")" task.ended
expect_eq "$(jq -s -r 'map(select(.type!="output").seq)' -c <<<"$out")" '[1,2,3]'
step 'a failed start has its task.ended too, and the problem on stderr'
expect_code 127 codexos --json run -- no-such-program
expect_eq "$(jq -s -r '.[-1]|.type+" "+.cause' <<<"$out")" 'task.ended not_found'
step 'a refused one has the problem document'
expect_code 125 codexos --json run -w / -- true
expect_match "$(sed -n '/^{/p' <<<"$err" | json .code)" 'invalid|denied'
