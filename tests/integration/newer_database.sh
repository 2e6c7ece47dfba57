#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A database from a newer version, or one that is none, is refused with a sentence; nothing in it changes.
# needs: python3
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
expect_ok codexos run --name before -- true
codexos daemon stop >/dev/null
db=$CODEXOS_HOME/tenants/default/tenant.db
expect_file "$db"
cp "$db" good
python3 -c 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute("pragma user_version = 9999"); c.commit()' "$db"
expect_error 125 '' codexos run -- true
expect_match "$err" 'newer'
expect_error 7 '' codexos ps
expect_eq "$(python3 -c 'import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute("pragma user_version").fetchone()[0])' "$db")" 9999
step 'no database at all'
rm -f "$db-wal" "$db-shm"; head -c 8192 /dev/urandom >"$db"
cp "$db" junk
expect_error 125 '' codexos run -- true
cmp "$db" junk || fail 'the file was changed'
step 'the old one again'
rm -f "$db-wal" "$db-shm"; cp good "$db"
expect_ok codexos inspect before
