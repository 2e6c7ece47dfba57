// SPDX-License-Identifier: Apache-2.0
#include "core/policy/resolve.h"

#include <algorithm>
#include <array>

#include "core/base/path.h"
#include "core/policy/check.h"
#include "core/policy/limit_keys.h"
#include "core/policy/net_rules.h"

namespace codexos::policy {
namespace {

// --- single things: is x within what the cap allows ---------------------------------------------

struct Shown {
  std::string_view source;
  bool write = false;
};
/// SRC[:DST][:ro|rw]
Shown parse_shown(std::string_view text) {
  Shown s;
  const size_t last = text.rfind(':');
  if (last != std::string_view::npos) s.write = text.substr(last + 1) == "rw";
  s.source = text.substr(0, text.find(':'));
  while (s.source.size() > 1 && s.source.back() == '/') s.source.remove_suffix(1);
  return s;
}

bool show_covers(const std::string& wide, const std::string& narrow) {
  const Shown w = parse_shown(wide);
  const Shown n = parse_shown(narrow);
  return path_within(normal_path(n.source), normal_path(w.source)) && (w.write || !n.write);
}

bool env_covers(const std::string& wide, const std::string& narrow) {
  if (narrow.back() != '*') return fits(wide, narrow);
  return wide.back() == '*' && fits(wide, std::string_view(narrow).substr(0, narrow.size() - 1));
}

bool rule_covered(const Names& wide, const std::string& narrow) {
  const auto w = parse_net_rules(wide);
  const auto n = parse_net_rule(narrow);
  return w.ok() && n.ok() &&
         std::all_of(n->begin(), n->end(), [&w](const NetRule& one) { return covers(*w, one); });
}

template <bool (*Covers)(const std::string&, const std::string&)>
bool covered_by_one(const Names& wide, const std::string& narrow) {
  return std::any_of(wide.begin(), wide.end(),
                     [&narrow](const std::string& w) { return Covers(w, narrow); });
}

/// 0 is the standard of the limit, or none.
bool is_more(const LimitRow& row, uint64_t x, uint64_t cap) {
  if (x == 0) x = row.standard;
  if (cap == 0) cap = row.standard;
  return cap != 0 && (x == 0 || x > cap);
}

uint64_t amount_of(const LimitKey& key, const Limits& l) {
  const std::string* const text = key.said(l);
  const auto amount = text == nullptr ? Result<uint64_t>(0) : parse_limit(*key.row, *text);
  return amount.ok() ? *amount : 0;  // checked when it was read
}

void add_new(Names& to, const Names& more) {
  for (const auto& x : more)
    if (std::find(to.begin(), to.end(), x) == to.end()) to.push_back(x);
}

// --- the keys -----------------------------------------------------------------------------------

/// How one key is read, compared and put together.
struct Key {
  std::string_view name;
  Names (*said)(const Policy&);  // as texts; empty: nothing
  Names (*excess)(const Policy& said, const Policy& cap);
  void (*clip)(Policy& said, const Policy& cap);
  void (*merge)(Rights& to, const Policy& said);
  void (*cap)(Policy& to, const Rights& from);
};

using List = std::optional<Names> Policy::*;
using ListOf = Names Rights::*;
using Covered = bool (*)(const Names& wide, const std::string& narrow);

template <List Member>
Names list_said(const Policy& p) {
  return (p.*Member).value_or(Names{});
}

/// Each entry more is wider.
template <List Member, ListOf Right, Covered IsCovered>
struct WideList {
  static Names excess(const Policy& said, const Policy& cap) {
    Names out;
    if (!(said.*Member) || !(cap.*Member)) return out;
    for (const auto& x : *(said.*Member))
      if (!IsCovered(*(cap.*Member), x)) out.push_back(x);
    return out;
  }
  static void clip(Policy& said, const Policy& cap) {
    const Names out = excess(said, cap);
    if (out.empty()) return;
    auto& list = *(said.*Member);
    list.erase(std::remove_if(list.begin(), list.end(),
                              [&out](const std::string& x) {
                                return std::find(out.begin(), out.end(), x) != out.end();
                              }),
               list.end());
  }
  static void merge(Rights& to, const Policy& said) {
    if (said.*Member) add_new(to.*Right, *(said.*Member));
  }
  static void cap(Policy& to, const Rights& from) { to.*Member = from.*Right; }
};

/// Each entry more is narrower: nothing exceeds a ceiling, and what is in one is added.
template <List Member, ListOf Right>
struct NarrowList {
  static Names excess(const Policy&, const Policy&) { return {}; }
  static void clip(Policy& said, const Policy& cap) {
    if (!(cap.*Member)) return;
    if (!(said.*Member)) said.*Member = Names{};
    add_new(*(said.*Member), *(cap.*Member));
  }
  static void merge(Rights& to, const Policy& said) {
    if (said.*Member) add_new(to.*Right, *(said.*Member));
  }
  static void cap(Policy& to, const Rights& from) { to.*Member = from.*Right; }
};

template <class E, std::optional<E> Policy::*Member, E Rights::*Right>
struct Level {
  static Names said(const Policy& p) {
    return p.*Member ? Names{std::string(name_of(*(p.*Member)))} : Names{};
  }
  static Names excess(const Policy& p, const Policy& cap) {
    if (!(p.*Member) || !(cap.*Member) || *(p.*Member) <= *(cap.*Member)) return {};
    return said(p);
  }
  static void clip(Policy& p, const Policy& cap) {
    if (!excess(p, cap).empty()) p.*Member = cap.*Member;
  }
  static void merge(Rights& to, const Policy& p) {
    if (p.*Member) to.*Right = *(p.*Member);
  }
  static void cap(Policy& to, const Rights& from) { to.*Member = from.*Right; }
};

/// A limit: less is narrower.
template <size_t I>
struct Amount {
  static constexpr const LimitKey& kKey = kLimitKeys[I];
  static Names said(const Policy& p) {
    const std::string* const text = kKey.said(p.limits);
    return text == nullptr ? Names{} : Names{*text};
  }
  static Names excess(const Policy& p, const Policy& cap) {
    if (kKey.said(p.limits) == nullptr || kKey.said(cap.limits) == nullptr ||
        !is_more(*kKey.row, amount_of(kKey, p.limits), amount_of(kKey, cap.limits)))
      return {};
    return said(p);
  }
  static void clip(Policy& p, const Policy& cap) {
    if (!excess(p, cap).empty()) kKey.say(p.limits, *kKey.said(cap.limits));
  }
  static void merge(Rights& to, const Policy& p) {
    if (kKey.said(p.limits) != nullptr) to.limits.*(kKey.row->amount) = amount_of(kKey, p.limits);
  }
  static void cap(Policy& to, const Rights& from) {
    kKey.say(to.limits, limit_text(*kKey.row, from.limits.*(kKey.row->amount)));
  }
  static constexpr Key key() { return {kKey.row->key, said, excess, clip, merge, cap}; }
};

struct Driver {
  static Names said(const Policy& p) {
    return p.limits.driver ? Names{std::string(name_of(*p.limits.driver))} : Names{};
  }
  static Names excess(const Policy& p, const Policy& cap) {
    if (!p.limits.driver || !cap.limits.driver || *p.limits.driver <= *cap.limits.driver) return {};
    return said(p);
  }
  static void clip(Policy& p, const Policy& cap) {
    if (!excess(p, cap).empty()) p.limits.driver = cap.limits.driver;
  }
  static void merge(Rights& to, const Policy& p) {
    if (p.limits.driver) to.limit_driver = *p.limits.driver;
  }
  static void cap(Policy& to, const Rights& from) { to.limits.driver = from.limit_driver; }
};

using Net = Level<wire::Network, &Policy::net, &Rights::net>;
/// What was allowed below is taken back by `none`.
void merge_net(Rights& to, const Policy& p) {
  Net::merge(to, p);
  if (p.net == wire::Network::none) to.allow.clear();
}

using Allow = WideList<&Policy::allow, &Rights::allow, rule_covered>;
/// The whole network comprises every host of it.
Names allow_excess(const Policy& said, const Policy& cap) {
  return cap.net == wire::Network::host ? Names{} : Allow::excess(said, cap);
}
void clip_allow(Policy& said, const Policy& cap) {
  if (cap.net != wire::Network::host) Allow::clip(said, cap);
}

using Show = WideList<&Policy::show, &Rights::show, covered_by_one<show_covers>>;
using Hide = NarrowList<&Policy::hide, &Rights::hide>;
using Iso = Level<wire::Isolation, &Policy::isolation, &Rights::isolation>;
using Seccomp = Level<wire::SeccompProfile, &Policy::seccomp, &Rights::seccomp>;
using Env = WideList<&Policy::env, &Rights::env, covered_by_one<env_covers>>;
using Protect = NarrowList<&Policy::protect, &Rights::protect>;

// net before allow: it takes back.
constexpr std::array kKeys{
    Key{"show", list_said<&Policy::show>, Show::excess, Show::clip, Show::merge, Show::cap},
    Key{"hide", list_said<&Policy::hide>, Hide::excess, Hide::clip, Hide::merge, Hide::cap},
    Key{"net", Net::said, Net::excess, Net::clip, merge_net, Net::cap},
    Key{"allow", list_said<&Policy::allow>, allow_excess, clip_allow, Allow::merge, Allow::cap},
    Key{"isolation", Iso::said, Iso::excess, Iso::clip, Iso::merge, Iso::cap},
    Key{"seccomp", Seccomp::said, Seccomp::excess, Seccomp::clip, Seccomp::merge, Seccomp::cap},
    Amount<0>::key(),
    Amount<1>::key(),
    Amount<2>::key(),
    Amount<3>::key(),
    Amount<4>::key(),
    Amount<5>::key(),
    Amount<6>::key(),
    Amount<7>::key(),
    Amount<8>::key(),
    Key{"driver", Driver::said, Driver::excess, Driver::clip, Driver::merge, Driver::cap},
    Key{"env", list_said<&Policy::env>, Env::excess, Env::clip, Env::merge, Env::cap},
    Key{"protect", list_said<&Policy::protect>, Protect::excess, Protect::clip, Protect::merge,
        Protect::cap},
};
static_assert(kLimitKeys.size() == 9, "each has a row above");

/// `allow` implies `net: allow`, in settings and in ceilings.
Policy with_net(Policy p) {
  if (p.allow && !p.allow->empty() && !p.net) p.net = wire::Network::allow;
  return p;
}

bool is_list(const Key& k) {
  return k.name == "show" || k.name == "hide" || k.name == "allow" || k.name == "env" ||
         k.name == "protect";
}

// --- putting together ---------------------------------------------------------------------------

std::string expand(const std::string& path, const std::string& home, const std::string& base) {
  if (path == "~") return home;
  if (path.substr(0, 2) == "~/") return join_path(home, path.substr(2));
  if (path.empty() || path[0] == '/' || base.empty()) return path;
  return normal_path(join_path(base, path));
}

class Resolver {
 public:
  explicit Resolver(const Inputs& in) : in_(in) {}

