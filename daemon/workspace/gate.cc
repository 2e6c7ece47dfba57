// SPDX-License-Identifier: Apache-2.0
#include "daemon/workspace/gate.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "core/base/path.h"
#include "daemon/workspace/gate_config.h"
#include "daemon/workspace/gate_git.h"
#include "daemon/workspace/gate_names.h"

namespace codexos::daemon {
namespace {

constexpr size_t kReadLimit = 1 << 20;  // a git config, an exclude file

constexpr const char* kSpelled = "another system takes the name for git's own folder";
constexpr const char* kNotAFolder = "it tells git where to find the repository";
constexpr const char* kEmbedded =
    "a folder that git takes for a repository, whose settings it then obeys";
constexpr const char* kRepositoryGone = "the repository itself goes";
constexpr const char* kNotData = "git obeys it";
constexpr const char* kLockLeft = "git did not end in the task: its lock would stop yours";
constexpr const char* kHidesName = "it stands where a protected folder is looked for";

struct Path {  // of a folder inside the root, "" is the root
  static std::string join(const std::string& dir, const std::string& name) {
    return dir.empty() ? name : dir + "/" + name;
  }
  static std::string parent(const std::string& path) {
    const size_t slash = path.rfind('/');
    return slash == std::string::npos ? std::string() : path.substr(0, slash);
  }
  static std::string name(const std::string& path) {
    const size_t slash = path.rfind('/');
    return slash == std::string::npos ? path : path.substr(slash + 1);
  }
};

/// What makes a folder a git dir for git (setup.c, is_git_directory): HEAD, and objects and refs,
/// in it or where its commondir says.
enum : unsigned { kHead = 1, kObjects = 2, kRefs = 4, kCommondir = 8 };
struct Mark {
  std::string_view name, normal;
  unsigned bit;
};
constexpr Mark kMarks[] = {{"HEAD", "head", kHead},
                           {"objects", "objects", kObjects},
                           {"refs", "refs", kRefs},
                           {"commondir", "commondir", kCommondir}};
bool is_repository(unsigned bits) {
  return (bits & kHead) != 0 &&
         ((bits & kCommondir) != 0 || (bits & (kObjects | kRefs)) == (kObjects | kRefs));
}

class Gate {
 public:
  Gate(const std::vector<Delta>& deltas, const GateView& view, const GateOptions& options)
      : deltas_(deltas), view_(view), names_(options.names) {
    if (options.git_dir) dirs_.push_back(GitDir{"", true, false, -1});
  }

  std::vector<Protected> run() {
    look_at_deltas();
    find_pointed_at();
    Folder root;
    root.in_before = true;
    if (dirs_.empty())
      enter_git("", "", root);
    else
      root.git = 0;
    folders_.emplace("", std::move(root));
    std::vector<Protected> out;
    for (const auto& d : deltas_)
      if (auto p = judge(d)) out.push_back(*std::move(p));
    return out;
  }

 private:
  struct GitDir {
    std::string path;
    bool existed;  // as a git dir, so it is the user's own
    bool dot_git;  // named .git, where git looks for one
    int outer;     // the git dir around it, or -1
  };
  /// What a folder's path says about everything in it.
  struct Folder {
    const char* why = nullptr;  // lies in, or is, a protected thing
    std::string what;           // which
    ProtectedNames::Steps steps;
    int git = -1;  // the innermost git dir
    bool in_before = false;
  };

  void look_at_deltas() {
    for (const auto& d : deltas_) {
      if (d.before && d.before->is_dir() && (!d.after || !d.after->is_dir())) gone_.insert(d.path);
      if (d.after) mark(d.path);
    }
  }

  /// Notes for each folder above which of the marks of a git dir the merged state has.
  void mark(const std::string& path) {
    for (size_t begin = 0; begin <= path.size();) {
      const size_t end = std::min(path.find('/', begin), path.size());
      const std::string_view name = std::string_view(path).substr(begin, end - begin);
      if (name.size() >= 4)
        for (const auto& m : kMarks)
          if (may_begin(name[0], m.normal[0]) && normal_name(name) == m.normal)
            marks_[path.substr(0, begin == 0 ? 0 : begin - 1)] |= m.bit;
      begin = end + 1;
    }
  }

  static bool may_begin(char c, char lower) {
    return static_cast<unsigned char>(c) >= 0x80 || (c | 0x20) == lower;
  }

  bool in_before(const std::string& path) const { return view_.mode_before(path).has_value(); }

