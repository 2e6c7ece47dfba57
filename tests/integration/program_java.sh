#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A Java program is built and run inside; it finds its home, threads and a temporary folder.
# needs: javac java
# timeout: 240
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
cat >Hello.java <<'J'
import java.nio.file.*;
public class Hello {
  public static void main(String[] a) throws Exception {
    Thread t = new Thread(() -> System.out.println("thread"));
    t.start(); t.join();
    Path p = Files.createTempFile("x", "y");
    System.out.println("hello from java " + System.getProperty("user.home") + " " + Files.exists(p) + " " + java.net.InetAddress.getLocalHost().getHostName());
  }
}
J
expect_ok codexos run -- sh -c 'javac Hello.java && java Hello'
expect_has "$out" "hello from java $HOME true"
