// SPDX-License-Identifier: Apache-2.0
// Judgements of what the kernel gives. Where the same call fails for several reasons, a table in
// the order of likelihood tells which: the first that fits the facts.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "core/base/quote.h"
#include "core/base/text.h"
#include "daemon/doctor/checks.h"
#include "daemon/doctor/engines.h"

namespace codexos::daemon {
namespace {

using wire::Finding;
using wire::is_ok;
using wire::not_applicable;
using wire::problem_of;
using wire::warn_of;
using Commands = std::vector<std::string>;

struct Release {
  int major = 0, minor = 0;
  bool before(int other_major, int other_minor) const {
    return major != other_major ? major < other_major : minor < other_minor;
  }
};
Release release_of(const std::string& kernel) {
  Release r;
  (void)std::sscanf(kernel.c_str(), "%d.%d", &r.major, &r.minor);
  return r;
}

/// "id maps: Operation not permitted".
std::string failure_of(const Attempt& a) {
  return a.error == 0 ? fmt::format("{}: {}", a.step, a.text)
                      : fmt::format("{}: {}", a.step, std::strerror(a.error));
}

// ---- user namespaces

bool was(const Attempt& a, std::initializer_list<int> errors) {
  return std::find(errors.begin(), errors.end(), a.error) != errors.end();
}
const Attempt& userns(const HostFacts& f) { return f.machine.probe.user_namespace; }
bool forbidden(const HostFacts& f) { return was(userns(f), {EPERM, EACCES}); }
bool used_up(const HostFacts& f) { return was(userns(f), {ENOSPC, EUSERS}); }

Commands set_sysctl(std::string_view setting) {
  return {fmt::format("echo {} | sudo tee /etc/sysctl.d/50-codexos.conf", setting),
          "sudo sysctl -p /etc/sysctl.d/50-codexos.conf"};
}
Commands see_for_yourself(const HostFacts&) {
  return {"unshare --user --map-root-user --mount true  # fails for the same reason",
          "sudo dmesg | tail  # what a security module says"};
}

struct Reason {
  bool (*fits)(const HostFacts&);
  std::string (*cause)(const HostFacts&);
  Commands (*fix)(const HostFacts&);
};
constexpr std::array kReasons{
    Reason{[](const HostFacts& f) { return used_up(f) && f.machine.max_user_namespaces == 0; },
           [](const HostFacts&) {
             return std::string("user.max_user_namespaces is 0: nobody may make one");
           },
           [](const HostFacts&) { return set_sysctl("user.max_user_namespaces=15000"); }},
    Reason{used_up,
           [](const HostFacts& f) {
             return fmt::format(
                 "all {} that user.max_user_namespaces allows are in use, or they "
                 "are nested too deeply",
                 f.machine.max_user_namespaces.value_or(0));
           },
           [](const HostFacts& f) {
             return set_sysctl(fmt::format("user.max_user_namespaces={}",
                                           2 * f.machine.max_user_namespaces.value_or(0) + 1000));
           }},
    Reason{[](const HostFacts& f) {
             return forbidden(f) && !f.machine.root && f.machine.unprivileged_userns_clone == 0;
           },
           [](const HostFacts&) {
             return std::string("kernel.unprivileged_userns_clone is 0: only root may make one");
           },
           [](const HostFacts&) { return set_sysctl("kernel.unprivileged_userns_clone=1"); }},
    Reason{[](const HostFacts& f) {
             return forbidden(f) && !f.machine.root &&
                    f.machine.apparmor_restricts.value_or(0) != 0;
           },
           [](const HostFacts&) {
             return std::string("AppArmor lets only programs with a profile use one");
           },
           [](const HostFacts&) -> Commands {
             return {"codexos doctor  # the row apparmor has the commands"};
           }},
    Reason{[](const HostFacts& f) {
             return f.machine.root && !f.machine.task_uid_mapped && userns(f).step == "id maps";
           },
           [](const HostFacts&) {
             return std::string(
                 "this root is root of a user namespace only, in which the user that "
                 "tasks of root run as does not exist");
           },
           [](const HostFacts&) -> Commands {
             return {"run codexos as an ordinary user; in a container: --user 1000:1000"};
           }},
    Reason{[](const HostFacts& f) { return forbidden(f) && !f.machine.container.empty(); },
           [](const HostFacts& f) {
             return fmt::format("the container ({}) forbids it{}", f.machine.container,
                                f.machine.filtered ? " by its seccomp filter" : "");
           },
           isolation_fix},
    Reason{[](const HostFacts& f) { return forbidden(f) && f.machine.filtered; },
           [](const HostFacts&) {
             return std::string(
                 "a seccomp filter is on the daemon, of the service or program that "
                 "started it");
           },
           [](const HostFacts&) -> Commands {
             return {
                 "in a systemd unit: RestrictNamespaces=no, SystemCallFilter= without entries; "
                 "else start it from a login shell: codexos daemon stop; codexos daemon start"};
           }},
    Reason{[](const HostFacts& f) {
             return was(userns(f), {EINVAL, ENOSYS});
           },
           [](const HostFacts&) {
             return std::string("this kernel was built without CONFIG_USER_NS");
           },
           [](const HostFacts&) -> Commands {
             return {
                 "sudo apt-get install linux-image-$(dpkg --print-architecture) && sudo reboot"};
           }},
    Reason{forbidden,
           [](const HostFacts&) {
             return std::string(
                 "something forbids it: a chroot (clone(2), EPERM), a security "
                 "module, or a container that hides itself");
           },
           see_for_yourself},
    Reason{[](const HostFacts&) { return true; }, [](const HostFacts& f) { return userns(f).text; },
           see_for_yourself},
};

Finding needs_user_namespaces() { return not_applicable("needs user-namespaces"); }

// ---- AppArmor

constexpr std::string_view kProfiled = "/usr/local/libexec/codexos/codexos-exec";
constexpr std::string_view kProfile = "/etc/apparmor.d/codexos-exec";

/// What setup.sh does. The program of the profile must be root's, or any program could put itself
/// in its place.
Commands install_profile(const MachineFacts& m) {
  const std::string ours = quote_shell(m.exec_path);
  Commands out;
  if (m.exec_path != kProfiled)
    out.push_back(fmt::format("sudo install -D -o root -g root -m 755 {} {}", ours, kProfiled));
  out.push_back(
      fmt::format("printf 'abi <abi/4.0>,\\ninclude <tunables/global>\\nprofile codexos-exec {} "
                  "flags=(unconfined) {{\\n  userns,\\n}}\\n' | sudo tee {}",
                  kProfiled, kProfile));
  out.push_back(fmt::format("sudo apparmor_parser -r {}", kProfile));
  if (m.exec_path != kProfiled) out.push_back(fmt::format("ln -sfn {} {}", kProfiled, ours));
  out.emplace_back("codexos daemon stop");
  return out;
}

/// Only root can give a group away; the daemon then has to begin inside of it.
Commands delegate_cgroup(const HostFacts& f) {
  const int version = f.cgroups.version;
  if (version == 0) return {"sudo mount -t cgroup2 none /sys/fs/cgroup"};
  if (!f.machine.container.empty()) return container_cgroup_fix(f);
  Commands out{"codexos daemon stop"};
  if (version == 2 && f.machine.systemd) {
    out.push_back(fmt::format("systemd-run {}--scope -p Delegate=yes codexos daemon start",
                              f.machine.root ? "" : "--user "));
    return out;
  }
  const std::string place = version == 2 ? "/sys/fs/cgroup/codexos" : "/sys/fs/cgroup/$c/codexos";
  std::string give = fmt::format(
      "sudo mkdir -p {0} && sudo chown -R {1} {0} && echo $$ | sudo tee {0}/cgroup.procs", place,
      f.state.ours);
  if (version == 1) give = fmt::format("for c in freezer memory pids cpu; do {}; done", give);
  out.push_back(std::move(give));
  out.emplace_back("codexos daemon start  # from the same shell");
  return out;
}

std::string count_text(uint64_t n) {
  return n == UINT64_MAX ? std::string("any number of") : fmt::format("{}", n);
}

}  // namespace

Finding judge_machine(const HostFacts& f) {
  const MachineFacts& m = f.machine;
  const std::string found =
      fmt::format("Linux {}, {}{}", m.kernel, m.arch,
                  m.container.empty() ? "" : ", container or image of " + m.container);
  const Release r = release_of(m.kernel);
  if (r.before(5, 15))
    return problem_of(found, "tasks need Linux 5.15 or later",
                      {"sudo apt-get update && sudo apt-get full-upgrade && sudo reboot"});
  return is_ok(found);
}

Finding judge_user_namespaces(const HostFacts& f) {
  const MachineFacts& m = f.machine;
  if (!m.probe_error.empty())
    return problem_of("not tried", m.probe_error,
                      {"./setup.sh  # in the source folder: installs all programs anew"});
  if (userns(f).ok()) return is_ok("made, with a mount inside");
  for (const Reason& r : kReasons)
    if (r.fits(f)) return problem_of(failure_of(userns(f)), r.cause(f), r.fix(f));
  return problem_of(failure_of(userns(f)), userns(f).text, {});
}

Finding judge_apparmor(const HostFacts& f) {
  const MachineFacts& m = f.machine;
  if (m.apparmor_restricts.value_or(0) == 0)
    return not_applicable("it restricts no user namespaces");
  if (m.root) return not_applicable("it restricts ordinary users only");
  if (userns(f).ok())
    return is_ok(m.probe.label.empty() ? std::string("codexos-exec may make user namespaces")
                                       : "codexos-exec runs as " + m.probe.label);
  const std::string restricted = "kernel.apparmor_restrict_unprivileged_userns is 1";
  if (m.apparmor_profile_for.empty())
    return problem_of(restricted, fmt::format("there is no profile {}", kProfile),
                      install_profile(m));
  if (m.apparmor_profile_for != m.exec_path)
    return problem_of(restricted,
                      fmt::format("the profile {} is for {}, tasks are made by {}", kProfile,
                                  m.apparmor_profile_for, m.exec_path),
                      install_profile(m));
  return problem_of(restricted,
                    fmt::format("the profile {} is not loaded: codexos-exec runs as {}", kProfile,
                                m.probe.label.empty() ? std::string("unconfined") : m.probe.label),
                    {fmt::format("sudo apparmor_parser -r {}", kProfile), "codexos daemon stop"});
}

Finding judge_proc(const HostFacts& f) {
  const MachineFacts& m = f.machine;
  if (!userns(f).ok()) return needs_user_namespaces();
  const Attempt& a = m.probe.proc;
  if (a.ok()) return is_ok("mounted");
  if (was(a, {EPERM, EACCES}))
    return problem_of(failure_of(a),
                      "parts of /proc are covered, as containers do it; the kernel then gives no "
                      "other one (mount_too_revealing)",
                      isolation_fix(f));
  return problem_of(failure_of(a), a.text, {"grep ' /proc' /proc/self/mountinfo"});
}

Finding judge_seccomp(const HostFacts& f) {
  const MachineFacts& m = f.machine;
  const Attempt& filter = m.probe.filter;
  const Attempt& listener = m.probe.listener;
  if (!filter.tried) return not_applicable("not tried");
  if (!filter.ok())
    return problem_of(
        failure_of(filter), "system calls cannot be filtered here, so nothing may run",
        m.container.empty()
            ? Commands{"zgrep CONFIG_SECCOMP_FILTER /proc/config.gz /boot/config-$(uname -r)"}
            : isolation_fix(f));
  if (listener.ok()) return is_ok("a filter, and one with a listener");
  if (listener.error == EBUSY)
    return warn_of(
        "a filter, but none with a listener",
        "another program listens already (a container engine, a debugger): folders that "
        "were there before cannot be renamed by rename(2)",
        m.container.empty() ? Commands{"start codexos outside of that program"} : isolation_fix(f));
  return problem_of(failure_of(listener), "renames in overlays cannot be answered",
                    m.container.empty() ? Commands{"uname -r  # Linux 5.15 or later is needed"}
                                        : isolation_fix(f));
}

Finding judge_landlock(const HostFacts& f) {
  const MachineFacts& m = f.machine;
  if (!m.probe_error.empty()) return not_applicable("not tried");
  const int abi = m.probe.landlock_abi;
  constexpr int kScopes = 6;
  if (abi >= kScopes) return is_ok(fmt::format("ABI {}; --isolation landlock can be used", abi));
  if (abi >= 2) return is_ok(fmt::format("ABI {}; --isolation landlock needs 6 (Linux 6.12)", abi));
  const std::string means = "; tasks run without the second wall, behind all others";
  if (abi == 0 && m.filtered && !m.container.empty())
    return warn_of("none", "the container's seccomp filter may refuse it" + means,
                   isolation_fix(f));
  if (abi == 1)
    return warn_of("ABI 1", "it would fail every rename between folders, so it is not used" + means,
                   {"install Linux 5.19 or later; Ubuntu 22.04: sudo apt-get install "
                    "linux-generic-hwe-22.04"});
  if (release_of(m.kernel).before(5, 13))
    return warn_of("none", "Linux has it from 5.13 on" + means, {"install Linux 5.19 or later"});
  return warn_of(
      "none", "the kernel was built or started without it" + means,
      {"sudo sed -i \"s/^GRUB_CMDLINE_LINUX=\\\"/&lsm=landlock,$(cat /sys/kernel/security/lsm) /\" "
       "/etc/default/grub && sudo update-grub && sudo reboot"});
}

Finding judge_network(const HostFacts& f) {
  const MachineFacts& m = f.machine;
  if (!userns(f).ok()) return needs_user_namespaces();
  const Attempt& a = m.probe.network;
  if (!a.tried) return not_applicable("not tried");
  if (a.ok()) return is_ok("rules in a network namespace");
  return warn_of(
      a.text,
      "tasks with --allow are served only on the ports that their rules name, and what they are "
      "refused leaves no event",
      {"sudo modprobe -a nf_tables nft_chain_nat nft_redir nft_reject_inet",
       "printf 'nf_tables\\nnft_chain_nat\\nnft_redir\\nnft_reject_inet\\n' | sudo tee "
       "/etc/modules-load.d/codexos.conf"});
}

Finding judge_cgroups(const HostFacts& f) {
  const CgroupFacts& c = f.cgroups;
  if (!c.writable.empty())
    return is_ok(fmt::format("version {}; groups can be made for {}", c.version,
                             join_words(c.writable, ", ")));
  return warn_of(c.version == 0 ? std::string("none is mounted")
                                : fmt::format("version {}; no group can be made", c.version),
                 "limits of a whole task are then kept by looking at its processes, and running "
                 "tasks cannot be snapshotted",
                 delegate_cgroup(f));
}

Finding judge_limits(const HostFacts& f) {
  constexpr uint64_t kLeastFiles = 4096;
  constexpr uint64_t kLeastProcesses = 512;
  const LimitFacts& l = f.limits;
  const std::string found = fmt::format(
      "{} open files, {} processes, {}", count_text(l.open_files), count_text(l.processes),
      l.may_raise ? "more with CAP_SYS_RESOURCE" : "no CAP_SYS_RESOURCE to raise that");
  if (l.may_raise) return is_ok(found);
  if (l.open_files < kLeastFiles)
    return warn_of(
        found, "each task and each client takes some of the daemon's open files",
        {"echo '* hard nofile 65536' | sudo tee /etc/security/limits.d/codexos.conf  # and log "
         "in again",
         "codexos daemon stop"});
  if (l.processes < kLeastProcesses)
    return warn_of(
        found, "tasks cannot start more processes than that together",
        {"echo '* hard nproc 16384' | sudo tee /etc/security/limits.d/codexos.conf  # and log "
         "in again",
         "codexos daemon stop"});
  return is_ok(found);
}

}  // namespace codexos::daemon
