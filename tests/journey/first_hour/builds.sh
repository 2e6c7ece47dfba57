#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compilers, test runners, sanitizers and debuggers work inside as they do outside.
# needs: cmake make g++ gdb python3
# timeout: 300
# shellcheck source=tests/journey/home.sh
. "$(dirname "${BASH_SOURCE[0]}")/../home.sh"

home_gitconfig
home_project
cat >CMakeLists.txt <<'EOF'
cmake_minimum_required(VERSION 3.18)
project(demo CXX)
add_executable(hello hello.cc greet.cc)
EOF
printf 'int greet();\nint main() { return greet(); }\n' >hello.cc
printf '#include <cstdio>\nint greet() { std::puts("hello from a build"); return 0; }\n' >greet.cc
cat >leak.cc <<'EOF'
#include <cstdlib>
int main() { volatile char* p = static_cast<char*>(std::malloc(77)); p[0] = 1; p = nullptr; return 0; }
EOF
cat >test_sum.py <<'EOF'
import unittest, multiprocessing, tempfile, threading
class T(unittest.TestCase):
    def test_sum(self): self.assertEqual(sum([1, 2]), 3)
    def test_processes(self):
        with multiprocessing.Pool(2) as p: self.assertEqual(p.map(abs, [-1, -2]), [1, 2])
    def test_temporary(self):
        with tempfile.NamedTemporaryFile() as f: f.write(b'x')
EOF

step 'cmake, make -j2, and the program'
expect_ok codexos run -- sh -c 'cmake -S . -B build -DCMAKE_BUILD_TYPE=Debug >/dev/null && make -C build -j2 && build/hello'
expect_has "$out" 'hello from a build'
expect_no_file build

step 'an incremental build starts from the held-back one'
expect_ok codexos run -c -- make -C build
expect_hasnt "$out" 'Building CXX'

step 'python3 -m unittest'
expect_ok codexos run -- python3 -m unittest
expect_has "$err" 'OK'

step 'AddressSanitizer with LeakSanitizer'
expect_code 23 codexos run -e ASAN_OPTIONS=detect_leaks=1:exitcode=23 -- sh -c 'g++ -g -fsanitize=address leak.cc -o /tmp/leak && /tmp/leak'
expect_has "$err" 'LeakSanitizer: detected memory leaks'
expect_has "$err" '77 byte'

step 'gdb on a child'
expect_ok codexos run -- sh -c 'g++ -g hello.cc greet.cc -o /tmp/hello && gdb -nx -batch -ex "break greet" -ex run -ex bt -ex continue /tmp/hello'
expect_has "$out" '#1'
expect_has "$out" 'in main'
expect_has "$out" 'hello from a build'

if command -v strace >/dev/null; then
  step 'strace on a child'
  expect_ok codexos run -- strace -f -e trace=execve /bin/true
  expect_has "$err" 'execve("/bin/true"'
fi
expect_eq "$(git status --porcelain | sort | xargs)" '?? CMakeLists.txt ?? greet.cc ?? hello.cc ?? leak.cc ?? test_sum.py' 'the real repository'
