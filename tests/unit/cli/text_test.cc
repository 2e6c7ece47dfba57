// SPDX-License-Identifier: Apache-2.0
// The pure parts: values, suggestions, environment, escapes, stdio, frames, help.
#include <doctest/doctest.h>

#include "cli/completion.h"
#include "cli/environment.h"
#include "cli/escape.h"
#include "cli/help.h"
#include "cli/relay.h"
#include "cli/render.h"
#include "cli/stdio.h"
#include "cli/suggest.h"
#include "cli/values.h"
#include "core/base/text.h"

using namespace codexos;
using namespace codexos::cli;

TEST_CASE("durations carry units") {
  CHECK(*parse_size("2GiB") == uint64_t{2} << 30);
  CHECK(*parse_size("64k") == 65536);
  CHECK(*parse_size("500MB") == 500'000'000);
  CHECK(*parse_size("1.5K") == 1536);
  CHECK(*parse_size("100") == 100);
  for (const char* bad : {"", "x", "5X", "5KiBs", "-1", "MiB", "5 M"})
    CHECK_MESSAGE(!parse_size(bad).ok(), bad);
  CHECK(*parse_duration("90s") == 90000);
  CHECK(*parse_duration("30m") == 1800000);
  CHECK(*parse_duration("1h30m") == 5400000);
  CHECK(*parse_duration("500ms") == 500);
  CHECK(*parse_duration("1.5h") == 5400000);
  CHECK(*parse_duration("2d") == 172800000);
  CHECK(*parse_duration("7") == 7000);
  CHECK(*parse_duration("0") == 0);
  CHECK(*parse_duration("0.1ms") == 1);  // never rounded to "no limit"
  for (const char* bad : {"", "s", "5x", "-1s", "1h30", "1e9s", "1..5s", "99999999999d", " 1s"})
    CHECK_FALSE(parse_duration(bad).ok());
}

TEST_CASE("signals have names and numbers") {
  CHECK(*parse_signal("KILL") == 9);
  CHECK(*parse_signal("sigterm") == 15);
  CHECK(*parse_signal("10") == 10);
  CHECK(parse_signal("TREM").error().hint == "did you mean TERM?");
  CHECK_FALSE(parse_signal("0").ok());
  CHECK_FALSE(parse_signal("65").ok());
  CHECK(signal_name(9) == "KILL");
}

TEST_CASE("the nearest word within two edits is suggested") {
  CHECK(edit_distance("rnu", "run") == 1);
  CHECK(edit_distance("", "ab") == 2);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(suggest("inspct", {"inspect", "diff"}) == "inspect");
  CHECK(suggest("xyz", {"run", "ps"}).empty());
  CHECK(suggest("ls", {"ps", "rm"}).empty());  // too short to be sure
}

TEST_CASE("words are quoted so that a shell reads them back") {
  CHECK(quote_word("a-b/c.d") == "a-b/c.d");
  CHECK(quote_word("") == "''");
  CHECK(quote_word("it's") == "'it'\\''s'");
  CHECK(quote_words({"sh", "-c", "a b"}) == "sh -c 'a b'");
}

TEST_CASE("paths become absolute") {
  CHECK(absolute_path("a", "/w", "/h") == "/w/a");
  CHECK(absolute_path("./a", "/", "/h") == "/a");
  CHECK(absolute_path(".", "/w", "/h") == "/w");
  CHECK(absolute_path("~/x", "/w", "/h") == "/h/x");
  CHECK(absolute_path("~x", "/w", "/h") == "/w/~x");
  CHECK(absolute_path("/a", "/w", "/h") == "/a");
}

TEST_CASE("-e sets, passes and globs; files come first") {
  const Variables all{{"AWS_A", "1"}, {"AWS_B", "2"}, {"PATH", "/bin"}, {"LC_ALL", "C"}};
  Variables out;
  REQUIRE(add_env_option("X=a=b", all, out).ok());
  REQUIRE(add_env_option("PATH", all, out).ok());
  REQUIRE(add_env_option("UNSET", all, out).ok());
  REQUIRE(add_env_option("AWS_*", all, out).ok());
  CHECK(out == Variables{{"X", "a=b"}, {"PATH", "/bin"}, {"AWS_A", "1"}, {"AWS_B", "2"}});
  CHECK_FALSE(add_env_option("=x", all, out).ok());
  Variables file;
  REQUIRE(add_env_file("# comment\nA=1\r\n\n PATH\nB= two words \n", all, file).ok());
  CHECK(file == Variables{{"A", "1"}, {"PATH", "/bin"}, {"B", " two words "}});
  CHECK(add_env_file("A=1\n=2\n", all, file).error().message.starts_with("line 2"));
  CHECK(caller_variables(all) == Variables{{"PATH", "/bin"}, {"LC_ALL", "C"}});
}

