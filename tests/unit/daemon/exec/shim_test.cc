// SPDX-License-Identifier: Apache-2.0
#include "daemon/exec/shim.h"

#include "shim_harness.h"

using namespace codexos;
using namespace codexos::exec;

namespace {

std::string log_text(const TestTask& t, int stream) { return content(t.logs[stream]); }

// Reads a descriptor to its end, slowly when asked to.
std::string read_all(int fd, size_t step = 65536, int pause_us = 0) {
  std::string out;
  std::string some(step, '\0');
  while (wait_readable(fd)) {
    const ssize_t n = read(fd, some.data(), some.size());
    if (n <= 0) break;
    out.append(some.data(), static_cast<size_t>(n));
    if (pause_us > 0) usleep(static_cast<useconds_t>(pause_us));
  }
  return out;
}

}  // namespace

TEST_SUITE_BEGIN("shim" * doctest::skip(!namespaces_work()));

TEST_CASE("a program's output, exit code and usage arrive; the record says the same") {
  TestTask t("echo out; echo err >&2; exit 7");
  t.start();
  const auto started = t.next_of(LinkType::started);
  REQUIRE(started);
  CHECK(from_binary<Started>(started->payload)->pid == 2);
  const Ended e = t.ended();
  CHECK(e.outcome.cause == Cause::exited);
  CHECK(e.outcome.code == 7);
  CHECK(e.usage.stdout_bytes == 4);
  CHECK(e.usage.stderr_bytes == 4);
  CHECK(e.usage.wall_us > 0);
  CHECK(e.usage.max_rss_bytes > 0);
  const auto x = t.client->wait_exit();
  REQUIRE(x);
  CHECK(x->recorded);
  CHECK(x->note == "a note");
  CHECK(x->outcome.code == 7);
  CHECK(t.client->output[1] == "out\n");
  CHECK(t.client->output[2] == "err\n");
  CHECK(t.client->ended[1]);
  CHECK(t.client->ended[2]);
  CHECK(log_text(t, 0) == "out\n");
  CHECK(log_text(t, 1) == "err\n");
  CHECK(t.wait_gone() == 7);
  const Record r = t.recorded();
  CHECK(record_ended(r, boot_id()));
  CHECK(r.code == 7);
  CHECK(r.stream_bytes[0] == 4);
}

TEST_CASE("nothing runs before go, and nothing at all when the link ends first") {
  TestTask t("touch " + std::string("/tmp/shim-must-not-exist"));
  t.prepare();
  CHECK(!t.next(100));
  t.link.reset();
  CHECK(t.wait_gone() == 0);
  CHECK(access("/tmp/shim-must-not-exist", F_OK) != 0);
  CHECK(!record_ended(t.recorded(), boot_id()));
}

TEST_CASE("a program that is not there ends as one that ran: by cause, record and exit frame") {
  TestTask t("");
  t.job.argv = {"no-such-program"};
  t.start();
  const Ended e = t.ended();
  CHECK(e.outcome.cause == Cause::not_found);
  CHECK(e.outcome.detail.find("no-such-program") != std::string::npos);
  const auto x = t.client->wait_exit();
  REQUIRE(x);
  CHECK(exit_code_of(x->outcome) == 127);
  CHECK(t.wait_gone() == 127);
}

TEST_CASE(
    "100 MiB reach a slow reader of a passed pipe byte for byte, and the log keeps head and tail") {
  TestTask t("head -c 104857600 /dev/zero | tr '\\0' a; printf end");
  t.job.stdout_mode = Stdio::passed;
  t.job.log_cap_bytes = 16 << 20;
  auto [r, w] = pipe_of();
  t.passed[0] = std::move(w);
  t.start();
  const std::string all = read_all(r.get(), 1 << 20, 50);
  CHECK(t.ended().usage.stdout_bytes == 104857603);  // before the long comparisons
  CHECK(all.size() == 104857603);
  CHECK(all.find_first_not_of('a') == 104857600);
  CHECK(all.substr(104857600) == "end");
  CHECK(t.client->wait_exit());
  const std::string log = log_text(t, 0);
  CHECK(log.size() == 16 << 20);
  const LogLayout layout{16 << 20};
  CHECK(log.substr(layout.position(104857600), 3) == "end");
  CHECK(t.wait_gone() == 0);
}

TEST_CASE(
    "numbered lines are whole and in order through a passed pipe, with another client watching") {
  TestTask t("i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done");
  t.job.stdout_mode = Stdio::passed;
  auto [r, w] = pipe_of();
  t.passed[0] = std::move(w);
  t.start();
  auto [c, c_shim] = pair_of(SOCK_STREAM);
  t.say(LinkType::client, to_binary(AttachClient{false, false, 1U << 30}), {c_shim.get()});
  c_shim.reset();
  TestClient watcher(std::move(c));
  const std::string all = read_all(r.get());
  std::string want;
  for (int i = 0; i < 20000; ++i) want += std::to_string(i) + "\n";
  CHECK((all == want));
  t.ended();
  CHECK(t.client->wait_exit());
  CHECK(t.client->output.empty());
  CHECK(watcher.wait_exit());
  CHECK((watcher.output[1] == want));
  CHECK((log_text(t, 0) == want));
}