  Result<Resolved> run() {
    CODEXOS_TRY(check_profile());
    add_file(in_.system, {});
    std::vector<Said> caps;
    add_cap(in_.system, caps);
    if (in_.given.file != nullptr) {
      // Given by name: what it wants beyond the ceiling is an error, as for an option.
      for (const Said& s : pieces(in_.given)) CODEXOS_TRY(refuse_excess(s, caps));
      out_.rights = Rights{};
      out_.sources.clear();
      add_file(in_.given, {});
      Policy cap = cap_of(out_.rights);
      cap.env = in_.given.file->settings.env;  // what -e sets shows nothing that was not typed
      caps.push_back({in_.given.name, std::move(cap)});
      add_cap(in_.given, caps);
    } else {
      add_file(in_.user, caps);
      std::vector<Said> for_project = caps;
      add_cap(in_.user, for_project);
      in_.trusted ? add_file(in_.project, for_project) : narrow_by(in_.project, caps);
    }
    for (const Said& s : in_.options) {
      const Said said{s.from, absolute(s.policy)};
      CODEXOS_TRY(refuse_excess(said, caps));
      merge(said);
      uncover(said.policy);
    }
    for (const auto& name : in_.set) {
      Policy p;
      p.env = Names{name};
      CODEXOS_TRY(refuse_excess({"-e " + name, std::move(p)}, caps));
    }
    for (const Said& cap : caps) lower(cap);
    if (out_.rights.net != wire::Network::allow) out_.rights.allow.clear();
    drop_sources("allow", out_.rights.allow);
    return std::move(out_);
  }

