// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/merge.h"

#include "daemon/workspace/libgit2.h"

namespace codexos::daemon {
namespace {

constexpr size_t kLookAt = 8000;  // as git's buffer_is_binary()

git_merge_file_input input(const std::string& text, const std::string& path) {
  git_merge_file_input in{};
  git_merge_file_input_init(&in, GIT_MERGE_FILE_INPUT_VERSION);
  in.ptr = text.data();
  in.size = text.size();
  in.path = path.c_str();
  in.mode = 0100644;
  return in;
}

}  // namespace

Result<MergedText> merge_texts(const std::string& base, const std::string& now,
                               const std::string& after, const std::string& path,
                               const std::string& task) {
  MergedText out;
  // What only one side changed needs no library, and works for what is no text.
  if (now == after || after == base) {
    out.text = now;
    return out;
  }
  if (now == base) {
    out.text = after;
    return out;
  }
  use_libgit2();
  const auto a = input(base, path), b = input(now, path), c = input(after, path);
  git_merge_file_options options{};
  git_merge_file_options_init(&options, GIT_MERGE_FILE_OPTIONS_VERSION);
  const std::string theirs = "task " + task;
  options.ancestor_label = "before";
  options.our_label = "here";
  options.their_label = theirs.c_str();
  options.flags = GIT_MERGE_FILE_STYLE_DIFF3;
  git_merge_file_result result{};
  if (git_merge_file(&result, &a, &b, &c, &options) != 0)
    return Error{Code::internal, "merge " + path + ": " + libgit2_error(), {}};
  out.clean = result.automergeable != 0;
  out.text.assign(result.ptr == nullptr ? "" : result.ptr, result.len);
  git_merge_file_result_free(&result);
  return out;
}

bool is_mergeable_text(std::string_view content) {
  return content.size() <= kMergeLimit &&
         content.substr(0, kLookAt).find('\0') == std::string_view::npos;
}

}  // namespace codexos::daemon