namespace {
constexpr char kValue[] = "s3cr\"t/+value";
std::string stars(size_t n) { return std::string(n, '*'); }
}  // namespace

TEST_CASE(
    "a value cut at any byte stands in no log and no replay, and its owner gets it as it came") {
  const std::string value(kValue);
  std::string script = "exec 2>&1; cd /; waits() { head -c1 >/dev/null; }\n", said;
  for (size_t cut = 1; cut < value.size(); ++cut) {
    const auto quoted = [](const std::string& s) { return "printf %s '" + s + "'; waits\n"; };
    script += quoted("<" + value.substr(0, cut)) + quoted(value.substr(cut) + ">");
    said += "<" + value + ">";
  }
  TestTask t(script);
  t.job.stdin_mode = Stdio::pipe;
  t.job.stderr_mode = Stdio::null;
  t.job.values = {value};
  t.start();
  std::string so_far;
  for (size_t cut = 1; cut < value.size(); ++cut) {
    // What may be a beginning is shown at once, and not logged before it is decided.
    so_far += "<" + value.substr(0, cut);
    REQUIRE(t.client->wait_output(so_far));
    CHECK(log_text(t, 0).size() == so_far.size() - cut);
    t.client->send(FrameType::input, "x");
    so_far += value.substr(cut) + ">";
    REQUIRE(t.client->wait_output(so_far));
    if (cut + 1 < value.size()) t.client->send(FrameType::input, "x");
  }
  auto [c, c_shim] = pair_of(SOCK_STREAM);
  t.say(LinkType::client, to_binary(AttachClient{false, false, 1U << 30}), {c_shim.get()});
  c_shim.reset();
  TestClient watcher(std::move(c));
  REQUIRE(watcher.wait_output("<"));
  t.client->send(FrameType::input, "x");
  CHECK(t.ended().usage.stdout_bytes == said.size());
  CHECK(t.client->wait_exit());
  CHECK(t.client->output[1] == said);
  const std::string log = log_text(t, 0);
  CHECK(log.size() == said.size());
  CHECK(log.find_first_not_of("<>*") == std::string::npos);
  CHECK(watcher.wait_exit());
  CHECK(watcher.output[1] == log);
}

TEST_CASE("a slow reader of a passed pipe gets all bytes as they are, the log none of a value") {
  TestTask t("i=0; while [ $i -lt 30000 ]; do echo \"$i $V\"; i=$((i+1)); done; printf end");
  t.job.env.push_back(std::string("V=") + kValue);
  t.job.values = {kValue};
  t.job.stdout_mode = Stdio::passed;
  auto [r, w] = pipe_of();
  t.passed[0] = std::move(w);
  t.start();
  const std::string all = read_all(r.get(), 1000, 1);
  t.ended();
  std::string want, logged;
  for (int i = 0; i < 30000; ++i) {
    want += std::to_string(i) + " " + kValue + "\n";
    logged += std::to_string(i) + " " + stars(sizeof kValue - 1) + "\n";
  }
  CHECK((all == want + "end"));
  CHECK((log_text(t, 0) == logged + "end"));
  CHECK(t.client->wait_exit());
}

TEST_CASE("what is held back comes to the log at the end, on both streams and on a terminal") {
  for (const bool terminal : {false, true}) {
    TestTask t("printf 'x s3cr'; printf 'y s3cr' >&2");
    t.job.values = {kValue};
    if (terminal) t.job.stdout_mode = Stdio::pty;
    t.start();
    t.ended();
    CHECK(t.client->wait_exit());
    CHECK(log_text(t, 0) == "x s3cr");
    CHECK(log_text(t, 1) == "y s3cr");
    CHECK(t.recorded().stream_bytes[0] == 6);
  }
}

TEST_CASE("a key of several lines is found as a terminal shows it, and by each of its lines") {
  TestTask t("printf %s \"$V\"; echo; echo \"$V\" | sed 's/^/  /'; echo done");
  const std::string value =
      "-----BEGIN A KEY-----\nMIIEvQIBADANBgkq/hkiG9w0B\n-----END A KEY-----\n";
  t.job.env.push_back("V=" + value);
  t.job.values = {value};
  t.job.stdout_mode = Stdio::pty;
  t.start();
  t.ended();
  CHECK(t.client->wait_exit());
  CHECK(t.client->output[1].find("MIIEvQIBADANBgkq/hkiG9w0B\r\n") != std::string::npos);
  CHECK(log_text(t, 0).find_first_not_of("* \r\ndone") == std::string::npos);
  CHECK(log_text(t, 0).find("done") != std::string::npos);
}

