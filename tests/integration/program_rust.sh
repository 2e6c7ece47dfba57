#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A Rust program is built and run inside.
# needs: rustc
# timeout: 240
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
printf 'use std::thread;\nfn main() { let t = thread::spawn(|| 41); println!("hello from rust {}", t.join().unwrap() + 1); }\n' >main.rs
expect_ok codexos run -- sh -c 'rustc main.rs && ./main'
expect_has "$out" 'hello from rust 42'