namespace {
std::string filtered(std::string_view bytes) {
  EscapeFilter f;
  std::string whole = f.feed(bytes);
  whole += f.finish();
  // The same in pieces of one byte.
  EscapeFilter g;
  std::string pieces;
  for (const char c : bytes) pieces += g.feed({&c, 1});
  pieces += g.finish();
  CHECK(whole == pieces);
  return whole;
}
}  // namespace

TEST_CASE("colours pass, every other escape becomes text") {
  CHECK(filtered("\x1b[31mred\x1b[0m\n") == "\x1b[31mred\x1b[0m\n");
  CHECK(filtered("\x1b[38;2;1;2;3mx") == "\x1b[38;2;1;2;3mx\x1b[0m");
  CHECK(filtered("\x1b]0;title\x07") == "^[]0;title^G");
  CHECK(filtered("\x1b[2J") == "^[[2J");
  CHECK(filtered("\x1b[?1049h") == "^[[?1049h");
  CHECK(filtered("\x1bP1\x1b\\") == "^[P1^[\\");
  CHECK(filtered("\x1b[31") == "^[[31");
  CHECK(filtered("\x1b\x1b[1m") == "^[\x1b[1m\x1b[0m");
  CHECK(filtered("\xc2\x9b"
                 "2J") == "<9b>2J");
  CHECK(filtered("\x9b"
                 "2J") == "<9b>2J");
  CHECK(filtered("a\tb\r\n\b") == "a\tb\r\n\b");
  CHECK(filtered("ä€😀") == "ä€😀");
  CHECK(filtered("\xe2\x82") == "<e2><82>");
  CHECK(filtered("\x0e\x7f") == "^N^?");
}

TEST_CASE("names of others cannot break a line") {
  CHECK(printable("a\nb\x1b[2J\t") == "a\\nb\\x1b[2J\\t");
  CHECK(printable("\xc2\x9bx ä") == "\\u009bx ä");
  CHECK(printable("caf\xe9 \xf0\x9f\x98") == "caf\\xe9 \\xf0\\x9f\\x98");
}

TEST_CASE("each of 0, 1, 2 takes its own way") {
  using S = Sort;
  const auto choose = [](S in, S out, S err, StdioWish w = {}) {
    return choose_stdio({in, out, err}, w);
  };
  auto c = choose(S::terminal, S::terminal, S::terminal);
  CHECK(c.mode == std::array{Stdio::pty, Stdio::pty, Stdio::pty});
  CHECK(c.raw_input);
  CHECK(c.terminal_fd == 1);
  c = choose(S::terminal, S::passable, S::terminal);
  CHECK(c.mode == std::array{Stdio::pty, Stdio::passed, Stdio::pty});
  CHECK(c.terminal_fd == 2);
  c = choose(S::passable, S::null, S::other);
  CHECK(c.mode == std::array{Stdio::pipe, Stdio::passed, Stdio::pipe});
  CHECK(c.forward_input);
  CHECK_FALSE(c.raw_input);
  c = choose(S::null, S::closed, S::closed);
  CHECK(c.mode == std::array{Stdio::null, Stdio::null, Stdio::null});
  CHECK_FALSE(c.forward_input);
  StdioWish detach;
  detach.detach = true;
  c = choose(S::terminal, S::terminal, S::passable, detach);
  CHECK(c.mode == std::array{Stdio::null, Stdio::pipe, Stdio::pipe});
  CHECK_FALSE(c.forward_input);
  StdioWish tty;
  tty.tty = true;
  c = choose(S::passable, S::passable, S::passable, tty);
  CHECK(c.mode == std::array{Stdio::pty, Stdio::pty, Stdio::pty});
  CHECK_FALSE(c.raw_input);
  StdioWish json;
  json.json = true;
  c = choose(S::terminal, S::terminal, S::terminal, json);
  CHECK(c.mode == std::array{Stdio::null, Stdio::pipe, Stdio::pipe});
}