TEST_CASE(
    "values that a further program brings are taken out from then on; the next daemon is told") {
  TestTask t("read x; echo $x; read x; echo $x");
  t.job.stdin_mode = Stdio::pipe;
  t.job.values = {kValue};
  t.start();
  t.client->send(FrameType::input, "another-value\n");
  REQUIRE(t.client->wait_output("another-value\n"));
  auto [c, c_shim] = pair_of(SOCK_STREAM);
  ExecRequest e;
  e.id = 1;
  e.argv = {"/bin/true"};
  e.env = t.job.env;
  e.cwd = "/";
  e.values = {kValue, "another-value"};
  t.say(LinkType::exec, to_binary(e), {c_shim.get()});
  c_shim.reset();
  REQUIRE(t.next_of(LinkType::exec_ended));
  t.say(LinkType::tell_values);
  const auto told = t.next_of(LinkType::values);
  REQUIRE(told);
  CHECK(from_binary<Values>(told->payload)->values ==
        std::vector<std::string>{kValue, "another-value"});
  t.client->send(FrameType::input, "another-value\n");
  t.ended();
  CHECK(t.client->wait_exit());
  CHECK(t.client->output[1] == "another-value\nanother-value\n");
  CHECK(log_text(t, 0) == "another-value\n" + stars(13) + "\n");
}

TEST_CASE("a reader that leaves closes the program's stdout: yes | head") {
  TestTask t("exec yes");
  t.job.stdout_mode = Stdio::passed;
  auto [r, w] = pipe_of();
  t.passed[0] = std::move(w);
  t.start();
  char some[2];
  CHECK(read(r.get(), some, 2) == 2);
  r.reset();
  const Ended e = t.ended();
  CHECK(e.outcome.signal == SIGPIPE);
  const auto x = t.client->wait_exit();
  REQUIRE(x);
  CHECK(x->output_error.empty());
}

TEST_CASE("a reader that has left is noticed by a program that writes only later") {
  TestTask t("read x; echo one; echo two >&2");
  t.job.stdin_mode = Stdio::pipe;
  t.job.stdout_mode = Stdio::passed;
  auto [r, w] = pipe_of();
  t.passed[0] = std::move(w);
  t.start();
  CHECK(t.next_of(LinkType::started));
  r.reset();
  usleep(50000);
  t.client->send(FrameType::input, "go\n");
  CHECK(t.ended().outcome.signal == SIGPIPE);
  CHECK(t.client->wait_exit());
  CHECK(t.client->output[2].empty());
}

TEST_CASE("a full disk behind stdout ends the output and is told, without touching the code") {
  TestTask t(
      "trap '' PIPE; i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done 2>/dev/null; "
      "exit 0");
  t.job.stdout_mode = Stdio::passed;
  t.passed[0].reset(open("/dev/full", O_WRONLY | O_CLOEXEC));
  REQUIRE(t.passed[0]);
  t.start();
  CHECK(t.ended().outcome.cause == Cause::exited);
  const auto x = t.client->wait_exit();
  REQUIRE(x);
  CHECK(x->output_error == "write to stdout: No space left on device");
}

TEST_CASE("a file opened for appending gets its bytes after what it has") {
  TestTask t("echo new");
  char name[] = "/tmp/shim-append-XXXXXX";
  const Fd file(mkostemp(name, O_APPEND | O_CLOEXEC));
  REQUIRE(write(file.get(), "old\n", 4) == 4);
  t.job.stdout_mode = Stdio::passed;
  t.passed[0].reset(open(name, O_WRONLY | O_APPEND | O_CLOEXEC));
  t.start();
  t.ended();
  CHECK(t.client->wait_exit());
  CHECK(content(file) == "old\nnew\n");
  unlink(name);
}

TEST_CASE("O_NONBLOCK is never set on a passed description") {
  TestTask t("echo x");
  t.job.stdout_mode = Stdio::passed;
  auto [r, w] = pipe_of();
  const Fd same(fcntl(w.get(), F_DUPFD_CLOEXEC, 0));
  t.passed[0] = std::move(w);
  t.start();
  t.ended();
  CHECK(t.client->wait_exit());
  CHECK((fcntl(same.get(), F_GETFL) & O_NONBLOCK) == 0);
  CHECK((fcntl(r.get(), F_GETFL) & O_NONBLOCK) == 0);
}

