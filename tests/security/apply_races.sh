#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Who exchanges folders and files for links, hard links and each other while changes are looked at or taken
# over gets nothing out of the workspace and nothing into what lies beside it: outside while apply and undo
# write, and a task while its own diff is read.
# timeout: 300
# needs: python3
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

beside=$HOME/beside
mkdir -p "$beside/deep"; printf 'TOPSECRET-41\n' >"$beside/secret"; for n in $(seq 12); do printf 'TOPSECRET-41 %s\n' "$n" >"$beside/f$n"; done
beside_is() { find "$beside" -printf '%P %y %m %s %T@\n' | sort; find "$beside" -type f -exec sha256sum {} + | sort; }
was=$(beside_is)
swap=$TESTS/security/probes/swap.py

step 'outside, while changes are applied and undone'
for kinds in folder-link folder-dots 'file-link file-hard' kinds away 'staging away' 'folder-link file-link file-hard kinds folder-dots'; do
  work "race-${kinds// /-}"; mkdir -p d/deep; for n in $(seq 12); do printf 'old %s\n' "$n" >d/f"$n"; done; printf 'x\n' >d/deep/x
  sleep 0.1
  name=r$RANDOM$RANDOM
  expect_ok codexos run --name "$name" -- sh -c 'for n in $(seq 12); do echo "task $n" >d/f$n; echo new >d/new$n; done; echo task >d/deep/x; rm d/f12; mkdir d/made; echo m >d/made/m'
  rm -f "$HOME/stop"
  # shellcheck disable=SC2086
  python3 "$swap" "$HOME/stop" "$beside" $kinds &
  started+=($!)
  applied=0
  for _ in $(seq 12); do
    run_captured codexos apply "$name" --on-conflict theirs
    case $code in 0 | 1 | 3 | 4 | 5) ;; *) fail "$kinds: exit $code: $err" ;; esac
    [ "$code" != 0 ] || applied=$((applied + 1))
    codexos undo "$name" --on-conflict theirs >/dev/null 2>&1 || true
  done
  touch "$HOME/stop"; wait "${started[-1]}" 2>/dev/null || true
  expect_eq "$(beside_is)" "$was" "what lies beside, after $kinds"
  step "$kinds: applied $applied times"
done

step 'from inside, while the diff is read: names of links, never what they lead to'
work inside; mkdir -p d/deep; for n in $(seq 12); do printf 'old %s\n' "$n" >d/f"$n"; done; printf 'x\n' >d/deep/x; mkdir sync
id=$(codexos run -d --write sync --show "$swap" -- sh -c "for n in \$(seq 12); do echo task >d/f\$n; done; : >sync/ready; exec python3 '$swap' sync/stop '$beside' folder-link file-link kinds folder-dots")
wait_until 10 test -e sync/ready
links=0
for n in $(seq 40); do
  run_captured codexos diff --all "$id"
  [ "$code" = 0 ] || fail "diff: exit $code: $err"
  expect_hasnt "$out" TOPSECRET-41 'the diff of a task that exchanges files for links'
  case $out in *"$beside"*) links=$((links + 1)) ;; esac
  run_captured codexos diff --stat "$id"
  expect_hasnt "$out$err" TOPSECRET-41
done
step "$links of $n diffs showed a link"
[ "$links" -gt 0 ] || fail 'no link was ever there: nothing was tried'
touch sync/stop; codexos wait "$id"
run_captured codexos apply "$id" --skip-protected
case $code in 0 | 5) ;; *) fail "apply: exit $code: $err" ;; esac
expect_hasnt "$(cat d/* 2>/dev/null || true)" TOPSECRET-41
expect_eq "$(beside_is)" "$was" 'what lies beside'
