#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# setup.sh for an ordinary user where packages are missing and AppArmor restricts user namespaces, as on a
# fresh Ubuntu: what it asks, what it has done as root, what it says when it may not. sudo, apt-get and
# apparmor_parser are stand-ins, and the places outside of the home folder are moved below it.
# timeout: 300
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

export CODEXOS_BUILD=${CODEXOS_BIN%/bin}
[ -e "$CODEXOS_BUILD/build.ninja" ] || skip 'the programs were not built in a build folder'
# Every command of this machine but those that have stand-ins; root is told that it is not.
mkdir -p "$HOME/tools" "$HOME/fakes" "$HOME/root" "$HOME/prefix"
ln -s /usr/bin/* "$HOME/tools/"
rm -f "$HOME"/tools/{sudo,apt-get,apparmor_parser,install}
export CALLS=$HOME/calls FAKE_ROOT=$HOME/root
fake() { cat >"$HOME/fakes/$1" && chmod 755 "$HOME/fakes/$1"; }
fake id <<'EOF'
#!/bin/sh
[ "$*" = -u ] && echo 1234 || exec /usr/bin/id "$@"
EOF
fake sudo <<'EOF'
#!/bin/sh
echo "sudo $*" >>"$CALLS"
[ "$1" != -n ] || { [ "${SUDO_WANTS_PASSWORD:-0}" = 0 ] || { echo 'sudo: a password is required' >&2; exit 1; }; shift; }
exec "$@"
EOF
fake apt-get <<'EOF'
#!/bin/sh
echo "apt-get $*" >>"$CALLS"
case "$*" in *" $APT_LACKS"*) exit 100 ;; esac
EOF
fake apparmor_parser <<'EOF'
#!/bin/sh
echo "apparmor_parser $*" >>"$CALLS"
EOF
fake install <<'EOF'
#!/bin/sh
echo "install $*" >>"$CALLS"
[ "$1 $2 $3 $4 $5" = '-D -o root -g root' ] || exit 1
shift 5
exec /usr/bin/install -D "$@"
EOF
# A copy whose tables name packages that no machine has, and whose places are not the machine's.
tables() { # tables BUILD-ROW TEST-ROW WANTED-ROW
  sed -e "s#^readonly here\$#here=$ROOT; readonly here#" \
    -e "s#^readonly build_packages='#&\n$1#" -e "s#^readonly test_packages='#&\n$2#" -e "s#^readonly wanted_packages='#&\n$3#" \
    -e "s#/etc/apparmor.d/#$FAKE_ROOT/etc/#; s#=/usr/local/libexec/#=$FAKE_ROOT/libexec/#; s#=/proc/sys/kernel/apparmor_.*#=$HOME/switch#" \
    "$ROOT/setup.sh" >"$HOME/setup.sh"
  chmod 755 "$HOME/setup.sh"
}
on_terminal() { : >"$CALLS"; PATH="$HOME/fakes:$HOME/tools" "$HOME/setup.sh" --prefix "$HOME/prefix" --no-demo; }
setup() { on_terminal </dev/null; }
export -f on_terminal
export APT_LACKS=nothing
readonly missing='libfrob-dev|no-such-frob|7|a test of the table'
readonly line='apt-get install --no-install-recommends libfrob-dev'

step 'packages are missing, and there is no sudo: the line that root has to run'
tables "$missing" '' ''
mv "$HOME/fakes/sudo" "$HOME/sudo"
expect_code 2 setup
expect_has "$err" 'there is no sudo'
expect_has "$err" "as root: $line"
expect_match "$out" 'packages: libfrob-dev.*about 7 MiB' 'what will be installed is said first'
step 'no apt-get'
mv "$HOME/fakes/apt-get" "$HOME/apt-get"
expect_code 2 setup
expect_has "$err" 'there is no apt-get'
mv "$HOME/sudo" "$HOME/apt-get" "$HOME/fakes/"
step 'sudo wants a password, and there is no terminal: the line, and nothing is done'
SUDO_WANTS_PASSWORD=1 expect_code 2 setup
expect_has "$err" 'sudo wants a password'
expect_has "$err" "sudo $line"
expect_eq "$(cat "$CALLS")" 'sudo -n true'
step 'sudo without a password'
expect_ok setup
expect_match "$(cat "$CALLS")" 'apt-get .*update.*apt-get .*install --no-install-recommends -y libfrob-dev'
expect_hasnt "$(grep -v ' -n ' "$CALLS")" sudo 'sudo is never without -n off a terminal'
expect_file "$HOME/prefix/bin/codexos"
step 'apt-get fails'
APT_LACKS=libfrob-dev expect_code 1 setup
expect_has "$err" "try: $line"
step 'on a terminal it asks first'
expect_code 2 pty --expect 'install them with sudo? [Y/n]' --send 'n\n' -- bash -c on_terminal
expect_has "$out$err" 'you said no'
expect_eq "$(cat "$CALLS")" ''
expect_ok pty --expect 'install them with sudo? [Y/n]' --send '\n' -- bash -c on_terminal
expect_match "$(cat "$CALLS")" 'sudo env .*apt-get .*install'
expect_hasnt "$(cat "$CALLS")" 'sudo -n'

step 'AppArmor restricts user namespaces: the helper becomes root'\''s, with its profile'
tables '' '' ''
mkdir -p "$FAKE_ROOT/etc"
echo 1 >"$HOME/switch"
SUDO_WANTS_PASSWORD=1 expect_code 2 setup
expect_has "$err" "root's rights were refused"
expect_ok setup
expect_has "$out" 'AppArmor profile'
helper=$FAKE_ROOT/libexec/codexos/codexos-exec
cmp "$helper" "$CODEXOS_BIN/codexos-exec"
expect_eq "$(readlink "$HOME/prefix/libexec/codexos/codexos-exec")" "$helper"
expect_match "$(cat "$FAKE_ROOT/etc/codexos-exec")" "profile codexos-exec $helper flags=\\(unconfined\\) \\{.*userns,"
expect_has "$(cat "$CALLS")" "apparmor_parser -r $FAKE_ROOT/etc/codexos-exec"
if command -v apparmor_parser >/dev/null; then apparmor_parser -QK "$FAKE_ROOT/etc/codexos-exec"; fi
step 'a second time nothing is left to do as root'
expect_ok setup
expect_eq "$(cat "$CALLS")" ''
step 'tasks run by it'
work
PATH=$HOME/prefix/bin:$PATH expect_code 4 "$HOME/prefix/bin/codexos" run -- sh -c 'exit 4'
"$HOME/prefix/bin/codexos" daemon stop >/dev/null
step 'a switch that is off asks for nothing'
echo 0 >"$HOME/switch"
rm -r "${FAKE_ROOT:?}/etc"
expect_ok setup
expect_eq "$(cat "$CALLS")" ''
expect_no_file "$FAKE_ROOT/etc/codexos-exec"
[ ! -L "$HOME/prefix/libexec/codexos/codexos-exec" ] || fail 'the helper is still a link'

step 'uninstall takes the profile and root'\''s helper along'
echo 1 >"$HOME/switch"
mkdir -p "$FAKE_ROOT/etc"
expect_ok setup
: >"$CALLS"
PATH="$HOME/fakes:$HOME/tools" expect_ok "$HOME/setup.sh" uninstall --prefix "$HOME/prefix"
expect_no_file "$helper"
expect_no_file "$FAKE_ROOT/etc/codexos-exec"
expect_no_file "$HOME/prefix/bin/codexos"

step 'the tests'\'' packages: what cannot be had is left out with a word'
tables '' "$missing" 'frobtool|no-such-frobtool|9|one test'
sed -i 's|exec "$here/tests/run"|exec echo tests/run|; s|^  build$|  true|' "$HOME/setup.sh"
test_setup() { : >"$CALLS"; PATH="$HOME/fakes:$HOME/tools" "$HOME/setup.sh" test unit </dev/null; }
APT_LACKS=frobtool expect_ok test_setup
expect_has "$err" 'package frobtool cannot be had here'
expect_match "$(cat "$CALLS")" 'install --no-install-recommends -y libfrob-dev'
expect_has "$out" 'tests/run unit'