TEST_CASE("a slow owner holds the program back, not signals or the end") {
  TestTask t("exec yes");
  t.start();
  CHECK(t.next_of(LinkType::started));
  usleep(300000);
  const uint64_t before = t.recorded().stream_bytes[0];
  usleep(200000);
  CHECK(t.recorded().stream_bytes[0] == before);
  CHECK(before < (2U << 20));
  t.client->signal(SIGUSR1);
  const Ended e = t.ended();  // although the client has read nothing
  CHECK(e.outcome.signal == SIGUSR1);
  const auto x = t.client->wait_exit();
  REQUIRE(x);
  CHECK(t.client->output[1].size() == e.usage.stdout_bytes);
  CHECK(t.client->output[1].substr(0, 4) == "y\ny\n");
}

TEST_CASE("a slow reader of a passed pipe gets everything although the end is recorded at once") {
  TestTask t("head -c 900000 /dev/zero; echo done >&2");
  t.job.stdout_mode = Stdio::passed;
  auto [r, w] = pipe_of();
  t.passed[0] = std::move(w);
  t.start();
  usleep(100000);
  // 64 KiB in the reader's pipe, 64 KiB in the queue, 64 KiB in the program's: it still runs.
  CHECK(!record_ended(t.recorded(), boot_id()));
  CHECK(read_all(r.get()).size() == 900000);
  CHECK(t.ended().usage.stdout_bytes == 900000);
  CHECK(t.client->wait_exit());

  TestTask u("head -c 130000 /dev/zero");
  u.job.stdout_mode = Stdio::passed;
  auto [r2, w2] = pipe_of();
  u.passed[0] = std::move(w2);
  u.start();
  CHECK(u.ended().usage.stdout_bytes == 130000);
  CHECK(!u.client->exit);
  CHECK(read_all(r2.get()).size() == 130000);
  CHECK(u.client->wait_exit());
}

TEST_CASE("input reaches the program, its end too, and the window is given back") {
  TestTask t("cat; echo end");
  t.job.stdin_mode = Stdio::pipe;
  t.start();
  t.client->send(FrameType::input, "hello ");
  t.client->send(FrameType::input, "world\n");
  CHECK(t.client->wait_output("world\n"));
  t.client->send(FrameType::input_end);
  t.ended();
  CHECK(t.client->wait_exit());
  CHECK(t.client->output[1] == "hello world\nend\n");
  CHECK(t.client->room == 12);
}

TEST_CASE("a signal does not wait behind input that the program does not read") {
  TestTask t("sleep 100");
  t.job.stdin_mode = Stdio::pipe;
  t.start();
  CHECK(t.next_of(LinkType::started));
  // More than the pipe holds, no more than the window allows on top.
  t.client->send(FrameType::input, std::string(65536, 'x'));
  t.client->send(FrameType::input, std::string(65536, 'x'));
  t.client->signal(SIGTERM);
  CHECK(t.ended().outcome.signal == SIGTERM);
}

TEST_CASE("a program that closes its stdin is told to the client") {
  TestTask t("exec <&-; echo closed; sleep 100");
  t.job.stdin_mode = Stdio::pipe;
  t.start();
  CHECK(t.client->wait_output("closed"));
  while (!t.client->input_closed) REQUIRE(t.client->step());
  t.client->send(FrameType::input, "dropped");
  t.client->signal(SIGKILL);
  CHECK(t.ended().outcome.signal == SIGKILL);
}

TEST_CASE("large input arrives whole through the window") {
  TestTask t("cksum");
  t.job.stdin_mode = Stdio::pipe;
  t.start();
  size_t sent = 0;
  constexpr size_t kAll = 8 << 20;
  while (sent < kAll) {
    while (sent - t.client->room >= kInputWindow) REQUIRE(t.client->step());
    t.client->send(FrameType::input, std::string(16384, 'z'));
    sent += 16384;
  }
  t.client->send(FrameType::input_end);
  t.ended();
  CHECK(t.client->wait_exit());
  CHECK(t.client->output[1].find(" 8388608") != std::string::npos);
}

TEST_CASE("the terminal: echo, size, resize, end of file, and one stream") {
  TestTask t("stty size; trap 'stty size' WINCH; cat; echo over >&2");
  t.job.stdin_mode = t.job.stdout_mode = t.job.stderr_mode = Stdio::pty;
  t.job.rows = 31;
  t.job.cols = 97;
  t.start();
  CHECK(t.client->wait_output("31 97\r\n"));
  t.client->send(FrameType::input, "abc\n");
  CHECK(t.client->wait_output("abc\r\nabc\r\n"));
  const uint16_t size[2] = {40, 132};
  t.client->send(FrameType::resize, std::string(reinterpret_cast<const char*>(size), 4));
  t.client->send(FrameType::input_end);
  CHECK(t.client->wait_output("40 132\r\n"));
  t.ended();
  CHECK(t.client->wait_exit());
  CHECK(t.client->wait_exit()->outcome.code == 0);
  CHECK(t.client->output[1].find("over\r\n") != std::string::npos);
  CHECK(log_text(t, 0) == t.client->output[1]);
}

