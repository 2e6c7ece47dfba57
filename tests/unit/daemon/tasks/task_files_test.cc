// SPDX-License-Identifier: Apache-2.0
// A task's folder: made once, its record believed only when it is whole, its lock the shim's.
#include "daemon/tasks/task_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "core/os/spawn.h"
#include "tests/unit/temp_dir.h"

namespace codexos::daemon {
namespace {

struct Folder {
  Folder() { REQUIRE(make_dirs(home.path + "/tenants/default/tasks", 0700).ok()); }
  TempDir home;
  TaskPaths paths{home.path, "default", "abcdefghijkl"};
};

Record ended_record(const std::string& boot) {
  Record r{};
  r.magic = kRecordMagic;
  r.length = sizeof(Record);
  std::memcpy(r.boot_id, boot.data(), boot.size());
  r.cause = static_cast<int>(Cause::exited);
  r.code = 7;
  std::memcpy(r.detail, "why", 3);
  r.detail_length = 3;
  r.ended_at_us = 42;
  r.stream_bytes[0] = 9;
  r.checksum = record_checksum(r);
  return r;
}

TEST_CASE("a task's folder is the daemon's alone, with everything a shim needs") {
  Folder f;
  auto fds = create_task_files(f.paths, "boot", {});
  REQUIRE(fds.ok());
  struct stat st {};
  REQUIRE(stat(f.paths.dir.c_str(), &st) == 0);
  CHECK((st.st_mode & 07777) == 0700);
  for (const auto& path : {f.paths.record(), f.paths.log(0), f.paths.log(1), f.paths.alive()}) {
    REQUIRE(stat(path.c_str(), &st) == 0);
    CHECK((st.st_mode & 07777) == 0600);
  }
  CHECK(fds->listener);
  CHECK_FALSE(create_task_files(f.paths, "boot", {}).ok());  // an id is used once
}

TEST_CASE("a layer's upper folder has the mode of the folder that it stands for") {
  Folder f;
  Root root;
  root.path = f.home.path + "/work";
  REQUIRE(make_dir(root.path, 0750).ok());
  REQUIRE(chmod(root.path.c_str(), 0750) == 0);
  root.owner_uid = geteuid();
  root.owner_gid = getegid();
  root.layer = f.paths.layer(0);
  REQUIRE(create_task_files(f.paths, "boot", {root}).ok());
  struct stat st {};
  REQUIRE(stat((root.layer + "/upper").c_str(), &st) == 0);
  CHECK((st.st_mode & 07777) == 0750);
  CHECK(stat((root.layer + "/work").c_str(), &st) == 0);
}

TEST_CASE("a new record is a record of this boot without an end") {
  Folder f;
  REQUIRE(create_task_files(f.paths, "boot-1", {}).ok());
  const auto r = read_record(f.paths.record());
  REQUIRE(r.ok());
  CHECK_FALSE(end_of_record(*r, "boot-1"));
}

TEST_CASE("an end is believed with the right checksum and of this boot only") {
  Record r = ended_record("boot-1");
  const auto end = end_of_record(r, "boot-1");
  REQUIRE(end);
  CHECK(end->outcome.cause == Cause::exited);
  CHECK(end->outcome.code == 7);
  CHECK(end->outcome.detail == "why");
  CHECK(end->at_us == 42);
  CHECK(end->usage.stdout_bytes == 9);
  CHECK_FALSE(end_of_record(r, "boot-2"));
  r.code = 0;
  CHECK_FALSE(end_of_record(r, "boot-1"));
}

TEST_CASE("a detail length that lies reads no further than the field") {
  Record r = ended_record("b");
  r.detail_length = 1 << 20;
  r.checksum = record_checksum(r);
  const auto end = end_of_record(r, "b");
  REQUIRE(end);
  CHECK(end->outcome.detail.size() == sizeof r.detail);
}

TEST_CASE("a record that is cut, foreign or missing is an error") {
  TempDir dir;
  const std::string path = dir.path + "/record";
  CHECK_FALSE(read_record(path).ok());
  {
    auto fd = open_file(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    REQUIRE(fd.ok());
    REQUIRE(write_all(fd->get(), "CDXR").ok());
  }
  CHECK_FALSE(read_record(path).ok());
  {
    auto fd = open_file(path, O_WRONLY | O_CLOEXEC);
    REQUIRE(fd.ok());
    REQUIRE(write_all(fd->get(), std::string(sizeof(Record), 'x')).ok());
  }
  CHECK_FALSE(read_record(path).ok());
}

TEST_CASE("the lock of alive goes with the last descriptor that was passed on") {
  Folder f;
  auto fds = create_task_files(f.paths, "boot", {});
  REQUIRE(fds.ok());
  CHECK(is_alive_locked(f.paths.alive()));
  Fd passed(fcntl(fds->alive.get(), F_DUPFD_CLOEXEC, 3));
  fds->alive.reset();
  CHECK(is_alive_locked(f.paths.alive()));
  passed.reset();
  CHECK_FALSE(is_alive_locked(f.paths.alive()));
  CHECK_FALSE(is_alive_locked(f.paths.dir + "/nothing"));
}

TEST_CASE("alive names the process, for this boot only") {
  Folder f;
  REQUIRE(create_task_files(f.paths, "boot", {}).ok());
  CHECK_FALSE(read_alive(f.paths.alive(), "boot"));
  const PidInfo me{getpid(), process_start_time(getpid())};
  write_alive(f.paths.alive(), me, "boot");
  const auto read = read_alive(f.paths.alive(), "boot");
  REQUIRE(read);
  CHECK(read->pid == me.pid);
  CHECK(read->start_time == me.start_time);
  CHECK_FALSE(read_alive(f.paths.alive(), "another"));
}

}  // namespace
}  // namespace codexos::daemon
