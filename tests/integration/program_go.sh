#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A Go program is built and run inside.
# needs: go
# timeout: 240
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
printf 'module hello\n' >go.mod
printf 'package main\nimport ("fmt"; "os"; "runtime"; "net"; "time")\nfunc main() {\n\tl, err := net.Listen("tcp", "127.0.0.1:0"); if err != nil { panic(err) }\n\tgo func() { c, _ := l.Accept(); c.Write([]byte("x")) }()\n\tc, err := net.Dial("tcp", l.Addr().String()); if err != nil { panic(err) }\n\tb := make([]byte, 1); c.Read(b)\n\ttime.Sleep(time.Millisecond)\n\th, _ := os.UserHomeDir()\n\tfmt.Println("hello from go", runtime.NumCPU() > 0, string(b), h)\n}\n' >main.go
expect_ok codexos run -e GOFLAGS=-mod=mod -e GOTOOLCHAIN=local -- sh -c 'go build -o hello . && ./hello'
expect_has "$out" "hello from go true x $HOME"