TEST_CASE("end of file within a line reaches a program on a terminal") {
  TestTask t("cat");
  t.job.stdin_mode = t.job.stdout_mode = t.job.stderr_mode = Stdio::pty;
  t.start();
  t.client->send(FrameType::input, "no newline");
  t.client->send(FrameType::input_end);
  CHECK(t.ended().outcome.code == 0);
}

TEST_CASE("ctrl-c and signals on a terminal go to the foreground process group") {
  TestTask t("sh -c 'trap \"exit 9\" INT USR1; echo ready; while :; do sleep 0.05; done'; exit $?");
  t.job.stdin_mode = t.job.stdout_mode = t.job.stderr_mode = Stdio::pty;
  t.start();
  CHECK(t.client->wait_output("ready"));
  t.client->send(FrameType::input, "\x03");
  const Ended e = t.ended();
  CHECK((e.outcome.code == 9 || e.outcome.signal == SIGINT));
}

TEST_CASE("stdout redirected, stdin and stderr the terminal: the terminal is stream 2") {
  TestTask t("echo out; echo err >&2; test -t 0 && test -t 2 && ! test -t 1 && tty >&2");
  t.job.stdin_mode = t.job.stderr_mode = Stdio::pty;
  t.job.stdout_mode = Stdio::passed;
  auto [r, w] = pipe_of();
  t.passed[0] = std::move(w);
  t.start();
  CHECK(t.ended().outcome.code == 0);
  CHECK(t.client->wait_exit());
  CHECK(read_all(r.get()) == "out\n");
  CHECK(t.client->output[2].find("err\r\n/dev/pts/") == 0);
  CHECK(log_text(t, 0) == "out\n");
  CHECK(log_text(t, 1).find("err\r\n") == 0);
}

TEST_CASE("only stdin a terminal: its echo is stream 0 and in no log") {
  TestTask t("cat");
  t.job.stdin_mode = Stdio::pty;
  t.start();
  t.client->send(FrameType::input, "hey\n");
  t.client->send(FrameType::input_end);
  t.ended();
  CHECK(t.client->wait_exit());
  CHECK(t.client->output[0].find("hey\r\n") == 0);
  CHECK(t.client->output[1] == "hey\n");
  CHECK(log_text(t, 0) == "hey\n");
}

TEST_CASE("the time limit ends the task: TERM, then KILL for one that does not listen") {
  TestTask t("trap '' TERM; while :; do sleep 0.05; done");
  t.job.timeout_ms = 200;
  t.job.stop_grace_ms = 300;
  t.start();
  const int64_t from = monotonic_us();
  const Ended e = t.ended();
  CHECK(e.outcome.cause == Cause::time_limit);
  CHECK(e.outcome.signal == SIGKILL);
  CHECK(monotonic_us() - from > 450000);
  CHECK(monotonic_us() - from < 3000000);
  CHECK(t.wait_gone() == 124);
}

TEST_CASE("the idle limit counts from the last output") {
  TestTask t("for i in 1 2 3 4 5; do echo $i; sleep 0.1; done; sleep 100");
  t.job.idle_timeout_ms = 300;
  t.start();
  const Ended e = t.ended();
  CHECK(e.outcome.cause == Cause::idle_limit);
  CHECK(e.usage.wall_us > 600000);
  CHECK(t.client->wait_exit());
  CHECK(t.client->output[1] == "1\n2\n3\n4\n5\n");
}

TEST_CASE("orphans that hold the pipes do not keep the task alive") {
  TestTask t(
      "setsid sh -c 'trap \"\" TERM HUP; echo orphan; exec sleep 1000' & sleep 0.2; echo main; "
      "exit 3");
  t.start();
  const int64_t from = monotonic_us();
  const Ended e = t.ended();
  CHECK(e.outcome.code == 3);
  CHECK(monotonic_us() - from < 5000000);
  CHECK(t.client->wait_exit());
  CHECK(t.client->output[1] == "orphan\nmain\n");
  CHECK(t.wait_gone() == 3);
}

TEST_CASE("what a program writes right before its end is not lost, orphans' output neither") {
  for (int i = 0; i < 20; ++i) {
    TestTask t("(head -c 60000 /dev/zero) & wait; printf x");
    t.start();
    t.ended();
    CHECK(t.client->wait_exit());
    CHECK(t.client->output[1].size() == 60001);
  }
}

