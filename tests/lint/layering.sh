#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Who may include whom, and where each third-party header lives: the tables below against every #include.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

cd "$ROOT"
# folder (the longest that fits counts) | folders that it may include; itself always
readonly layers='
core/base|
core/json|core/base
core/http|core/base
core/os|core/base
core/wire|core/base core/json core/os core/http
core/policy|core/base core/json core/os core/wire
daemon/store|core
daemon/trust|core
daemon/sandbox|core
daemon/workspace|core daemon/trust
daemon/ssh|core daemon/trust
daemon/egress|core daemon/trust daemon/ssh
daemon/agents|core
daemon/gateway|core daemon/trust daemon/ssh daemon/egress
daemon/tasks|core daemon/store daemon/trust daemon/sandbox daemon/workspace daemon/ssh daemon/egress daemon/agents daemon/gateway
daemon/doctor|core daemon/sandbox
daemon/api|core daemon/store daemon/trust daemon/sandbox daemon/workspace daemon/ssh daemon/egress daemon/agents daemon/gateway daemon/tasks daemon/doctor
daemon/main.cc|core daemon/store daemon/trust daemon/sandbox daemon/workspace daemon/ssh daemon/egress daemon/agents daemon/gateway daemon/tasks daemon/doctor daemon/api
daemon/exec|core/base core/os
cli|core
tests/unit|core daemon cli
tests/security|core
tests/fuzz|core daemon
tests/bench|core daemon
'
# header (a prefix) | the one folder or file that may include it
readonly homes='
nlohmann/|core/json
boost/|core/http
sqlite3.h|daemon/store
seccomp.h|daemon/sandbox
git2|daemon/workspace
openssl/evp.h|daemon/trust
openssl/x509|daemon
openssl/pem.h|daemon/trust
openssl/pkcs12.h|daemon/trust
openssl/ec.h|daemon/trust
openssl/kdf.h|daemon/trust
openssl/rand.h|daemon/trust
openssl/crypto.h|daemon/trust
openssl/params.h|daemon/trust
openssl/core_names.h|daemon/trust
openssl/ssl.h|daemon/egress
openssl/err.h|daemon
zlib.h|daemon/workspace
idn2.h|core/policy
yaml-cpp/|core/policy
libnftnl/|daemon/sandbox
libmnl/|daemon/sandbox
ares.h|daemon/egress
curl/|daemon/gateway
zstd.h|daemon/gateway
arpa/nameser.h|daemon/egress
CLI/|cli/args.cc
doctest|tests/unit
'
# Programs and folders that stay free of fmt: they are linked into codexos-exec.
readonly without_fmt='core/base core/os daemon/exec'

grep -rnE '^#[[:space:]]*include' core daemon cli tests --include='*.h' --include='*.cc' |
  awk -F: -v layers="$layers" -v homes="$homes" -v without_fmt="$without_fmt" '
    function below(path, folder) { return path == folder || index(path, folder "/") == 1 }
    BEGIN {
      n = split(layers, row, "\n")
      for (i = 1; i <= n; i++) if (split(row[i], part, "|")) may[part[1]] = part[1] " " part[2]
      homes_n = split(homes, home_row, "\n")
      fmt_n = split(without_fmt, no_fmt, " ")
    }
    {
      file = $1
      match($0, /[<"][^>"]*[>"]/)
      own = substr($0, RSTART, 1) == "\""
      header = substr($0, RSTART + 1, RLENGTH - 2)
      where = file ":" $2 " includes " header ": "
      if (own) {
        best = ""
        for (folder in may) if (below(file, folder) && length(folder) > length(best)) best = folder
        if (best == "") { print where "this folder is in no row of the table"; next }
        if (header !~ /\//) header = best "/" header  # a neighbour
        k = split(may[best], allowed, " ")
        for (i = 1; i <= k; i++) if (below(header, allowed[i])) next
        print where best " may not"
        next
      }
      for (i = 1; i <= homes_n; i++)
        if (split(home_row[i], part, "|") && index(header, part[1]) == 1 && !below(file, part[2])) print where "its home is " part[2]
      if (header ~ /^fmt\//)
        for (i = 1; i <= fmt_n; i++) if (below(file, no_fmt[i])) print where no_fmt[i] " is linked into codexos-exec"
    }' >"$TMPDIR/problems"
[ ! -s "$TMPDIR/problems" ] || fail "$(cat "$TMPDIR/problems")"