 private:
  Policy absolute(const Policy& said) const {
    Policy p = with_net(said);
    if (p.show)
      for (auto& x : *p.show) x = expand(x, in_.home, in_.workspace);
    if (p.hide) {
      for (auto& x : *p.hide) x = expand(x, in_.home, in_.workspace);
      // Relative to a workspace that there is not.
      p.hide->erase(std::remove_if(p.hide->begin(), p.hide->end(),
                                   [](const std::string& x) { return x.empty() || x[0] != '/'; }),
                    p.hide->end());
    }
    return p;
  }

  Status check_profile() const {
    if (in_.profile.empty() || in_.profile == "default") return {};
    std::string known;
    for (const FileInput* f : files()) {
      if (f->file == nullptr) continue;
      if (f->file->profiles.count(in_.profile) != 0) return {};
      for (const auto& [name, _] : f->file->profiles) known += (known.empty() ? "" : ", ") + name;
    }
    return Error{Code::not_found, "there is no profile " + in_.profile,
                 known.empty() ? "profiles are written into .codexos.yaml or "
                                 "~/.config/codexos/config.yaml: man codexos-policy"
                               : "profiles: " + known};
  }

  std::vector<const FileInput*> files() const {
    if (in_.given.file != nullptr) return {&in_.system, &in_.given};
    return {&in_.system, &in_.user, &in_.project};
  }