TEST_CASE("an owner that dies takes its task along; one that detaches does not") {
  TestTask t("trap 'exit 5' TERM; echo up; while :; do sleep 0.05; done");
  t.start();
  CHECK(t.client->wait_output("up"));
  t.client->close();
  auto m = t.next_of(LinkType::owner);
  REQUIRE(m);
  CHECK(!from_binary<OwnerState>(m->payload)->detached);
  const Ended e = t.ended();
  CHECK(e.outcome.cause == Cause::owner_gone);
  CHECK(e.outcome.code == 5);
  CHECK(t.wait_gone() == 5);

  TestTask u("echo up; sleep 0.3; echo later");
  u.start();
  CHECK(u.client->wait_output("up"));
  u.client->send(FrameType::detach);
  u.client->close();
  m = u.next_of(LinkType::owner);
  REQUIRE(m);
  CHECK(from_binary<OwnerState>(m->payload)->detached);
  CHECK(u.ended().outcome.cause == Cause::exited);
  CHECK(log_text(u, 0) == "up\nlater\n");
}

TEST_CASE("an interactive shell whose terminal has gone ends at once, though it ignores TERM") {
  TestTask t("trap '' TERM; echo up; while :; do sleep 0.05; done");
  t.job.stdin_mode = t.job.stdout_mode = t.job.stderr_mode = Stdio::pty;
  t.start();
  CHECK(t.client->wait_output("up"));
  const int64_t from = monotonic_us();
  t.client->close();
  CHECK(t.ended().outcome.cause == Cause::owner_gone);
  CHECK(monotonic_us() - from < 5000000);
}

TEST_CASE("a detached owner's passed stdout is let go, the program goes on") {
  TestTask t("echo up; sleep 0.2; head -c 3000000 /dev/zero");
  t.job.stdout_mode = Stdio::passed;
  auto [r, w] = pipe_of();
  t.passed[0] = std::move(w);
  t.start();
  CHECK(wait_readable(r.get()));
  t.client->send(FrameType::detach);
  CHECK(read_all(r.get()) == "up\n");
  CHECK(t.ended().usage.stdout_bytes == 3000003);
}

TEST_CASE("stop asks, then kills; the first cause stays") {
  TestTask t("trap '' TERM; echo up; while :; do sleep 0.05; done");
  t.start();
  CHECK(t.client->wait_output("up"));
  t.say(LinkType::stop, to_binary(StopRequest{Cause::stopped, 60000}));
  CHECK(!t.next_of(LinkType::started)->payload.empty());
  CHECK(!t.next(200));
  t.say(LinkType::stop, to_binary(StopRequest{Cause::time_limit, 0}));
  const Ended e = t.ended();
  CHECK(e.outcome.cause == Cause::stopped);
  CHECK(e.outcome.signal == SIGKILL);
}

TEST_CASE("stop reaches a program that is paused, and its children") {
  TestTask t(
      "sh -c 'trap \"echo child; exit\" TERM; echo up; while :; do sleep 0.02; done'; exit 4");
  t.start();
  CHECK(t.client->wait_output("up"));
  t.say(LinkType::pause);
  CHECK(from_binary<PauseState>(t.next_of(LinkType::paused)->payload)->paused);
  t.say(LinkType::stop, to_binary(StopRequest{Cause::stopped, 5000}));
  CHECK(t.ended().outcome.cause == Cause::stopped);
}

TEST_CASE("a second ctrl-c stops the task, a third kills it") {
  TestTask t("trap 'echo int' INT; trap 'echo term' TERM; echo up; while :; do sleep 0.02; done");
  t.start();
  CHECK(t.client->wait_output("up"));
  t.client->signal(SIGINT);
  CHECK(t.client->wait_output("int"));
  t.client->signal(SIGINT);
  CHECK(t.client->wait_output("term"));
  t.client->signal(SIGINT);
  const Ended e = t.ended();
  CHECK(e.outcome.cause == Cause::stopped);
  CHECK(e.outcome.signal == SIGKILL);
}

TEST_CASE("pause stops everything and the clocks; resume leaves what was stopped before stopped") {
  TestTask t(
      "sleep 300 & kill -STOP $!; s=$!; "
      "trap 'read -r a b state rest </proc/$s/stat; echo state $state; exit 0' USR1; "
      "(while :; do echo tick; sleep 0.01; done) & while :; do sleep 0.02; done");
  t.job.timeout_ms = 2000;
  t.start();
  CHECK(t.client->wait_output("tick"));
  t.say(LinkType::pause);
  auto p = t.next_of(LinkType::paused);
  REQUIRE(p);
  CHECK(from_binary<PauseState>(p->payload)->paused);
  CHECK(from_binary<PauseState>(p->payload)->error.empty());
  usleep(50000);
  CHECK(t.recorded().paused == 1);
  const uint64_t before = t.recorded().stream_bytes[0];
  t.client->signal(SIGCONT);
  usleep(2200000);  // above the time limit
  CHECK(t.recorded().stream_bytes[0] == before);
  t.say(LinkType::resume);
  p = t.next_of(LinkType::paused);
  REQUIRE(p);
  CHECK(!from_binary<PauseState>(p->payload)->paused);
  t.client->signal(SIGUSR1);
  const Ended e = t.ended();
  CHECK(e.outcome.cause == Cause::exited);
  CHECK(t.client->wait_exit());
  CHECK(t.client->output[1].find("state T") != std::string::npos);
  CHECK(t.recorded().paused == 0);
}

