// SPDX-License-Identifier: Apache-2.0
// The store: what is kept, what is refused, and what survives a kill.
#include "daemon/store/store.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "core/base/id.h"
#include "core/json/json.h"
#include "core/os/file.h"
#include "daemon/store/migrate.h"
#include "daemon/store/sqlite.h"
#include "tests/unit/temp_dir.h"

namespace codexos::daemon {
namespace {

std::unique_ptr<Store> open_store(const std::string& dir) {
  auto s = Store::open(dir);
  REQUIRE_MESSAGE(s.ok(), s.error().message);
  return *std::move(s);
}

TaskRow make_row(const std::string& id, const std::string& name = "") {
  TaskRow r;
  r.task.id = id;
  r.task.name = name;
  r.task.state = TaskState::starting;
  r.task.argv = {"make", "tä\"st", ""};
  r.task.labels = {{"k", "v"}};
  r.task.workspace = "/w";
  r.task.changes_state = "none";
  r.created_at_us = 1700000000000001;
  r.create_json = "{}";
  r.secret = "s3";
  r.shim_pid = 77;
  r.shim_start_time = UINT64_MAX;
  return r;
}

TaskRow ended(TaskRow r, TaskState state = TaskState::succeeded) {
  r.task.state = state;
  r.task.cause = "exited";
  r.task.exit_code = 0;
  r.ended_at_us = 1700000000000002;
  return r;
}

wire::Event make_event(const std::string& task,
                       wire::EventType type = wire::EventType::task_created) {
  wire::Event e;
  e.task = task;
  e.type = type;
  e.ts = "2026-01-01T00:00:00.000000Z";
  return e;
}

constexpr const char* kA = "aaaaaaaaaaaa";
constexpr const char* kB = "aabbbbbbbbbb";

uint64_t fnv(std::string_view s) {
  uint64_t h = 0xcbf29ce484222325ULL;
  for (const char c : s) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return h;
}

TEST_CASE("migrations that were released never change") {
  struct Pin {
    std::string_view name;
    uint64_t hash;  // FNV-1a 64 of the file
  };
  constexpr std::array pins{
      Pin{"0001_tasks", 0x0fe2b70785d79e56ULL},   Pin{"0002_clock", 0xcbb7b864b7c5be8cULL},
      Pin{"0003_applies", 0x0d4c85c9b0f22fa0ULL}, Pin{"0004_net", 0x5802b737b4752fa6ULL},
      Pin{"0005_trust", 0x490da26c1b86c526ULL},   Pin{"0006_agents", 0xc6721e41a3cdee04ULL},
      Pin{"0007_limits", 0xc09d2a09ebfc3474ULL},  Pin{"0008_secrets", 0x889ef77b5056c0bbULL},
      Pin{"0009_budgets", 0xf4f178cf86d90024ULL}, Pin{"0010_ssh_keys", 0x3d477316a169b2e9ULL}};
  REQUIRE(migrations().size() == pins.size());
  for (size_t i = 0; i < pins.size(); ++i) {
    CHECK(migrations()[i].version == static_cast<int>(i) + 1);
    CHECK(migrations()[i].name == pins[i].name);
    CHECK(fnv(migrations()[i].sql) == pins[i].hash);
  }
}

TEST_CASE("a task comes back as it was written") {
  const TempDir dir;
  const auto s = open_store(dir.path);
  TaskRow r = make_row(kA, "build");
  r.layers_json = "[1]";
  r.rm = true;
  REQUIRE(s->insert_task(r).ok());
  CHECK(s->dirty());
  REQUIRE(s->commit().ok());
  CHECK_FALSE(s->dirty());
  auto back = s->load_task(kA);
  REQUIRE(back.ok());
  CHECK(back->task.argv == r.task.argv);
  CHECK(back->task.labels == r.task.labels);
  CHECK(back->task.state == TaskState::starting);
  CHECK(back->task.created_at == "2023-11-14T22:13:20.000001Z");
  CHECK(back->task.started_at.empty());
  CHECK(back->task.pid == 77);
  CHECK(back->shim_start_time == UINT64_MAX);
  CHECK(back->layers_json == "[1]");
  CHECK(back->rm);
  CHECK_FALSE(back->task.usage.has_value());
  CHECK(json::encode(back->task).find("\"exit_code\"") == std::string::npos);

  TaskRow e = ended(*back);
  e.task.usage = Usage{};
  e.task.usage->cpu_user_us = 5;
  e.task.signal = 9;
  REQUIRE(s->update_task(e).ok());
  back = s->load_task(kA);
  CHECK(back->task.usage->cpu_user_us == 5);
  CHECK(back->task.signal == 9);
  CHECK_FALSE(back->task.pid.has_value());
}

TEST_CASE("an ended task's state and cause stay, the rest may change") {
  const TempDir dir;
  const auto s = open_store(dir.path);
  REQUIRE(s->insert_task(make_row(kA)).ok());
  TaskRow r = ended(make_row(kA));
  REQUIRE(s->update_task(r).ok());
  r.task.changes_state = "applied";
  CHECK(s->update_task(r).ok());
  CHECK(s->update_task(ended(r, TaskState::lost)).error().code == Code::conflict);
  r.task.cause = "stopped";
  CHECK(s->update_task(r).error().code == Code::conflict);
  r.task.state = TaskState::running;
  CHECK(s->update_task(r).error().code == Code::conflict);
  CHECK(s->update_task(make_row(kB)).error().code == Code::not_found);
  CHECK(s->load_task(kA)->task.changes_state == "applied");
}

TEST_CASE("a name belongs to one task that exists, and the refusal says to which") {
  const TempDir dir;
  const auto s = open_store(dir.path);
  REQUIRE(s->insert_task(make_row(kA, "n")).ok());
  const auto refused = s->insert_task(make_row(kB, "n"));
  CHECK(refused.error().code == Code::conflict);
  CHECK(refused.error().message.find(kA) != std::string::npos);
  REQUIRE(s->delete_task(kA).ok());
  CHECK(s->insert_task(make_row(kB, "n")).ok());
  CHECK(s->insert_task(make_row(kA)).ok());
  CHECK(s->insert_task(make_row("cccccccccccc")).ok());  // no name is no name twice
  CHECK(s->insert_task(make_row(kA)).error().code == Code::conflict);
}

TEST_CASE("tasks are found by id, unique prefix and name") {
  const TempDir dir;
  const auto s = open_store(dir.path);
  REQUIRE(s->insert_task(make_row(kA)).ok());
  REQUIRE(s->insert_task(make_row(kB)).ok());
  REQUIRE(s->insert_task(make_row("zzzzzzzzzzzz", "aab")).ok());
  CHECK(s->find_task(kA)->task.id == kA);
  CHECK(s->find_task("aaa")->task.id == kA);
  CHECK(s->find_task("aab")->task.id == "zzzzzzzzzzzz");  // the name is meant
  const auto many = s->find_task("aa");
  CHECK(many.error().code == Code::ambiguous);
  CHECK(many.error().message.find(kB) != std::string::npos);
  for (const char* none : {"b", "", "' or 1=1 --", "aaaaaaaaaaaaa", "%"})
    CHECK(s->find_task(none).error().code == Code::not_found);
}

TEST_CASE("lists go newest first, page by page, also while pages are deleted") {
  const TempDir dir;
  const auto s = open_store(dir.path);
  for (int i = 0; i < 25; ++i) REQUIRE(s->insert_task(make_row(make_task_id())).ok());
  TaskQuery q;
  q.limit = 10;
  std::vector<int64_t> seen;
  do {
    auto page = s->list_tasks(q);
    REQUIRE(page.ok());
    q.cursor = page->empty() ? "" : cursor_after(page->back());
    for (const auto& row : *page) {
      seen.push_back(row.n);
      REQUIRE(s->delete_task(row.task.id).ok());
    }
  } while (!q.cursor.empty());
  REQUIRE(seen.size() == 25);
  CHECK(std::is_sorted(seen.rbegin(), seen.rend()));
  q.cursor = "nonsense";
  CHECK(s->list_tasks(q).error().code == Code::invalid);
}

TEST_CASE("a list shows what runs and what waits, or all, or one workspace's") {
  const TempDir dir;
  const auto s = open_store(dir.path);
  REQUIRE(s->insert_task(make_row("runsrunsruns")).ok());
  TaskRow r = ended(make_row("donedonedone"));
  REQUIRE(s->insert_task(r).ok());
  r = ended(make_row("waitwaitwait"));
  r.task.changes_state = "waiting";
  REQUIRE(s->insert_task(r).ok());
  r.task.id = "elsewhereaaa";
  r.task.workspace = "/other";
  REQUIRE(s->insert_task(r).ok());
  const auto ids = [&](bool all, const std::string& workspace) {
    TaskQuery q;
    q.all = all;
    q.workspace = workspace;
    std::string out;
    const auto rows = s->list_tasks(q);
    REQUIRE(rows.ok());
    for (const auto& row : *rows) out += row.task.id.substr(0, 1);
    return out;
  };
  CHECK(ids(false, "") == "ewr");
  CHECK(ids(true, "") == "ewdr");
  CHECK(ids(true, "/w") == "wdr");
  CHECK(ids(false, "/w") == "wr");
  CHECK(s->unfinished_tasks()->size() == 1);
  CHECK((*s->last_task("/w", true))->task.id == "waitwaitwait");
  CHECK((*s->last_task("/w", false))->task.id == "waitwaitwait");
  CHECK_FALSE(s->last_task("/none", true)->has_value());
  REQUIRE(s->delete_task("waitwaitwait").ok());
  CHECK_FALSE(s->last_task("/w", true)->has_value());
  CHECK((*s->last_task("/w", false))->task.id == "donedonedone");
}

TEST_CASE("events count from 1 without gaps, and a task ends once") {
  const TempDir dir;
  const auto s = open_store(dir.path);
  REQUIRE(s->insert_task(make_row(kA)).ok());
  REQUIRE(s->insert_task(make_row(kB)).ok());
  for (const char* id : {kA, kB, kA}) {
    auto e = make_event(id);
    REQUIRE(s->append_event(e).ok());
  }
  auto end = make_event(kA, wire::EventType::task_ended);
  end.exit_code = 3;
  REQUIRE(s->append_event(end).ok());
  CHECK(end.seq == 3);
  auto again = make_event(kA, wire::EventType::task_ended);
  CHECK(s->append_event(again).error().code == Code::conflict);
  auto after = make_event(kA, wire::EventType::task_continued);
  CHECK(s->append_event(after).ok());
  CHECK(after.seq == 4);
  auto orphan = make_event("nosuchtaskaa");
  CHECK(s->append_event(orphan).error().code == Code::not_found);

  const auto of_a = s->events(kA, 1, 100);
  REQUIRE(of_a.ok());
  REQUIRE(of_a->size() == 3);
  CHECK(of_a->at(1).event.exit_code == 3);
  const auto all = s->events("", 0, 100);
  REQUIRE(all->size() == 5);
  CHECK(s->events("", all->at(3).order, 100)->size() == 1);
  CHECK(s->events("", 0, 2)->size() == 2);
}

TEST_CASE("the global order of events is never used twice, not even after deletion and restart") {
  const TempDir dir;
  int64_t last = 0;
  for (int round = 0; round < 3; ++round) {
    const auto s = open_store(dir.path);
    REQUIRE(s->insert_task(make_row(kA)).ok());
    auto e = make_event(kA);
    REQUIRE(s->append_event(e).ok());
    const auto events = s->events("", 0, 10);
    REQUIRE(events->size() == 1);
    CHECK(e.seq == 1);
    CHECK(events->at(0).order > last);
    last = events->at(0).order;
    if (round < 2) REQUIRE(s->delete_task(kA).ok());
    REQUIRE(s->commit().ok());
    if (round == 1) continue;
    if (round == 2) CHECK(s->events(kA, 0, 10)->size() == 1);
  }
}

TEST_CASE("a request that fails leaves the other requests of its turn alone") {
  const TempDir dir;
  const auto s = open_store(dir.path);
  REQUIRE(s->savepoint().ok());  // the first one of the turn: its own transaction
  REQUIRE(s->insert_task(make_row("aaaaaaaaaaab")).ok());
  s->rollback();
  CHECK_FALSE(s->dirty());
  REQUIRE(s->savepoint().ok());
  REQUIRE(s->insert_task(make_row(kA)).ok());
  REQUIRE(s->release().ok());
  REQUIRE(s->savepoint().ok());
  REQUIRE(s->insert_task(make_row(kB)).ok());
  s->rollback();
  REQUIRE(s->savepoint().ok());
  REQUIRE(s->release().ok());
  REQUIRE(s->commit().ok());
  const auto again = open_store(dir.path);
  CHECK(again->load_task(kA).ok());
  CHECK_FALSE(again->load_task(kB).ok());
  CHECK_FALSE(again->load_task("aaaaaaaaaaab").ok());
}

TEST_CASE("an idempotency key gives its task, for its caller and its request only") {
  const TempDir dir;
  const auto s = open_store(dir.path);
  REQUIRE(s->insert_task(make_row(kA)).ok());
  CHECK_FALSE(s->find_idempotent(1, "k", "h")->has_value());
  REQUIRE(s->put_idempotent(1, "k", "h", kA).ok());
  CHECK(**s->find_idempotent(1, "k", "h") == kA);
  CHECK(s->find_idempotent(1, "k", "other").error().code == Code::conflict);
  CHECK_FALSE(s->find_idempotent(2, "k", "h")->has_value());
  REQUIRE(s->delete_task(kA).ok());
  CHECK_FALSE(s->find_idempotent(1, "k", "h")->has_value());
}

TEST_CASE("a database from a newer version is refused in words, and left alone") {
  const TempDir dir;
  { const auto s = open_store(dir.path); }
  {
    const auto db = Database::open(dir.path + "/tenant.db");
    REQUIRE(db->exec("pragma user_version = 99").ok());
  }
  const auto refused = Store::open(dir.path);
  CHECK(refused.error().code == Code::unavailable);
  CHECK(refused.error().message.find(
            "is from a newer version of codexos (schema 99, this one knows " +
            std::to_string(migrations().size()) + ")") != std::string::npos);
}

TEST_CASE("a file that is no database, or damaged, is an error with its name") {
  const TempDir dir;
  auto fd = open_file(dir.path + "/tenant.db", O_WRONLY | O_CREAT, 0600);
  REQUIRE(write_all(fd->get(), std::string(8192, 'x')).ok());
  CHECK(Store::open(dir.path).error().code == Code::unavailable);
}

TEST_CASE("the files are private, and the WAL is grown once and kept") {
  const TempDir dir;
  const mode_t before = umask(0);
  struct stat wal {};
  {
    const auto s = open_store(dir.path + "/tenants/default");
    REQUIRE(s->insert_task(make_row(kA)).ok());
    REQUIRE(s->commit().ok());
    REQUIRE(stat((dir.path + "/tenants/default/tenant.db-wal").c_str(), &wal) == 0);
    CHECK(wal.st_size >= 4 << 20);
    for (const char* suffix : {"", "-wal", "-shm"}) {
      struct stat st {};
      REQUIRE(stat((dir.path + "/tenants/default/tenant.db" + suffix).c_str(), &st) == 0);
      CHECK((st.st_mode & 0777) == 0600);
    }
  }
  umask(before);
  struct stat db {};
  REQUIRE(stat((dir.path + "/tenants/default/tenant.db").c_str(), &db) == 0);
  CHECK(db.st_size < 1 << 20);
  struct stat kept {};
  REQUIRE(stat((dir.path + "/tenants/default/tenant.db-wal").c_str(), &kept) == 0);
  CHECK(kept.st_size == wal.st_size);
  const auto s = open_store(dir.path + "/tenants/default");
  CHECK(s->load_task(kA).ok());
  CHECK(s->check().ok());
}

/// Commits tasks one by one and writes each id that was acknowledged to `out`, until it is killed.
[[noreturn]] void write_until_killed(const std::string& dir, int out) {
  auto s = Store::open(dir);
  if (!s.ok()) _exit(1);
  for (;;) {
    const std::string id = make_task_id();
    auto e = make_event(id);
    if (!(*s)->insert_task(make_row(id)).ok() || !(*s)->append_event(e).ok()) _exit(2);
    if (!(*s)->commit().ok() || !write_all(out, id).ok()) _exit(3);
  }
}

TEST_CASE("what was committed survives kill -9, with its event, and nothing is half there") {
  const TempDir dir;
  for (int round = 0; round < 5; ++round) {
    int fds[2];
    REQUIRE(pipe2(fds, O_CLOEXEC) == 0);
    const pid_t child = fork();
    if (child == 0) write_until_killed(dir.path, fds[1]);
    close(fds[1]);
    const Fd in(fds[0]);
    std::string acknowledged;
    char piece[4096];
    // Enough for several checkpoints over the rounds; then a kill at whatever it is doing.
    while (acknowledged.size() < 300 * kTaskIdLength) {
      const ssize_t n = read(in.get(), piece, sizeof piece);
      REQUIRE(n > 0);
      acknowledged.append(piece, static_cast<size_t>(n));
    }
    usleep(static_cast<useconds_t>(round) * 137);
    REQUIRE(kill(child, SIGKILL) == 0);
    for (ssize_t n = 0; (n = read(in.get(), piece, sizeof piece)) > 0;)
      acknowledged.append(piece, static_cast<size_t>(n));
    REQUIRE(waitpid(child, nullptr, 0) == child);

    const auto s = open_store(dir.path);
    size_t missing = 0;
    for (size_t at = 0; at + kTaskIdLength <= acknowledged.size(); at += kTaskIdLength)
      if (!s->load_task(acknowledged.substr(at, kTaskIdLength)).ok()) ++missing;
    CHECK(missing == 0);
    size_t without_event = 0;
    const auto rows = s->unfinished_tasks();
    REQUIRE(rows.ok());
    for (const auto& row : *rows)
      if (s->events(row.task.id, 0, 10)->size() != 1) ++without_event;
    CHECK(without_event == 0);
  }
}

TEST_CASE("a turn that cannot be written is refused whole, and the store goes on when it can") {
  const TempDir dir;
  { const auto warm = open_store(dir.path); }
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    auto s = Store::open(dir.path);
    if (!s.ok() || !(*s)->insert_task(make_row(kA)).ok() || !(*s)->commit().ok()) _exit(1);
    rlimit limit{};
    getrlimit(RLIMIT_FSIZE, &limit);
    rlimit small = limit;
    small.rlim_cur = 4096;
    setrlimit(RLIMIT_FSIZE, &small);
    if (!(*s)->insert_task(make_row(kB)).ok()) _exit(2);
    if ((*s)->commit().ok()) _exit(3);
    if ((*s)->dirty()) _exit(4);
    setrlimit(RLIMIT_FSIZE, &limit);
    if ((*s)->load_task(kB).ok()) _exit(5);
    if (!(*s)->insert_task(make_row("cccccccccccc")).ok() || !(*s)->commit().ok()) _exit(6);
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  const auto s = open_store(dir.path);
  CHECK(s->load_task(kA).ok());
  CHECK(s->load_task("cccccccccccc").ok());
}

}  // namespace
}  // namespace codexos::daemon