TEST_CASE("ctrl-] d detaches, everything else passes") {
  const auto feed = [](std::initializer_list<std::string_view> pieces, bool& left) {
    DetachKeys k;
    std::string pass;
    left = false;
    for (const auto p : pieces) left = left || k.feed(p, pass);
    return pass;
  };
  bool left = false;
  CHECK(feed({"ab\x1d"
              "d!"},
             left) == "ab");
  CHECK(left);
  CHECK(feed({"a\x1d", "d"}, left) == "a");
  CHECK(left);
  CHECK(feed({"\x1d"
              "x"},
             left) ==
        "\x1d"
        "x");
  CHECK_FALSE(left);
  CHECK(feed({"\x1d\x1d"
              "d"},
             left) ==
        "\x1d"
        "d");
  CHECK_FALSE(left);
}

TEST_CASE("frames are read from pieces of any size") {
  const std::string bytes = make_frame(FrameType::output, 2, "hello") +
                            make_frame(FrameType::output_end, 1, "") +
                            make_frame(FrameType::note, 0, "x");
  for (const size_t size : {size_t{1}, size_t{3}, size_t{7}, bytes.size()}) {
    FrameReader r;
    std::vector<std::string> seen;
    for (size_t i = 0; i < bytes.size(); i += size) {
      r.feed(std::string_view(bytes).substr(i, size));
      for (auto f = r.next(); f.ok() && *f; f = r.next())
        seen.push_back(std::to_string(static_cast<int>((*f)->type)) + ":" +
                       std::to_string((*f)->stream) + ":" + std::string((*f)->payload));
    }
    CHECK(seen == std::vector<std::string>{"16:2:hello", "17:1:", "18:0:x"});
  }
  FrameReader r;
  const FrameHeader long_one{16, 1, 0, kMaxFrame + 1};
  r.feed({reinterpret_cast<const char*>(&long_one), sizeof long_one});
  CHECK_FALSE(r.next().ok());
}

TEST_CASE("times and sizes are short") {
  CHECK(parse_time("1970-01-01T00:00:01.500000Z") == 1500000);
  CHECK(parse_time("nonsense") == 0);
  CHECK(age("1970-01-01T00:00:01.000000Z", 91000000) == "1m");
  CHECK(span_text(1500000) == "1.5 s");
  CHECK(span_text(3725000000) == "1h 2m");
  CHECK(size_text(1536) == "1.5 KiB");
  wire::ChangeCount c;
  c.added = 2;
  c.deleted = 1;
  CHECK(changes_text(c) == "2 added, 1 deleted");
}

TEST_CASE("a table keeps its columns and cuts only the last") {
  Table t({"A", "COMMAND"});
  t.add({"ä", "0123456789abcdef\n"});
  CHECK(t.text(0, false) == "A  COMMAND\nä  0123456789abcdef\\n\n");
  CHECK(t.text(15, false) == "A  COMMAND\nä  0123456789a…\n");
}

TEST_CASE("help fits a screen and ends with two examples") {
  for (const Command& c : commands()) {
    if (c.landed == Landed::later || c.group == Group::hidden) continue;
    CAPTURE(c.name);
    const std::string text = help_command(c);
    size_t lines = 0;
    for (std::string_view rest = text; !rest.empty();) {
      const size_t end = rest.find('\n');
      CHECK(columns_of(rest.substr(0, end)) <= 80);
      rest.remove_prefix(end + 1);
      ++lines;
    }
    CHECK(lines <= 48);
    for (const Example& e : c.examples)
      CHECK(text.find("\n  " + std::string(e.line)) != std::string::npos);
    CHECK(text.ends_with(std::string(c.examples[1].does) + "\n"));
  }
}

TEST_CASE("there is a completion script for each shell, with every landed command") {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const std::string text = completion_script(shell);
    for (const Command& c : commands()) {
      if (c.landed == Landed::later || c.group == Group::hidden) continue;
      CHECK(text.find(c.name) != std::string::npos);
    }
    CHECK(text.find("__ids") != std::string::npos);
    CHECK(text.find("--tools") == std::string::npos);
  }
  CHECK(completion_script("tcsh").empty());
}