  /// The settings of a file, and over them those of the profile.
  std::vector<Said> pieces(const FileInput& f) const {
    if (f.file == nullptr) return {};
    std::vector<Said> out{{f.name, absolute(f.file->settings)}};
    const auto profile = f.file->profiles.find(in_.profile);
    if (profile != f.file->profiles.end())
      out.push_back({f.name + " (profile " + in_.profile + ")", absolute(profile->second)});
    return out;
  }

  void add_cap(const FileInput& f, std::vector<Said>& caps) const {
    if (f.file != nullptr && f.file->ceiling) caps.push_back({f.name, absolute(*f.file->ceiling)});
  }

  void add_file(const FileInput& f, const std::vector<Said>& caps) {
    for (Said& said : pieces(f)) {
      for (const Said& cap : caps) {
        for (const auto& x : excess(said.policy, cap.policy))
          out_.notes.push_back(said.from + ": " + x + " goes beyond the ceiling of " + cap.from +
                               " and is left out");
        said.policy = clip(std::move(said.policy), cap.policy);
      }
      merge(said);
    }
  }

  /// A project that is not trusted: nothing beyond what there is without it, which is after the
  /// ceilings. (The whole network comprises every host; lowered to names by a ceiling it has none.)
  void narrow_by(const FileInput& f, const std::vector<Said>& caps) {
    Rights without = out_.rights;
    for (const Said& c : caps) without = meet(without, c.policy);
    if (without.net != wire::Network::allow) without.allow.clear();
    const Policy cap = cap_of(without);
    for (Said& said : pieces(f)) {
      add_new(out_.widenings, excess(said.policy, cap));
      said.policy = clip(std::move(said.policy), cap);
      merge(said);
    }
  }

  static Status refuse_excess(const Said& said, const std::vector<Said>& caps) {
    for (const Said& cap : caps) {
      const Names beyond = excess(said.policy, cap.policy);
      if (beyond.empty()) continue;
      return Error{Code::denied,
                   said.from + ": " + beyond.front() + " goes beyond what " + cap.from + " allows",
                   "codexos policy show"};
    }
    return {};
  }

  void merge(const Said& said) {
    for (const Key& k : kKeys) {
      const Names texts = k.said(said.policy);
      if (texts.empty()) continue;
      k.merge(out_.rights, said.policy);
      note_source(k, texts, said.from);
    }
  }

