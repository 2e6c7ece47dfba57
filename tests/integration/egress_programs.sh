#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Programs that know of no proxy go through: curl, git over https, pip, node's fetch, npm, Go, Java, a static
# C program; each against a server with a certificate of the tests' own CA.
# needs: curl jq git
# timeout: 300
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=tests/network.bash
. "$TESTS/network.bash"
repo
url=https://good.test:$https
cp "$NET/ca.pem" .
# try NAME -- COMMAND...: a task that may reach the HTTPS server, in this folder.
try() {
  local name=$1
  shift 2
  run_net "$name" --allow "good.test:$https,private" -e CA="$PWD/ca.pem" -e U="$url" -- "$@"
  [ "$code" = 0 ] || fail "$name: exit $code: $out $err $(denied "$name")"
  expect_eq "$(net_events "$name" net.connection .target | sort -u)" '"good.test"' "$name"
}
tried=''
has() { command -v "$1" >/dev/null && tried+=" $1"; }

step curl
try curl -- sh -c 'env | grep -qi _proxy && exit 3; curl -sS --cacert $CA $U/hello'
expect_eq "$out" "hello from good.test:$https"

step 'git over https: clone, then fetch'
git clone -q --bare . "$NET/www/r.git" && git -C "$NET/www/r.git" update-server-info
try git -- sh -c 'git -c http.sslCAInfo=$CA clone -q $U/r.git c && git -C c -c http.sslCAInfo=$CA fetch -q && cat c/file.txt'
expect_eq "$out" one

step 'python: ssl, and pip against an index'
try python -- python3 -c "
import os, ssl, urllib.request
c = ssl.create_default_context(cafile=os.environ['CA'])
print(urllib.request.urlopen(os.environ['U'] + '/hello', context=c).read().decode(), end='')"
expect_eq "$out" "hello from good.test:$https"
if python3 -m pip --version >/dev/null 2>&1; then
  mkdir -p "$NET/www/simple/tiny" "$SCRATCH/tiny"
  python3 - "$NET/www/simple/tiny" <<'P'
import sys, zipfile
d = sys.argv[1]
with zipfile.ZipFile(d + '/tiny-1.0-py3-none-any.whl', 'w') as z:
    z.writestr('tiny.py', 'print("tiny")\n')
    z.writestr('tiny-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n')
    z.writestr('tiny-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
    z.writestr('tiny-1.0.dist-info/RECORD', 'tiny.py,,\n')
open(d + '/index.html', 'w').write('<a href="tiny-1.0-py3-none-any.whl">tiny</a>')
P
  try pip -- sh -c 'python3 -m pip -q --disable-pip-version-check --cert $CA install --no-deps --target t -i $U/simple/ tiny && PYTHONPATH=t python3 -m tiny'
  expect_eq "$out" tiny
fi

if has node && node -e 'process.exit(typeof fetch == "function" ? 0 : 1)'; then
  step 'node: fetch'
  try node -- sh -c 'NODE_EXTRA_CA_CERTS=$CA node -e "fetch(process.env.U + \"/hello\").then(r => r.text()).then(t => process.stdout.write(t))"'
  expect_eq "$out" "hello from good.test:$https"
fi

if has npm; then
  step 'npm against a registry'
  mkdir -p "$NET/www/tiny/-" "$SCRATCH/package"
  printf '{"name":"tiny","version":"1.0.0","main":"i.js"}' >"$SCRATCH/package/package.json"
  printf 'console.log("tiny")\n' >"$SCRATCH/package/i.js"
  tar -C "$SCRATCH" -czf "$NET/www/tiny/-/tiny-1.0.0.tgz" package
  mkdir -p "$NET/www/reg"
  jq -n --arg u "$url/tiny/-/tiny-1.0.0.tgz" '{name:"tiny","dist-tags":{latest:"1.0.0"},versions:{"1.0.0":{name:"tiny",version:"1.0.0",main:"i.js",dist:{tarball:$u}}}}' \
    >"$NET/www/reg/tiny"
  try npm -- sh -c 'echo "{}" >package.json; npm --cafile $CA --registry $U/reg/ --no-audit --no-fund --loglevel error install tiny >&2 && node -e "require(\"tiny\")"'
  expect_eq "$out" tiny
fi

if has gcc; then
  step 'a static C program'
  cat >c.c <<'C'
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
int main(int n, char **v) {
  struct addrinfo h = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *a;
  if (n < 3 || getaddrinfo(v[1], v[2], &h, &a)) return 2;
  int s = socket(a->ai_family, a->ai_socktype, 0);
  if (connect(s, a->ai_addr, a->ai_addrlen)) return 3;
  dprintf(s, "GET /hello HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", v[1]);
  char b[4096];
  ssize_t k, all = 0;
  while ((k = read(s, b, sizeof b)) > 0) all += write(1, b, k);
  return all > 0 ? 0 : 4;
}
C
  # musl resolves by itself, glibc's static resolver may warn: either is fine.
  compiler=gcc
  if command -v musl-gcc >/dev/null; then compiler=musl-gcc; fi
  $compiler -static -o prog c.c 2>/dev/null || fail 'it does not compile'
  run_net static --allow "good.test:$http,private" -- ./prog good.test "$http"
  expect_eq "$code" 0 "$err"
  expect_has "$out" 'hello from good.test'
fi

if has go; then
  step 'a Go program, which resolves by itself'
  mkdir -p g && cat >g/main.go <<'G'
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	r, err := http.Get(os.Args[1])
	if err != nil {
		panic(err)
	}
	b, _ := io.ReadAll(r.Body)
	fmt.Print(string(b))
}
G
  (cd g && { [ -e go.mod ] || go mod init g >/dev/null 2>&1; } && GOFLAGS=-mod=mod go build -o prog .) || fail 'it does not build'
  run_net go --allow "good.test:$https,private" -e GODEBUG=netdns=go -e SSL_CERT_FILE="$PWD/ca.pem" -- ./g/prog "$url/hello"
  expect_eq "$code $out" "0 hello from good.test:$https" "$err"
