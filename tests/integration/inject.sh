#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A task uses a secret that it does not have: curl, git, python, node, Go and Java verify the certificate that
# they are shown by the stores that they have anyway, and the server gets the value.
# needs: curl jq git
# timeout: 300
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=tests/secrets.bash
. "$TESTS/secrets.bash"
repo
tried=''
has() { command -v "$1" >/dev/null && tried+=" $1"; }
# try NAME -- COMMAND...: with the secret; the server must have got the value, the task not.
try() {
  local name=$1
  shift 2
  : >"$NET/asked.log"
  run_net "$name" --secret key -e U="$URL" -- "$@"
  [ "$code" = 0 ] || fail "$name: exit $code: $out $err $(told "$name") $(codexos events "$name")"
  expect_eq "$(header authorization)" "Bearer $SECRET" "$name"
  expect_has "$out" 'key is ********'
  case $out$err in *"$SECRET"*) fail "$name: the value came back: $out" ;; esac
  expect_has "$(told "$name")" 'secret.used used key in header authorization'
}

step 'what the task holds is a placeholder'
run_net held --secret key -- sh -c 'echo "$KEY"; cat /run/codexos/trust/ca.pem'
expect_eq "$code" 0 "$err"
[[ $out == cxsec_????????????????????????????????$'\n'-----BEGIN\ CERT* ]] || fail "it holds $out"

step curl
try curl -- sh -c 'curl -sS -H "Authorization: Bearer $KEY" $U/hello'
run_net codes --secret key -e U="$URL" -- sh -c 'curl -sS -o /dev/null -w "%{http_code} %{http_version}" --http2 -u "user:$KEY" $U/x'
expect_eq "$code $out" '0 200 1.1' "$err"
expect_eq "$(header authorization)" "Basic $(printf 'user:%s' "$SECRET" | base64 -w0)"

step 'several requests on one connection, and a big answer'
run_net many --secret key -e U="$URL" -- sh -c 'curl -sS -H "Authorization: Bearer $KEY" $U/1 $U/big $U/2 | wc -c; curl -sS -T /bin/ls -H "Authorization: Bearer $KEY" $U/up -o /dev/null'
expect_eq "$code" 0 "$err"
[ "$out" -gt 8388608 ] || fail "only $out bytes"
expect_eq "$(asked '.body | length')" "$(stat -c %s /bin/ls)"
expect_eq "$(codexos --json events many | jq -r 'select(.type == "secret.used") | .what' | sort | uniq -c | tr -s ' ')" ' 1 redacted
 1 used'

step 'git over https, by a header and by a password'
git clone -q --bare . "$NET/www/r.git" && git -C "$NET/www/r.git" update-server-info
set_secret git --host "good.test:$https,private" --env GIT_KEY
run_net git --secret git -- sh -c "git -c http.extraHeader=\"Authorization: Bearer \$GIT_KEY\" clone -q https://good.test:$https/r.git c && cat c/file.txt"
expect_eq "$code $out" '0 one' "$err $(told git)"
expect_has "$(told git)" 'secret.used used git in header authorization'

if has python3; then
  step python
  try python -- python3 -c "
import os, urllib.request
r = urllib.request.Request(os.environ['U'] + '/hello', headers={'Authorization': 'Bearer ' + os.environ['KEY']})
print(urllib.request.urlopen(r).read().decode(), end='')"
fi

if has node && node -e 'process.exit(typeof fetch == "function" ? 0 : 1)'; then
  step node
  try node -- node -e 'fetch(process.env.U + "/hello", {headers: {Authorization: "Bearer " + process.env.KEY}}).then(r => r.text()).then(t => process.stdout.write(t))'
fi

if has go; then
  step go
  mkdir -p g && cat >g/main.go <<'G'
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	q, _ := http.NewRequest("GET", os.Getenv("U")+"/hello", nil)
	q.Header.Set("Authorization", "Bearer "+os.Getenv("KEY"))
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		panic(err)
	}
	b, _ := io.ReadAll(r.Body)
	fmt.Print(string(b))
}
G
  (cd g && { [ -e go.mod ] || go mod init g >/dev/null 2>&1; } && GOFLAGS=-mod=mod go build -o prog .) || fail 'it does not build'
  try go -- ./g/prog
  run_net go-file --secret key -e U="$URL" -- env -u SSL_CERT_FILE ./g/prog
  expect_eq "$code" 0 "by the distribution's bundle: $err"
fi

if has javac; then
  step java
  cat >Get.java <<'J'
import java.net.URI;
import java.net.http.*;
public class Get {
  public static void main(String[] a) throws Exception {
    HttpRequest get = HttpRequest.newBuilder(URI.create(System.getenv("U") + "/hello"))
        .header("Authorization", "Bearer " + System.getenv("KEY")).build();
    System.out.print(HttpClient.newHttpClient().send(get, HttpResponse.BodyHandlers.ofString()).body());
  }
}
J
  javac Get.java || fail 'it does not compile'
  try java -- java Get
fi

step 'a rule that terminates: the name inside must be the name outside'
run_net front --allow "good.test:$echo_tls,private,terminate" -e U="$URL" -- sh -c '
  curl -sS $U/fine -o /dev/null -w "%{http_code} "; curl -sS -H "Host: evil.test" $U/x -o /dev/null -w "%{http_code}"'
expect_eq "$code $out" '0 200 403' "$err"
expect_has "$(net_events front denied .detail)" 'the request is for host evil.test'

step 'other tasks are as they were'
run_net plain --allow "good.test:$echo_tls,private" -e CA="$NET/ca.pem" --show "$NET/ca.pem" -- sh -c "
  test ! -e /run/codexos/trust && test -z \"\$SSL_CERT_FILE\" && curl -sS --cacert \$CA $URL/x"
expect_eq "$code" 0 "$err"

step 'a daemon that takes the task over has the same authority'
id=$(codexos run -d --secret key -e U="$URL" -- sh -c 'until [ -e go ]; do sleep 0.05; done; curl -sS -H "Authorization: Bearer $KEY" $U/again')
codexos daemon stop --keep-tasks >/dev/null 2>&1 || codexos daemon stop >/dev/null
SSL_CERT_FILE=$NET/ca.pem codexos daemon start >/dev/null
codexos exec "$id" -- touch go || true  # the task may end first
run_captured codexos wait "$id"
expect_eq "$code" 0 "$err $(codexos logs "$id")"
expect_eq "$(header authorization)" "Bearer $SECRET"
printf 'tried:%s\n' "$tried"
