#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# setup.sh: installs, shows a first task in under two seconds and fifteen lines, is done in ten seconds
# the second time, and uninstalls all of it after listing what would be lost.
# timeout: 300
# shellcheck source=tests/journey/home.sh
. "$(dirname "${BASH_SOURCE[0]}")/../home.sh"

home_canaries
home_gitconfig
export CODEXOS_BUILD=${CODEXOS_BIN%/bin}
[ -e "$CODEXOS_BUILD/build.ninja" ] || skip 'the programs were not built in a build folder'
prefix=$HOME/.local
find "$HOME/.local" -type f | sort >"$TMPDIR/before.txt"
setup() { "$ROOT/setup.sh" "$@" </dev/null; }

step 'install'
expect_ok setup --prefix "$prefix"
expect_file "$prefix/bin/codexos"
demo=$(printf '%s\n' "$out" | sed -n '/^A first task/,$p')
printf '%s\n' "$demo"
[ "$(printf '%s\n' "$demo" | wc -l)" -le 15 ] || fail 'the first task takes more than 15 lines'
took=$(printf '%s\n' "$demo" | sed -n 's/^Took \([0-9]*\) ms.*/\1/p')
[ "${took:-9999}" -lt 2000 ] || fail "the first task took ${took:-?} ms"
expect_match "$demo" 'No such file|not there' '~/.ssh is not there'
expect_match "$demo" 'unreachable' 'the connection'
expect_match "$demo" '--show' 'the option that would open it'
expect_has "$demo" '+buy champagne' 'the held-back change'
expect_has "$demo" 'still says: buy milk'
expect_match "$demo" 'after codexos apply: +buy champagne'
expect_match "$demo" 'after codexos undo: +buy milk'
expect_eq "$(daemon_pid)" '' 'a daemon that only the demo needed'

step 'a second time'
before=$(date +%s)
expect_ok setup --prefix "$prefix"
[ $(($(date +%s) - before)) -lt 10 ] || fail 'the second run took ten seconds or more'

step 'the installed programs work without the tree'
PATH=$prefix/bin:/usr/bin:/bin
mkdir -p ~/w && cd ~/w
expect_ok codexos run --name keep -- sh -c 'echo made >new.txt'
expect_ok codexos run -d --name runs -- sleep 200

step 'uninstall lists what would be lost, and removes everything'
expect_ok setup uninstall --prefix "$prefix"
expect_has "$out" keep
expect_has "$out" runs
expect_no_file "$CODEXOS_HOME"
find "$HOME/.local" -type f -o -type l | sort | diff "$TMPDIR/before.txt" - || fail 'something is left of the installation'
wait_until 10 no_processes_with 'sleep 200'
expect_ok setup uninstall --prefix "$prefix"
