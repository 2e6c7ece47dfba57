#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# git over https signs in with a secret that the task does not have: clone, fetch, commit and push without a word of
# configuration, at the hosts that the secret is bound to and at no other.
# needs: git jq
# timeout: 300
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=tests/secrets.bash
. "$TESTS/secrets.bash"
[ -x "$(git --exec-path)/git-http-backend" ] || skip 'needs git http-backend'
repo
mkdir -p "$NET/git/one"
for name in r one/r; do
  git clone -q --bare . "$NET/git/$name.git"
  git -C "$NET/git/$name.git" config http.receivepack true
done
python3 "$TESTS/integration/fixtures/git_https.py" "$NET" "$SECRET" >"$NET/git.err" 2>&1 &
started+=($!)
wait_until 60 test -e "$NET/git.port"
port=$(cat "$NET/git.port")
set_secret git --host "good.test:$port,private" --env GIT_KEY
# logins [HOST]: who asked the server since the last call, each once; "-" is nobody.
logins() {
  awk -v host="${1:-good.test}" '$1 == host { print $5 == "" ? "-" : $5 }' "$NET/git.log" | LC_ALL=C sort -u | xargs
  : >"$NET/git.log"
}
# run_git NAME SCRIPT OPTION...: a task with the secret, which must succeed.
run_git() {
  local name=$1 script=$2
  shift 2
  run_net "$name" --secret git -e U="https://good.test:$port" "$@" -- sh -ec "$script"
  [ "$code" = 0 ] || fail "$name: exit $code: $out $err $(told "$name") $(cat "$NET/git.err")"
  case $out$err in *"$SECRET"*) fail "$name: the value came back: $out $err" ;; esac
}

step 'clone, commit, push, fetch'
run_git plain '
  git clone -q $U/r.git c && cd c && cat file.txt
  git commit -q --allow-empty -m "from a task" && git push -q && git fetch -q && git ls-remote -q origin main'
expect_has "$out" one
expect_eq "$(git -C "$NET/git/r.git" log -1 --format='%s by %an')" 'from a task by Ada Tester'
expect_eq "$(logins)" "- x-access-token:$SECRET"
expect_has "$(told plain)" 'secret.used used git in header authorization'

step 'a push that does not fit into one buffer'
run_git big 'git clone -q $U/r.git c && cd c && head -c 3000000 /dev/urandom >big && git add big && git commit -q -m big && git push -q'
expect_eq "$(git -C "$NET/git/r.git" cat-file -s main:big)" 3000000

step 'what the task holds is the placeholder, and nothing of it is in the repository'
run_git held 'git clone -q $U/r.git c; cat ~/.config/git/config c/.git/config; git config --global user.name; env'
expect_has "$out" "[credential \"https://good.test:$port\"]"
expect_match "$out" 'echo password=cxsec_[0-9a-f]{32};'
expect_has "$out" 'Ada Tester'
expect_eq "$(grep -c cxsec_ <<<"$out")" 2 'the file and the variable'

step 'a name in the URL stays'
: >"$NET/git.log"
run_git named 'git ls-remote -q https://ada@good.test:'"$port"'/r.git main'
expect_eq "$(logins)" "- ada: ada:$SECRET"  # git asks by the name alone first

step 'without the variable, and with a repository that has helpers of its own'
run_git helpers 'git clone -q $U/r.git c && cd c && git config credential.helper "!echo password=wrong; echo username=wrong; :" &&
  unset GIT_KEY && git fetch -q && git ls-remote -q origin main'
expect_eq "$(logins)" "- x-access-token:$SECRET"

step 'a further program of the task'
id=$(codexos run -d --secret git -- sh -c 'until [ -e go ]; do sleep 0.05; done')
expect_ok codexos exec "$id" -- git ls-remote -q "https://good.test:$port/r.git" main
expect_has "$out" refs/heads/main
codexos exec "$id" -- touch go || true  # the task may end first
expect_ok codexos wait "$id"

step 'another host gets nothing, and is not asked for'
: >"$NET/git.log"
run_net other --secret git --allow "good.test:$port,private" --allow "other.test:$port,private,terminate" -- \
  sh -c "git ls-remote -q https://other.test:$port/r.git </dev/null"
expect_ne "$code" 0
expect_has "$err" 'could not read Username'
expect_eq "$(logins other.test)" -

step 'a task without the secret is as it was'
run_net without --allow "good.test:$port,private,terminate" -- sh -c "test ! -e ~/.config/git && git ls-remote -q https://good.test:$port/r.git </dev/null"
expect_ne "$code" 0
expect_has "$err" 'could not read Username'
expect_eq "$(logins)" -

step 'a path, and a longer one with another secret'
printf 'no-such-password' | codexos secret set all --host "good.test:$port,private" >/dev/null
set_secret some --host "good.test:$port,private" --path /one
run_net paths --secret all --secret some -- sh -c "git ls-remote -q https://good.test:$port/one/r.git main && ! git ls-remote -q https://good.test:$port/r.git"
expect_eq "$code" 0 "$out $err"
expect_has "$out" refs/heads/main
expect_eq "$(logins)" "- x-access-token:no-such-password x-access-token:$SECRET"

step 'names below a host'
set_secret below --host "*.deep.test:$port,private"
run_net below --secret below -- sh -c "git ls-remote -q https://a.deep.test:$port/r.git main && git ls-remote -q https://a.b.deep.test:$port/r.git main"
expect_eq "$code" 0 "$out $err"
expect_eq "$(logins a.b.deep.test)" "- x-access-token:$SECRET"

step 'what git does not send: nothing is put there'
set_secret header --host "good.test:$port,private" --header x-key
set_secret get --host "good.test:$port,private" --method GET
run_net header --secret header --secret get -- sh -c 'test ! -e ~/.config/git'
expect_eq "$code" 0 "$err"

step 'nothing is written to a folder of the host'
mkdir -p "$HOME/.config/git"
run_git shown 'test ! -e ~/.config/git/config' --show "$HOME/.config:rw"
expect_has "$(field shown '.notes | join(" ")')" 'git does not sign in by itself'
expect_no_file "$HOME/.config/git/config"
