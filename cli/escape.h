// SPDX-License-Identifier: Apache-2.0
// What a program wrote must not drive the reader's terminal. EscapeFilter passes text, tab, line
// feed, carriage return, backspace and SGR (ECMA-48 8.3.117: colours) and shows every other control
// as text, ESC as ^[. It works on pieces of any size. Not a full terminal parser: it needs no state
// beyond one unfinished SGR and one unfinished UTF-8 sequence.
#pragma once

#include <string>
#include <string_view>

namespace codexos::cli {

class EscapeFilter {
 public:
  /// The safe form of `bytes`; what is unfinished is held back for the next call.
  std::string feed(std::string_view bytes);
  /// What was held back, and a reset of colours when one is on.
  std::string finish();

 private:
  void take(unsigned char c, std::string& out);
  void take_text(unsigned char c, std::string& out);
  void flush_held(std::string& out);

  std::string held_;         // begins with ESC or a UTF-8 lead byte
  size_t utf8_missing_ = 0;  // continuation bytes that held_ still needs
  bool colored_ = false;
};

/// A line of a file for a terminal: every control but tab as ^X, what is no UTF-8 as <xx>, and what
/// would turn the direction of text around (Unicode's bidirectional controls) as <U+202E>.
std::string harmless(std::string_view line);

/// One line of text from others (names, command lines) for tables and messages: every control as
/// \n, \t or \xNN, and so is every byte that is no UTF-8.
std::string printable(std::string_view s);

}  // namespace codexos::cli