  /// Names that are links now, and where the repository's own settings point: what git or an editor
  /// finds there is protected under its real name.
  void find_pointed_at() {
    for (const auto& [path, why] : names_.plain()) {
      const auto mode = view_.mode_before(path);
      if (!mode || !S_ISLNK(*mode)) continue;
      const auto target = view_.link_before(path);
      if (target.ok()) point_at(Path::parent(path), *target, why);
    }
    const auto mode = view_.mode_before(".git/config");
    if (!mode || !S_ISREG(*mode)) return;
    const auto text = view_.read(GateSide::before, ".git/config", kReadLimit);
    const auto entries = text.ok() ? parse_git_config(*text) : text.error();
    if (!entries.ok()) return;
    for (const auto& e : *entries)
      if (e.key == "core.hookspath")
        point_at("", e.value, "git runs what is in it (core.hooksPath)");
  }

  void point_at(const std::string& from, const std::string& target, const char* why) {
    if (target.empty() || target[0] == '/') return;
    const std::string path = normal_path(join_path("/" + from, target)).substr(1);
    if (!path.empty()) pointed_at_.emplace(path, why);
  }

  const Folder& folder(const std::string& path) {
    const auto known = folders_.find(path);
    if (known != folders_.end()) return known->second;
    const std::string name = Path::name(path);
    Folder f = folder(Path::parent(path));  // what is above holds for it too
    if (f.in_before) {
      const auto mode = view_.mode_before(path);
      f.in_before = mode && S_ISDIR(*mode);
    }
    if (f.why == nullptr) enter_names(path, name, f);
    if (f.why == nullptr) enter_git(path, name, f);
    return folders_.emplace(path, std::move(f)).first->second;
  }

  /// The names of one component; inside of a git dir they are data, branches for example.
  void enter_names(const std::string& path, const std::string& name, Folder& f) {
    const auto protect = [&](const char* why) {
      f.why = why;
      f.what = path;
    };
    for (const auto& normal : normal_names(name)) {
      if (is_dot_git(normal) && name != ".git") return protect(kSpelled);
      if (f.git >= 0) continue;
      if (const char* why = names_.next(normal, f.steps); why != nullptr) return protect(why);
    }
    const auto pointed = pointed_at_.find(path);
    if (pointed != pointed_at_.end()) protect(pointed->second);
  }

  void enter_git(const std::string& path, const std::string& name, Folder& f) {
    if (name == ".git") {
      dirs_.push_back(GitDir{path, f.in_before, true, f.git});
    } else {
      unsigned before = 0, now = 0;
      const auto marked = marks_.find(path);
      if (marked != marks_.end()) now = marked->second;
      if (f.in_before)
        for (const auto& m : kMarks)
          if (((before | now) & kHead) != 0 || m.bit == kHead)
            if (in_before(Path::join(path, std::string(m.name)))) before |= m.bit;
      if (!is_repository(before | now)) return;
      dirs_.push_back(GitDir{path, is_repository(before), false, f.git});
    }
    f.git = static_cast<int>(dirs_.size()) - 1;
  }

  bool gone_with_parent(const std::string& what) const {
    for (std::string p = Path::parent(what); !p.empty(); p = Path::parent(p))
      if (gone_.count(p) != 0) return true;
    return false;
  }

  std::optional<Protected> protect(const Delta& d, const std::string& what, std::string why) const {
    if (!d.after && gone_with_parent(what)) return std::nullopt;
    return Protected{d.path, what, std::move(why)};
  }

  std::optional<Protected> judge(const Delta& d) {
    const std::string name = Path::name(d.path);
    const bool folder_now = d.after && d.after->is_dir();
    const bool folder_before = d.before && d.before->is_dir();
    // As a folder, everything that is said about folders holds; what else it can be has a name,
    // too.
    Folder f = folder(Path::parent(d.path));
    if (f.why == nullptr) enter_names(d.path, name, f);
    if (f.why != nullptr) return protect(d, f.what, f.why);
    if (name == ".git") return judge_dot_git(d, folder_now, folder_before);
    if (folder_now || folder_before) {
      const int git = folder(d.path).git;
      if (git >= 0 && dirs_[static_cast<size_t>(git)].path == d.path) f.git = git;
    }
    if (f.git >= 0) return judge_in_git(d, f.git);
    return judge_partial(d, f, folder_now, folder_before);
  }

  std::optional<Protected> judge_dot_git(const Delta& d, bool folder_now, bool folder_before) {
    if ((d.after && !folder_now) || (d.before && !folder_before))
      return protect(d, d.path, kNotAFolder);
    if (!d.after) return protect(d, d.path, kRepositoryGone);
    return std::nullopt;
  }

  std::optional<Protected> judge_in_git(const Delta& d, int innermost) {
    for (int i = innermost; i >= 0; i = dirs_[static_cast<size_t>(i)].outer) {
      const GitDir& git = dirs_[static_cast<size_t>(i)];
      if (!git.existed && !git.dot_git) return protect(d, git.path, kEmbedded);
      if (gone_.count(git.path) != 0) return protect(d, git.path, kRepositoryGone);
      if (d.path.size() > git.path.size()) {
        const size_t skip = git.path.empty() ? 0 : git.path.size() + 1;
        if (auto p = judge_part(d, git, d.path.substr(skip))) return p;
      }
      if (git.existed) return std::nullopt;  // the user's own: what is around it has no say
    }
    return std::nullopt;
  }

