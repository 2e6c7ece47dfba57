#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sources are formatted as .clang-format says (by clang-format 14, whose output differs from later ones).
# needs: clang-format
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

case "$(clang-format --version)" in *' 14.'*) ;; *) skip "clang-format is not version 14" ;; esac
cd "$ROOT"
find core daemon cli tests \( -name '*.cc' -o -name '*.h' \) -print0 | xargs -0 clang-format --dry-run -Werror
