// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/inside.h"

#include <doctest/doctest.h>

#include "tests/unit/daemon/sandbox/fake_host.h"

namespace codexos::daemon {
namespace {

Mount bind(const char* source, const char* target, bool read_only) {
  Mount m;
  m.source = source;
  m.target = target;
  m.read_only = read_only;
  return m;
}
Mount cover(MountKind kind, const char* target) {
  Mount m;
  m.kind = kind;
  m.role = MountRole::shown;
  m.target = target;
  return m;
}

TEST_CASE("what a task finds of the host follows from its mounts and from what is hidden") {
  FakeHost host;
  for (const char* path : {"/usr/bin/cc", "/w/a", "/w/.env", "/w/.env.x", "/w/keys/k", "/data/f",
                           "/data/never/x", "/data/sock", "/home/u/.ssh/id"})
    host.file(path);
  for (const char* path : {"/usr", "/usr/bin", "/w", "/w/keys", "/data", "/data/never", "/home",
                           "/home/u", "/home/u/.ssh"})
    host.dir(path);
  host.link("/w/link", "/w/keys/k");
  const InsideView inside(
      host,
      {bind("/usr", "/usr", true), bind("/data", "/mnt", true),
       cover(MountKind::tmpfs, "/mnt/never"), cover(MountKind::hide, "/mnt/sock"),
       cover(MountKind::file, "/etc/hosts"), bind("/w", "/w", false)},
      {"/w/.env*", "/w/keys", "/home/u/nothing"});
  struct Row {
    const char* path;
    Sight sight;
  };
  for (const Row& row :
       {Row{"/usr/bin/cc", Sight::read_only}, Row{"/w/a", Sight::writable},
        Row{"/w/.env", Sight::hidden}, Row{"/w/.env.x", Sight::hidden},
        Row{"/w/keys", Sight::hidden}, Row{"/w/keys/k", Sight::hidden},
        Row{"/w/link", Sight::hidden}, Row{"/data/f", Sight::read_only},
        Row{"/data/never/x", Sight::not_shown}, Row{"/data/sock", Sight::not_shown},
        Row{"/home/u/.ssh/id", Sight::not_shown}, Row{"/nowhere", Sight::absent}}) {
    CAPTURE(row.path);
    CHECK(inside.sight(row.path) == row.sight);
  }
  struct Found {
    const char* path;
    bool found;
  };
  for (const Found& f :
       {Found{"/mnt/f", true}, Found{"/data/f", false}, Found{"/w/a", true}, Found{"/w/.env", true},
        Found{"/usr", true}, Found{"/mnt/sock", false}, Found{"/mnt/never/x", false},
        Found{"/home/u/.ssh/id", false}, Found{"/nowhere", false}, Found{"/etc/hosts", true},
        Found{"/etc", true}}) {
    CAPTURE(f.path);
    CHECK(inside.finds(f.path) == f.found);
  }
}

}  // namespace
}  // namespace codexos::daemon