  std::optional<Protected> judge_part(const Delta& d, const GitDir& git, const std::string& rel) {
    const std::string what = Path::join(git.path, rel.substr(0, rel.find('/')));
    switch (git_part(rel, d)) {
      case GitPart::data:
        return std::nullopt;
      case GitPart::config:
        return judge_config(d);
      case GitPart::exclude: {
        const auto text = d.after ? view_.read(GateSide::after, d.path, kReadLimit)
                                  : Result<std::string>(Error{Code::not_found, {}, {}});
        if (text.ok() && excludes_nothing(*text)) return std::nullopt;
        return protect(d, d.path, "it hides files from git");
      }
      case GitPart::other:
        break;
    }
    const bool lock = rel.size() > 5 && rel.compare(rel.size() - 5, 5, ".lock") == 0;
    return protect(d, what, lock ? kLockLeft : kNotData);
  }

  std::optional<Protected> judge_config(const Delta& d) {
    std::string before, after;
    const auto read = [&](GateSide side, std::string& text) -> Status {
      CODEXOS_ASSIGN(text, view_.read(side, d.path, kReadLimit));
      return {};
    };
    Status s;
    if (d.before) s = read(GateSide::before, before);
    if (s.ok() && d.after) s = read(GateSide::after, after);
    const auto keys = s.ok() ? risky_keys(before, after) : s.error();
    if (!keys.ok()) return protect(d, d.path, keys.error().message);
    if (keys->empty()) return std::nullopt;
    std::string why = "it changes what git obeys: ";
    for (size_t i = 0; i < keys->size() && i < 5; ++i) why += (i == 0 ? "" : ", ") + (*keys)[i];
    return protect(d, d.path, why + (keys->size() > 5 ? ", …" : ""));
  }

  /// Where a name has several components, its first ones: a link in their place leads anywhere, and
  /// with the folder goes what is protected in it.
  std::optional<Protected> judge_partial(const Delta& d, const Folder& f, bool folder_now,
                                         bool folder_before) {
    for (const auto& step : f.steps) {
      const std::string whole = Path::join(d.path, names_.rest(step));
      if ((d.after && !folder_now && S_ISLNK(d.after->mode)) ||
          (d.before && !folder_before && S_ISLNK(d.before->mode)))
        return protect(d, d.path, kHidesName);
      if (folder_before && !folder_now && in_before(whole))
        return protect(d, d.path, names_.why(step));
    }
    return std::nullopt;
  }

  const std::vector<Delta>& deltas_;
  const GateView& view_;
  ProtectedNames names_;
  std::vector<GitDir> dirs_;
  std::unordered_map<std::string, Folder> folders_;
  std::unordered_map<std::string, unsigned> marks_;
  std::unordered_map<std::string, const char*> pointed_at_;
  std::unordered_set<std::string> gone_;
};

class LayerView final : public GateView {
 public:
  explicit LayerView(const LayerStack& layers) : layers_(layers) {}

  std::optional<uint32_t> mode_before(const std::string& path) const override {
    const auto facts = layers_.look_before(path);
    return facts ? std::optional<uint32_t>(facts->mode) : std::nullopt;
  }
  Result<std::string> link_before(const std::string& path) const override {
    return read_link_below(layers_.base(), path);
  }
  Result<std::string> read(GateSide side, const std::string& path, size_t limit) const override {
    const Fd fd = side == GateSide::before ? open_below(layers_.base(), path, O_RDONLY)
                                           : layers_.open_merged(path);
    if (!fd) return errno_error("open " + path, errno);
    struct stat st {};
    if (fstat(fd.get(), &st) != 0) return errno_error("stat " + path, errno);
    if (!S_ISREG(st.st_mode)) return Error{Code::invalid, path + " is not a file", {}};
    if (static_cast<uint64_t>(st.st_size) > limit)
      return Error{Code::exhausted, path + " is too large", {}};
    std::string text(limit + 1, '\0');
    size_t n = 0;
    while (n < text.size()) {
      const ssize_t got = ::read(fd.get(), text.data() + n, text.size() - n);
      if (got < 0) return errno_error("read " + path, errno);
      if (got == 0) break;
      n += static_cast<size_t>(got);
    }
    if (n > limit) return Error{Code::exhausted, path + " is too large", {}};
    text.resize(n);
    return text;
  }

 private:
  const LayerStack& layers_;
};

}  // namespace

std::vector<Protected> find_protected(const std::vector<Delta>& deltas, const GateView& view,
                                      const GateOptions& options) {
  return Gate(deltas, view, options).run();
}

std::vector<Protected> find_protected(const std::vector<Delta>& deltas, const LayerStack& layers,
                                      const GateOptions& options) {
  return find_protected(deltas, LayerView(layers), options);
}

}  // namespace codexos::daemon
