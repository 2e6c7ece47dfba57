// SPDX-License-Identifier: Apache-2.0
// .gitignore files of a task, and pathspecs (daemon/workspace/ignore.h). What is found to be
// ignored is the path itself or a folder that holds it, and the answer is the same whoever was
// asked about before; no pattern takes long.
#include "daemon/workspace/ignore.h"

#include "tests/fuzz/fuzz.h"

using namespace codexos;
using namespace codexos::daemon;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  static constexpr const char* kPaths[] = {"a",     "a/b",       "a/b/c.o",        "build/x",
                                           "d e/f", ".git/info", "a/a/a/a/a/a/a/b"};
  std::string path = in.PickValueInArray(kPaths);
  if (in.ConsumeBool()) path += "/" + in.ConsumeRandomLengthString(32);
  const bool is_folder = in.ConsumeBool();
  const std::string spec = in.ConsumeRandomLengthString(64);
  const std::string last = in.ConsumeRandomLengthString(64);
  const std::string text = in.ConsumeRemainingBytesAsString();
  const bool odd = path.find("//") != std::string::npos || path.ends_with('/') ||
                   path.find('\0') != std::string::npos;
  if (odd) return 0;
  (void)match_pathspec(spec, path);
  const auto read = [&text](const std::string& folder) {
    return folder.size() <= 1 ? text : std::string();
  };
  IgnoreRules fresh(read), asked(read);
  fresh.add_last(last);
  asked.add_last(last);
  for (const char* p : kPaths) (void)asked.ignored(p, false);
  const std::string found = fresh.ignored(path, is_folder);
  CODEXOS_CHECK(found == asked.ignored(path, is_folder));
  CODEXOS_CHECK(found.empty() || found == path || path.starts_with(found + "/"));
  return 0;
}
