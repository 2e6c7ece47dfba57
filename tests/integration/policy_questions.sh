#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# policy test asks a policy the questions that its file brings, or those of the command line.
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

mkdir -p ~/data/in ~/.ssh ~/.config/codexos && echo x >~/data/file && echo k >~/.ssh/id
repo
cat >ci.yaml <<'END'
show: [~/data]
hide: [sub, ~/data/in]
allow: [registry.npmjs.org, '*.example.org:8443']
env: ['AWS_*']
protect: [deploy.sh, '*.tf']
tests:
  - {reach: registry.npmjs.org, expect: 'yes'}
  - {reach: 'registry.npmjs.org:22', expect: 'no'}
  - {reach: 'a.example.org:8443', expect: 'yes'}
  - {reach: '*.org', expect: 'no'}
  - {read: ~/data/file, expect: 'yes'}
  - {read: ~/data/in, expect: 'no'}
  - {read: file.txt, expect: 'yes'}
  - {read: sub/deep.txt, expect: 'no'}
  - {read: ~/.ssh/id, expect: 'no'}
  - {read: /usr/bin/env, expect: 'yes'}
  - {read: /etc/shadow, expect: 'no'}
  - {read: /nowhere, expect: 'no'}
  - {write: file.txt, expect: 'yes'}
  - {write: ~/data/file, expect: 'no'}
  - {write: /usr/bin/env, expect: 'no'}
  - {env: AWS_REGION, expect: 'yes'}
  - {env: LANG, expect: 'yes'}
  - {env: GITHUB_TOKEN, expect: 'no'}
  - {apply: src/main.c, expect: 'yes'}
  - {apply: ops/deploy.sh, expect: 'no'}
  - {apply: net/Main.TF, expect: 'no'}
  - {apply: .git/hooks/pre-commit, expect: 'no'}
END
sed -i '/\*\.org/d' ci.yaml  # no rule at all
expect_ok codexos policy test ci.yaml
expect_eq "$(grep -c '^ok ' <<<"$out")" 21
expect_eq "$(codexos -q policy test ci.yaml)" ''

step 'an answer that is not the expected one'
printf "  - {read: ~/.ssh/id, expect: 'yes'}\n  - {env: LANG, expect: 'no'}\n" >>ci.yaml
expect_code 6 codexos policy test ci.yaml
expect_has "$out" 'FAIL read ~/.ssh/id: no (it is not shown)'
expect_has "$out" 'FAIL env LANG: yes (every task has it)'
expect_code 6 codexos --json policy test ci.yaml
expect_eq "$(json '[.failed, (.cases|length)]|join(" ")' <<<"$out")" '2 23'

step 'what holds in this folder, by options'
expect_code 6 codexos policy test --read ~/data/file
expect_has "$out" 'no (it is not shown)'
printf 'show: [~/data:rw]\n' >~/.config/codexos/config.yaml
expect_ok codexos policy test --read ~/data/file --write ~/data/file --write file.txt --env LANG --apply x
expect_code 6 codexos policy test --reach registry.npmjs.org
expect_has "$out" 'no (net: none)'
expect_code 6 codexos policy test --apply .github/workflows/x.yml
expect_ok codexos policy test
expect_has "$err" 'brings no questions'

step 'the answers are what tasks find'
while read -r answer path; do
  got=no
  codexos run -q -- cat "$path" >/dev/null 2>&1 && got=yes
  expect_eq "$got" "$answer" "$path"
done < <(codexos --json policy test --read ~/data/file --read file.txt --read ~/.ssh/id --read /etc/shadow --read /etc/passwd --read ~/.bashrc |
  json '.cases[]|"\(.answer) \(.about)"')

step 'wrong usage'
printf 'tests: [{expect: "yes"}]\n' >bad.yaml
expect_error 2 'a test asks one question' codexos policy test bad.yaml
expect_error 3 'there is no such file' codexos policy test nothing.yaml
expect_error 3 'there is no profile' codexos policy test --profile nothing