fi

if has javac && has keytool; then
  step 'a Java program'
  cat >Get.java <<'J'
import java.net.URI;
import java.net.http.*;
public class Get {
  public static void main(String[] a) throws Exception {
    HttpRequest get = HttpRequest.newBuilder(URI.create(a[0])).build();
    System.out.print(HttpClient.newHttpClient().send(get, HttpResponse.BodyHandlers.ofString()).body());
  }
}
J
  { javac Get.java && keytool -importcert -noprompt -alias test -file ca.pem -keystore trust -storepass secret; } >"$SCRATCH/java.log" 2>&1 ||
    fail "it does not build: $(cat "$SCRATCH/java.log")"
  try java -- java -Djavax.net.ssl.trustStore=trust -Djavax.net.ssl.trustStorePassword=secret Get "$url/hello"
  expect_eq "$out" "hello from good.test:$https"
fi

if has ssh && has ssh-keygen && python3 -c 'import asyncssh' 2>/dev/null; then
  step 'git over ssh: clone, commit, push'
  ssh-keygen -q -t ed25519 -N '' -f key
  git clone -q --bare . "$NET/over-ssh.git"
  python3 "$TESTS/integration/fixtures/git_ssh.py" key.pub "$NET/ssh.port" 2>"$NET/ssh.log" &
  started+=($!)
  wait_until 20 test -e "$NET/ssh.port"
  ssh=$(cat "$NET/ssh.port")
  run_net git-ssh --allow "good.test:$ssh,private" -e GIT_SSH_COMMAND="ssh -i $PWD/key -o IdentitiesOnly=yes -o StrictHostKeyChecking=no" -- sh -c "
    git clone -q ssh://git@good.test:$ssh$NET/over-ssh.git s 2>&1 && cd s &&
    git commit -q --allow-empty -m 'from a task' && git push -q"
  expect_eq "$code" 0 "$out $err $(denied git-ssh) $(cat "$NET/ssh.log")"
  expect_eq "$(git -C "$NET/over-ssh.git" log -1 --format=%s)" 'from a task'
  expect_has "$(net_events git-ssh net.connection .target)" good.test
fi

if has ssh && command -v python3 >/dev/null; then
  step 'the greeting of ssh gets through on a port of its own'
  run_net ssh --allow "echo.test:$echo,private" -- timeout 10 ssh -o BatchMode=yes -o StrictHostKeyChecking=no -p "$echo" echo.test true
  expect_ne "$code" 0
  wait_until 5 grep -q 'echo b.SSH-2.0' "$NET/http.log"
fi
printf 'tried:%s\n' "$tried"
