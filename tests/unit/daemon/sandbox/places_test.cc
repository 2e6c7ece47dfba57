// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "daemon/sandbox/sandbox.h"
#include "tests/unit/daemon/sandbox/fake_host.h"

namespace codexos::daemon {
namespace {

ViewRequest ann() {
  ViewRequest r;
  r.caller.uid = 1001;
  r.caller.gid = 1002;
  r.caller.user = "ann";
  r.caller.home = "/home/ann";
  r.caller.env = {{"PATH", "/usr/bin"}};
  return r;
}

FakeHost host() { return debian().dir("/srv/work/sub").file("/srv/notes").dir("/home/ann/work"); }

Mount shown(const std::string& source, const std::string& target) {
  Mount m;
  m.role = MountRole::shown;
  m.source = source;
  m.target = target;
  return m;
}
Overlay over(const std::string& path) {
  Overlay o;
  o.target = path;
  return o;
}

/// Places wanted, then whether the task shares nothing once the view has them.
struct Answer {
  std::vector<std::string> places;
  bool own = false;
};
Answer ask(const Job& job) {
  const FakeHost h = host();
  ViewRequest r = ann();
  const auto view = make_view(r, h);
  REQUIRE(view.ok());
  Answer a;
  a.places = r.places = places_in_root(*view, job, h);
  const auto with = make_view(r, h);
  REQUIRE(with.ok());
  CHECK((with->key == view->key) == a.places.empty());
  CHECK(places_in_root(*with, job, h).empty());
  a.own = needs_own_units(*with, job);
  return a;
}
using Paths = std::vector<std::string>;

TEST_CASE("what lies in the task's own folders, or is there on the host, needs no place") {
  Job job;
  job.overlays = {over("/home/ann/work"), over("/tmp/x"), over("/usr/share/doc")};
  job.mounts = {shown("/srv/notes", "/home/ann/notes"), shown("/srv/work", "/var/tmp/deep/er")};
  const Answer a = ask(job);
  CHECK(a.places.empty());
  CHECK_FALSE(a.own);
}

TEST_CASE("a folder on the root gets a place in the view, and all is shared") {
  Job job;
  job.overlays = {over("/srv/work")};
  job.mounts = {shown("/srv/work/sub", "/data/deep")};
  const Answer a = ask(job);
  CHECK(a.places == Paths{"/data/deep", "/srv/work"});
  CHECK_FALSE(a.own);
}

TEST_CASE("what goes into a mount of the task itself needs none") {
  Job job;
  job.mounts = {shown("/srv/work", "/data"), shown("/srv/notes", "/data/sub/notes")};
  job.overlays = {over("/srv/work"), over("/srv/work/sub")};
  CHECK(ask(job).places == Paths{"/data", "/srv/work"});
}

TEST_CASE("a file on the root, and anything in /etc or /dev, is for this task alone") {
  for (const char* target : {"/notes", "/etc/notes", "/dev/kvm"}) {
    CAPTURE(target);
    Job job;
    job.mounts = {shown("/srv/notes", target)};
    const Answer a = ask(job);
    CHECK(a.places.empty());
    CHECK(a.own);
  }
}

TEST_CASE("folders that the view has are no reason") {
  Job job;
  Mount caches = shown("/srv/work", "/var/cache/codexos");
  caches.role = MountRole::cache;
  job.mounts = {caches};
  const Answer a = ask(job);
  CHECK(a.places.empty());
  CHECK_FALSE(a.own);
}

}  // namespace
}  // namespace codexos::daemon
