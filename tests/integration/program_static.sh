#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Static and musl programs run inside.
# needs: musl-gcc busybox
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
printf '#include <stdio.h>\n#include <unistd.h>\n#include <pwd.h>\nint main(void) { struct passwd* p = getpwuid(getuid()); printf("hello from musl %%s\\n", p ? p->pw_dir : "nobody"); return 3; }\n' >m.c
expect_code 3 codexos run -- sh -c 'musl-gcc -static m.c -o m && ./m'
expect_eq "$out" "hello from musl $HOME"
expect_code 3 codexos run -- sh -c 'musl-gcc m.c -o m && ./m'
expect_ok codexos run -- busybox sh -c 'busybox echo static'
expect_eq "$out" static
