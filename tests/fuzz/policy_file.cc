// SPDX-License-Identifier: Apache-2.0
// Policy files (core/policy): YAML, read strictly. What is taken and written as JSON is a file that
// is taken as the same, and so is the text of the policy that comes out of it.
#include "core/policy/policy_file.h"

#include "core/json/json.h"
#include "core/policy/policy_text.h"
#include "tests/fuzz/fuzz.h"

using namespace codexos;

namespace {

void check_policy(const policy::PolicyFile& file, policy::Rank rank) {
  const auto again = policy::load_policy(json::encode(file), "again", rank);
  CODEXOS_CHECK(again.ok());
  CODEXOS_CHECK(json::encode(*again) == json::encode(file));
  policy::Inputs in;
  in.given = {&file, "given"};
  in.home = "/home/u";
  in.workspace = "/home/u/w";
  const auto resolved = policy::resolve(in);
  if (!resolved.ok()) return;
  CODEXOS_CHECK(policy::within(resolved->rights, resolved->rights));
  const std::string text = policy::policy_text(resolved->sources);
  const auto as_text = policy::load_policy(text, "text", policy::Rank::given);
  CODEXOS_CHECK(as_text.ok());
  in.given = {&*as_text, "given"};
  const auto same = policy::resolve(in);
  CODEXOS_CHECK(same.ok());
  CODEXOS_CHECK(json::encode(same->rights) == json::encode(resolved->rights));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input in(data, size);
  using policy::Rank;
  const Rank rank = in.PickValueInArray({Rank::system, Rank::user, Rank::project, Rank::given});
  const std::string text = in.ConsumeRemainingBytesAsString();
  const auto read = policy::read_policy(text, "file", rank);
  if (read.problems.empty()) check_policy(read.file, rank);
  return 0;
}
