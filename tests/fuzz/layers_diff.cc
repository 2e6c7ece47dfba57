// SPDX-License-Identifier: Apache-2.0
// Diff on layers as a hostile task may leave them (daemon/workspace): files, links, fifos,
// whiteouts, opaque folders, odd names, a .git of its own, over a real folder that is as odd. The
// walk ends, tells each path once and in order, and says the same twice; the patch ends; and
// nothing of what lies beside the layers is ever read.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "core/os/file.h"
#include "daemon/workspace/diff.h"
#include "daemon/workspace/layers.h"
#include "daemon/workspace/patch.h"
#include "tests/fuzz/fuzz.h"

using namespace codexos;
using namespace codexos::daemon;

namespace {

constexpr size_t kMaxSteps = 24;

/// What no task has written, and no patch may hold.
const std::string& secret() {
  static const std::string text = "secret-" + std::to_string(getpid()) + "-beside-the-layers";
  return text;
}

struct Folders {
  Folders() {
    const char* tmp = getenv("TMPDIR");
    top = std::string(tmp == nullptr ? "/tmp" : tmp) + "/codexos-fuzz-XXXXXX";
    CODEXOS_CHECK(mkdtemp(top.data()) != nullptr);
    for (const char* folder : {"/layer", "/earlier"}) make(top + folder);
    for (const auto& folder : roots()) make(folder);
    const Fd beside(open((top + "/secret").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    CODEXOS_CHECK(write_all(beside.get(), secret()).ok());
  }
  ~Folders() { (void)remove_tree(top); }
  Folders(const Folders&) = delete;
  Folders& operator=(const Folders&) = delete;

  static void make(const std::string& path) { CODEXOS_CHECK(mkdir(path.c_str(), 0755) == 0); }
  std::array<std::string, 3> roots() const {
    return {top + "/real", top + "/layer/upper", top + "/earlier/upper"};
  }
  std::vector<Root> stack() const {
    Root r;
    r.path = top + "/real";
    r.layer = top + "/layer";
    r.lowers = {top + "/earlier/upper"};
    return {r};
  }
  std::string top;
};

/// A path of up to four names, most of them such that layers meet; never out of its root.
std::string pick_path(fuzz::Input& in) {
  static constexpr const char* kNames[] = {
      "a",     "b",          "A",    " ",    "x\ny",  "\xff", ".git",   "objects", "refs",
      "heads", ".gitignore", "HEAD", "info", "index", "main", "config", "exclude", "\"q"};
  std::string out;
  for (auto n = in.ConsumeIntegralInRange<int>(1, 4); n > 0; --n) {
    std::string name = in.PickValueInArray(kNames);
    if (in.ConsumeIntegralInRange<int>(0, 7) == 0) name = in.ConsumeRandomLengthString(12);
    const bool usable = !name.empty() && name != "." && name != ".." &&
                        name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
    out += "/" + (usable ? name : std::string("z"));
  }
  return out;
}

/// One thing more in one of the roots. What the file system refuses is left out.
void add_something(fuzz::Input& in, const std::string& root) {
  const std::string path = root + pick_path(in);
  // Never through a link that the input made: openat2(2) refuses it, as for the code under test.
  const Fd top(open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const size_t name_at = path.rfind('/') + 1;
  for (size_t slash = root.size() + 1; (slash = path.find('/', slash)) != std::string::npos;
       ++slash) {
    const std::string folder = path.substr(root.size() + 1, slash - root.size() - 1);
    if (open_below(top.get(), folder, O_PATH | O_DIRECTORY)) continue;
    const size_t cut = folder.rfind('/');
    const Fd above =
        open_below(top.get(), cut == std::string::npos ? "" : folder.substr(0, cut), O_PATH);
    if (mkdirat(above.get(), folder.substr(cut == std::string::npos ? 0 : cut + 1).c_str(), 0755) !=
        0)
      return;
  }
  const std::string inner = path.substr(root.size() + 1, name_at - root.size() - 1);
  const Fd folder = open_below(top.get(), inner.substr(0, inner.size() - (inner.empty() ? 0 : 1)),
                               O_RDONLY | O_DIRECTORY);
  const std::string name = path.substr(name_at);
  if (!folder) return;
  switch (in.ConsumeIntegralInRange<int>(0, 9)) {
    case 0:
    case 1:
    case 2: {
      const Fd file(openat(folder.get(), name.c_str(),
                           O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                           0644));
      struct stat st {};
      if (file && fstat(file.get(), &st) == 0 && S_ISREG(st.st_mode))
        (void)write_all(file.get(), in.ConsumeRandomLengthString(200));
      break;
    }
    case 3: {
      static constexpr const char* kTargets[] = {"a", "../../secret", "../../../secret", "/", "."};
      std::string target = in.PickValueInArray(kTargets);
      if (in.ConsumeBool()) target = in.ConsumeRandomLengthString(20);
      (void)!symlinkat(target.c_str(), folder.get(), name.c_str());
      break;
    }
    case 4:
      (void)mkfifoat(folder.get(), name.c_str(), 0600);
      break;
    case 5:
      (void)mknodat(folder.get(), name.c_str(), S_IFCHR | 0600, makedev(0, 0));
      break;
    case 6:
      (void)mkdirat(folder.get(), name.c_str(), 0755);
      break;
    case 7: {
      const bool opaque = in.ConsumeBool();
      const std::string value = in.ConsumeRandomLengthString(3);
      (void)fsetxattr(folder.get(), opaque ? "user.overlay.opaque" : "user.other",
                      opaque ? "y" : value.data(), opaque ? 1 : value.size(), 0);
      break;
    }
    case 8:
      (void)fchmodat(folder.get(), name.c_str(), in.ConsumeIntegral<uint16_t>() & 07777U,
                     AT_SYMLINK_NOFOLLOW);
      break;
    default: {
      const Fd file = open_below(folder.get(), name, O_RDONLY);
      static constexpr const char* kNames[] = {"user.overlay.whiteout", "user.overlay.metacopy",
                                               "user.overlay.redirect", "user.overlay.origin"};
      if (file) (void)fsetxattr(file.get(), in.PickValueInArray(kNames), "y", 1, 0);
      break;
    }
  }
}

std::vector<std::string> walk(const Folders& f, const WalkOptions& o) {
  const auto stack = LayerStack::open(f.stack()[0]);
  CODEXOS_CHECK(stack.ok());
  bool more = false;
  const auto deltas = stack->walk(o, more);
  CODEXOS_CHECK(deltas.ok());
  std::vector<std::string> out;
  for (const Delta& d : *deltas) {
    CODEXOS_CHECK(d.before || d.after);
    CODEXOS_CHECK(out.empty() || out.back().substr(2) < d.path);
    CODEXOS_CHECK((d.status == 'D') == !stack->look_after(d.path));
    CODEXOS_CHECK((d.status == 'A') == !stack->look_before(d.path));
    (void)stack->open_after(d);
    (void)stack->link_after(d);
    out.push_back(std::string(1, d.status) + " " + d.path);
  }
  return out;
}

void check_patch(const Folders& f, const DiffOptions& o, bool may_hold_secret) {
  auto diff = make_diff(f.stack(), o);
  CODEXOS_CHECK(diff.ok());
  bool more = false;
  (void)changes_of(*diff, o, more);
  PatchStream patch(std::move(*diff), o);
  std::string text;
  for (std::string piece = patch.next(4096); !piece.empty(); piece = patch.next(4096)) {
    text += piece;
    CODEXOS_CHECK(text.size() < 16U << 20);
  }
  CODEXOS_CHECK(may_hold_secret || text.find(secret()) == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const bool told = bytes.find(secret()) != std::string_view::npos;
  fuzz::Input in(data, size);
  WalkOptions walk_options;
  walk_options.expand_new_folders = in.ConsumeBool();
  walk_options.expand_deleted_folders = in.ConsumeBool();
  walk_options.all_folders = in.ConsumeBool();
  DiffOptions diff_options;
  diff_options.all = in.ConsumeBool();
  diff_options.stat = in.ConsumeBool();
  if (in.ConsumeBool()) diff_options.paths.push_back(in.ConsumeRandomLengthString(8));
  const Folders f;
  const auto roots = f.roots();
  for (size_t i = 0; i < kMaxSteps && in.remaining_bytes() > 0; ++i)
    add_something(in, in.PickValueInArray(roots));
  CODEXOS_CHECK(walk(f, walk_options) == walk(f, walk_options));
  check_patch(f, diff_options, told);
  return 0;
}
