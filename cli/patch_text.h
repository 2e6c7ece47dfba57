// SPDX-License-Identifier: Apache-2.0
// A patch on a terminal: colours as git's, and nothing in a file's content or name that the
// terminal would obey. A patch that goes anywhere else is passed as it is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace codexos::cli {

class PatchText {
 public:
  explicit PatchText(bool color) : color_(color) {}
  /// Whole lines; what is unfinished waits for the next call.
  std::string feed(std::string_view bytes);
  std::string finish();

 private:
  std::string line(std::string_view text);
  /// "@@ -1,2 +3,4 @@": how many lines of each side follow.
  bool begins_hunk(std::string_view text);

  bool color_;
  std::string held_;
  uint64_t old_left_ = 0, new_left_ = 0;  // of the hunk
};

}  // namespace codexos::cli