TEST_CASE("one more program runs beside the first and ends with its own code") {
  TestTask t("echo up; sleep 100");
  t.start();
  CHECK(t.client->wait_output("up"));
  auto [c, c_shim] = pair_of(SOCK_STREAM);
  ExecRequest r;
  r.id = 77;
  r.argv = {"sh", "-c", "cat; echo $$ $X; exit 6"};
  r.env = {"PATH=/usr/bin:/bin", "X=env"};
  r.cwd = "/";
  r.stdin_mode = Stdio::pipe;
  t.say(LinkType::exec, to_binary(r), {c_shim.get()});
  c_shim.reset();
  TestClient x(std::move(c));
  x.send(FrameType::input, "in\n");
  x.send(FrameType::input_end);
  const auto end = x.wait_exit();
  REQUIRE(end);
  CHECK(end->outcome.code == 6);
  CHECK(x.output[1].find("in\n") == 0);
  CHECK(x.output[1].find(" env\n") != std::string::npos);
  auto m = t.next_of(LinkType::exec_ended);
  REQUIRE(m);
  CHECK(from_binary<ExecEnded>(m->payload)->id == 77);
  CHECK(from_binary<ExecEnded>(m->payload)->outcome.code == 6);
  CHECK(log_text(t, 0) == "up\n");
  CHECK(!t.client->exit);
}

TEST_CASE("exec: a terminal of its own, not found, and the end of the task") {
  TestTask t("echo up; read x");
  t.job.stdin_mode = Stdio::pipe;
  t.start();
  CHECK(t.client->wait_output("up"));
  const auto start_exec = [&t](std::vector<std::string> argv, Stdio mode) {
    auto [c, c_shim] = pair_of(SOCK_STREAM);
    ExecRequest r;
    r.argv = std::move(argv);
    r.env = {"PATH=/usr/bin:/bin"};
    r.cwd = "/";
    r.stdin_mode = r.stdout_mode = r.stderr_mode = mode;
    t.say(LinkType::exec, to_binary(r), {c_shim.get()});
    return std::make_unique<TestClient>(std::move(c));
  };
  auto missing = start_exec({"no-such-thing"}, Stdio::pipe);
  REQUIRE(missing->wait_exit());
  CHECK(missing->exit->outcome.cause == Cause::not_found);
  auto tty = start_exec({"sh", "-c", "stty size; exec sleep 1000"}, Stdio::pty);
  CHECK(tty->wait_output("24 80\r\n"));
  t.client->send(FrameType::input, "\n");
  CHECK(t.ended().outcome.code == 0);
  REQUIRE(tty->wait_exit());
  CHECK(tty->exit->outcome.signal == SIGKILL);
  CHECK(t.wait_gone() == 0);
}

TEST_CASE("an exec whose client goes away is ended") {
  TestTask t("echo up; sleep 100");
  t.start();
  CHECK(t.client->wait_output("up"));
  auto [c, c_shim] = pair_of(SOCK_STREAM);
  ExecRequest r;
  r.argv = {"sleep", "1000"};
  r.env = {"PATH=/usr/bin:/bin"};
  r.cwd = "/";
  t.say(LinkType::exec, to_binary(r), {c_shim.get()});
  c_shim.reset();
  c.reset();
  auto m = t.next_of(LinkType::exec_ended);
  REQUIRE(m);
  CHECK(from_binary<ExecEnded>(m->payload)->outcome.signal == SIGTERM);
}

TEST_CASE("a later client sees the tail first, then what comes, and the end") {
  TestTask t("printf 0123456789; read x; printf more");
  t.job.stdin_mode = Stdio::pipe;
  t.start();
  CHECK(t.client->wait_output("0123456789"));
  auto [c, c_shim] = pair_of(SOCK_STREAM);
  t.say(LinkType::client, to_binary(AttachClient{false, true, 4}), {c_shim.get()});
  c_shim.reset();
  TestClient later(std::move(c));
  CHECK(later.wait_output("6789"));
  later.send(FrameType::input, "\n");
  t.ended();
  CHECK(later.wait_exit());
  CHECK(later.output[1] == "6789more");
  CHECK(t.client->wait_exit());
  CHECK(t.client->output[1] == "0123456789more");
}

TEST_CASE("a watcher that does not read is fed from the log and holds nobody up") {
  TestTask t("head -c 8000000 /dev/zero | tr '\\0' b; echo; sleep 0.2");
  t.start();
  auto [c, c_shim] = pair_of(SOCK_STREAM);
  t.say(LinkType::client, to_binary(AttachClient{false, false, 1U << 30}), {c_shim.get()});
  c_shim.reset();
  TestClient watcher(std::move(c));
  t.client->wait_output("\n");
  t.ended();
  CHECK(t.client->wait_exit());
  CHECK(watcher.wait_exit());
  CHECK(watcher.output[1].size() == 8000001);
  CHECK(watcher.output[1].find_first_not_of('b') == 8000000);
}

