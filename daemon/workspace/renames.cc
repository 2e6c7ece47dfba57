// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/renames.h"

#include <git2/sys/hashsig.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "daemon/workspace/content.h"
#include "daemon/workspace/libgit2.h"

namespace codexos::daemon {
namespace {

constexpr int kLeastSimilar = 50;             // percent, as git's default
constexpr uint64_t kExactBytes = 256 << 20;   // read for comparing whole files
constexpr size_t kExactTries = 20000;         // pairs of files of one size
constexpr uint64_t kSimilarBytes = 64 << 20;  // read for comparing text
constexpr uint64_t kSimilarFile = 1 << 20;    // larger files are renamed only as they are
constexpr size_t kPairs = 40000;              // compared by their signatures

std::string_view name_of_path(std::string_view path) { return path.substr(path.rfind('/') + 1); }

class Finder {
 public:
  Finder(const LayerStack& stack, const std::vector<Delta>& deltas)
      : stack_(stack), deltas_(deltas), used_(deltas.size(), false) {
    for (size_t i = 0; i < deltas.size(); ++i) {
      const Delta& d = deltas[i];
      if (d.status == 'D' && d.before && d.before->is_file() && d.before->size > 0)
        gone_.push_back(i);
      if (d.status == 'A' && d.after && d.after->is_file() && d.after->size > 0) made_.push_back(i);
    }
  }
  std::vector<Rename> run() {
    if (gone_.empty() || made_.empty()) return {};
    exact();
    similar();
    return std::move(out_);
  }

 private:
  uint64_t size_of(size_t i) const {
    return deltas_[i].status == 'D' ? deltas_[i].before->size : deltas_[i].after->size;
  }
  void pair(size_t from, size_t to, int similarity) {
    used_[from] = used_[to] = true;
    out_.push_back({from, to, similarity});
  }

  // --- the same bytes ---------------------------------------------------------------------------

  void exact() {
    std::map<uint64_t, std::vector<size_t>> gone_by_size;
    for (const size_t i : gone_) gone_by_size[size_of(i)].push_back(i);
    uint64_t budget = kExactBytes;
    size_t tries = 0;
    for (const size_t to : made_) {
      const auto candidates = gone_by_size.find(size_of(to));
      if (candidates == gone_by_size.end()) continue;
      const auto find = [&](bool same_name) {
        for (const size_t from : candidates->second) {
          const bool same = name_of_path(deltas_[from].path) == name_of_path(deltas_[to].path);
          if (used_[from] || same != same_name) continue;
          if (size_of(to) > budget || ++tries > kExactTries) return false;
          budget -= size_of(to);
          if (!same_content(from, to)) continue;
          pair(from, to, 100);
          return true;
        }
        return false;
      };
      if (!find(true)) (void)find(false);
    }
  }
  bool same_content(size_t from, size_t to) const {
    const Fd a = stack_.open_before(deltas_[from]), b = stack_.open_after(deltas_[to]);
    return a && b && same_bytes(a.get(), b.get());
  }

  // --- similar text -----------------------------------------------------------------------------

  using Signature = GitPtr<git_hashsig, git_hashsig_free>;
  struct Scored {
    int score = 0;
    size_t from = 0, to = 0;
  };

  void similar() {
    const std::vector<size_t> gone = left(gone_), made = left(made_);
    if (gone.empty() || made.empty() || gone.size() > kPairs / made.size()) return;
    use_libgit2();
    std::map<size_t, Signature> signatures;
    std::vector<Scored> scored;
    for (const size_t to : made) {
      for (const size_t from : gone) {
        const uint64_t less = std::min(size_of(from), size_of(to));
        if (std::max(size_of(from), size_of(to)) > less * 2) continue;
        const git_hashsig* a = signature(signatures, from);
        const git_hashsig* b = signature(signatures, to);
        if (a == nullptr || b == nullptr) continue;
        const int score = std::min(git_hashsig_compare(a, b), 99);  // equal bytes were found before
        if (score >= kLeastSimilar) scored.push_back({score, from, to});
      }
    }
    std::stable_sort(scored.begin(), scored.end(),
                     [](const Scored& a, const Scored& b) { return a.score > b.score; });
    for (const Scored& s : scored)
      if (!used_[s.from] && !used_[s.to]) pair(s.from, s.to, s.score);
  }
  std::vector<size_t> left(const std::vector<size_t>& all) const {
    std::vector<size_t> out;
    for (const size_t i : all)
      if (!used_[i] && size_of(i) <= kSimilarFile) out.push_back(i);
    return out;
  }
  /// Null: it cannot be read, or too much was.
  const git_hashsig* signature(std::map<size_t, Signature>& signatures, size_t i) {
    const auto known = signatures.find(i);
    if (known != signatures.end()) return known->second.get();
    Signature& made = signatures[i];
    if (size_of(i) > similar_budget_) return nullptr;
    similar_budget_ -= size_of(i);
    const auto content = load_content(
        stack_, deltas_[i], deltas_[i].status == 'D' ? When::before : When::after, kSimilarFile);
    if (!content.ok()) return nullptr;
    const auto options =
        static_cast<git_hashsig_option_t>(GIT_HASHSIG_NORMAL | GIT_HASHSIG_ALLOW_SMALL_FILES);
    if (git_hashsig_create(made.out(), content->data(), content->size(), options) != 0)
      return nullptr;
    return made.get();
  }

  const LayerStack& stack_;
  const std::vector<Delta>& deltas_;
  std::vector<bool> used_;
  std::vector<size_t> gone_, made_;
  std::vector<Rename> out_;
  uint64_t similar_budget_ = kSimilarBytes;
};

}  // namespace

std::vector<Rename> find_renames(const LayerStack& stack, const std::vector<Delta>& deltas) {
  return Finder(stack, deltas).run();
}

}  // namespace codexos::daemon
