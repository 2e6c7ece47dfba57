#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Programs that bring their own user-namespace sandbox run with --seccomp nested, and only there; the record says so.
# needs: bwrap
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
unshare -Ur true 2>/dev/null || is_root || skip 'user namespaces are not allowed here'
expect_ok codexos run --name n --seccomp nested -- bwrap --unshare-all --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp sh -c 'echo inside; id -u'
expect_has "$out" inside
expect_eq "$(field n .seccomp)" nested
expect_ok codexos run --seccomp nested -- unshare -Ur id -u
expect_eq "$out" 0
expect_code 1 codexos run -- bwrap --unshare-all --ro-bind / / true
expect_ne "$(codexos run -- unshare -Ur id -u 2>/dev/null || true)" 0