TEST_CASE("a watcher that is overtaken by the log's ring is dropped") {
  TestTask t("head -c 3000000 /dev/zero; sleep 100");
  t.job.log_cap_bytes = 400000;
  t.start();
  auto [c, c_shim] = pair_of(SOCK_STREAM);
  t.say(LinkType::client, to_binary(AttachClient{}), {c_shim.get()});
  c_shim.reset();
  TestClient watcher(std::move(c));
  while (t.client->output[1].size() < 3000000) REQUIRE(t.client->step());
  while (watcher.step()) {
  }
  CHECK(!watcher.exit);
}

TEST_CASE("a task survives its daemon, and the next one adopts it with the secret") {
  TestTask t("echo up; read x; exit 8");
  t.job.stdin_mode = Stdio::pipe;
  t.start();
  CHECK(t.client->wait_output("up"));
  t.link.reset();
  const std::string path = t.socket_dir + "/shim.sock";
  auto wrong = connect_unix(path, SocketType::seqpacket);
  REQUIRE(wrong.ok());
  CHECK(send_link(wrong->get(), LinkType::hello, to_binary(Hello{"open sesamy"}), {}).ok());
  CHECK(wait_readable(wrong->get()));
  CHECK(!recv_link(wrong->get()).ok());
  auto rude = connect_unix(path, SocketType::seqpacket);
  REQUIRE(rude.ok());
  CHECK(send_link(rude->get(), LinkType::stop, to_binary(StopRequest{}), {}).ok());
  CHECK(wait_readable(rude->get()));
  CHECK(!recv_link(rude->get()).ok());

  auto fresh = connect_unix(path, SocketType::seqpacket);
  REQUIRE(fresh.ok());
  t.link = *std::move(fresh);
  t.say(LinkType::hello, to_binary(Hello{"open sesame"}));
  auto m = t.next_of(LinkType::state);
  REQUIRE(m);
  const auto s = from_binary<ShimState>(m->payload);
  REQUIRE(s.ok());
  CHECK(!s->ended);
  CHECK(s->started.pid == 2);
  t.client->send(FrameType::input, "\n");
  CHECK(t.ended().outcome.code == 8);
  const auto x = t.client->wait_exit();
  REQUIRE(x);
  CHECK(x->recorded);
}

TEST_CASE("without a daemon the end is recorded and told all the same") {
  TestTask t("echo up; read x; exit 8");
  t.job.stdin_mode = Stdio::pipe;
  t.start();
  CHECK(t.client->wait_output("up"));
  t.link.reset();
  t.client->send(FrameType::input, "\n");
  const auto x = t.client->wait_exit();
  REQUIRE(x);
  CHECK(!x->recorded);
  CHECK(x->outcome.code == 8);
  CHECK(t.wait_gone() == 8);
  CHECK(record_ended(t.recorded(), boot_id()));
}

TEST_CASE("a daemon that does not answer delays the end by two seconds only") {
  TestTask t("exit 0");
  t.start();
  REQUIRE(t.next_of(LinkType::ended));
  const int64_t from = monotonic_us();
  const auto x = t.client->wait_exit();
  REQUIRE(x);
  CHECK(!x->recorded);
  CHECK(monotonic_us() - from > 1500000);
  CHECK(monotonic_us() - from < 4000000);
}

TEST_CASE("signals that a task sends to its PID 1 have no effect") {
  TestTask t("kill -TERM 1; kill -INT 1; kill -KILL 1; kill -STOP 1; sleep 0.1; echo alive");
  t.start();
  const Ended e = t.ended();
  CHECK(e.outcome.cause == Cause::exited);
  CHECK(t.client->wait_exit());
  CHECK(t.client->output[1] == "alive\n");
}

TEST_CASE("frames that come in single bytes are understood, unknown ones skipped") {
  TestTask t("read x; echo got $x");
  t.job.stdin_mode = Stdio::pipe;
  t.start();
  const auto frame = [](uint8_t type, const std::string& payload) {
    const FrameHeader h{type, 0, 0, static_cast<uint32_t>(payload.size())};
    return std::string(reinterpret_cast<const char*>(&h), sizeof h) + payload;
  };
  const std::string bytes =
      frame(99, std::string(100, 'u')) + frame(2 + 200, "") + frame(1, "word\n");
  for (const char b : bytes) {
    t.client->send_raw(std::string(1, b));
    usleep(200);
  }
  t.ended();
  CHECK(t.client->wait_exit());
  CHECK(t.client->output[1] == "got word\n");
}

TEST_SUITE_END();