  /// What an option shows by name is not hidden by a file below it; a ceiling still hides it.
  void uncover(const Policy& said) {
    if (!said.show) return;
    for (const auto& x : *said.show) {
      const std::string source(parse_shown(x).source);
      const auto covers_it = [&source](const std::string& h) { return fits(h, source); };
      auto& hide = out_.rights.hide;
      hide.erase(std::remove_if(hide.begin(), hide.end(), covers_it), hide.end());
      auto& s = out_.sources;
      s.erase(
          std::remove_if(s.begin(), s.end(),
                         [&](const Source& h) { return h.key == "hide" && covers_it(h.value); }),
          s.end());
    }
  }

  void note_source(const Key& k, const Names& texts, const std::string& from) {
    auto& s = out_.sources;
    const auto forget = [&s](std::string_view key) {
      s.erase(std::remove_if(s.begin(), s.end(), [&](const Source& x) { return x.key == key; }),
              s.end());
    };
    if (!is_list(k)) forget(k.name);
    if (k.name == "net" && texts.front() == "none") forget("allow");
    for (const auto& text : texts) {
      const bool known = std::any_of(
          s.begin(), s.end(), [&](const Source& x) { return x.key == k.name && x.value == text; });
      if (!known) s.push_back({std::string(k.name), text, from});
    }
  }

  /// Forgets what was said of a key and does not hold.
  void drop_sources(std::string_view key, const Names& holds) {
    auto& s = out_.sources;
    const auto is_gone = [&](const Source& x) {
      return x.key == key && std::find(holds.begin(), holds.end(), x.value) == holds.end();
    };
    s.erase(std::remove_if(s.begin(), s.end(), is_gone), s.end());
  }

  /// What nobody asked for can still be more than a ceiling allows: no limit at all.
  void lower(const Said& cap) {
    const Policy had = cap_of(out_.rights);
    const Rights low = meet(out_.rights, cap.policy);
    for (const Key& k : kKeys) {
      const Names now = k.said(cap_of(low));
      if (now == k.said(had)) continue;
      drop_sources(k.name, now);
      note_source(k, now, "the ceiling of " + cap.from);
    }
    out_.rights = low;
  }

  const Inputs& in_;
  Resolved out_;
};

bool is_part(const Names& a, const Names& b) {
  return std::all_of(a.begin(), a.end(), [&b](const std::string& x) {
    return std::find(b.begin(), b.end(), x) != b.end();
  });
}

}  // namespace

Names excess(const Policy& said, const Policy& cap) {
  Names out;
  const Policy c = with_net(cap);
  for (const Key& k : kKeys)
    for (const auto& x : k.excess(said, c)) out.push_back(std::string(k.name) + ": " + x);
  return out;
}

bool admits_host(const Inputs& in) {
  const auto says = [](const Policy& p) { return p.net == wire::Network::host; };
  const auto file_says = [&](const FileInput& f) {
    if (f.file == nullptr) return false;
    const auto profile = f.file->profiles.find(in.profile);
    return says(f.file->settings) || (f.file->ceiling && says(*f.file->ceiling)) ||
           (profile != f.file->profiles.end() && says(profile->second));
  };
  if (file_says(in.system)) return true;
  if (in.given.file != nullptr) return file_says(in.given);
  return file_says(in.user) || (in.trusted && file_says(in.project));
}

Names said(const Policy& p) {
  Names out;
  for (const Key& k : kKeys)
    for (const auto& x : k.said(p)) out.push_back(std::string(k.name) + ": " + x);
  return out;
}

Policy clip(Policy said, const Policy& cap) {
  const Policy c = with_net(cap);
  for (const Key& k : kKeys) k.clip(said, c);
  return said;
}

Policy cap_of(const Rights& r) {
  Policy p;
  for (const Key& k : kKeys) k.cap(p, r);
  return p;
}

Rights meet(const Rights& r, const Policy& cap) {
  const Policy lowered = clip(cap_of(r), cap);
  Rights out;
  for (const Key& k : kKeys) k.merge(out, lowered);
  return out;
}

bool within(const Rights& a, const Rights& b) {
  return excess(cap_of(a), cap_of(b)).empty() && is_part(b.hide, a.hide) &&
         is_part(b.protect, a.protect);
}

Result<Resolved> resolve(const Inputs& in) { return Resolver(in).run(); }

}  // namespace codexos::policy
