// SPDX-License-Identifier: Apache-2.0
// codexos(1) in mdoc(7), drawn from the table of commands; `codexos __man` prints it and a test
// compares it with man/codexos.1.
#include <fmt/format.h>

#include "cli/commands/all.h"
#include "cli/render.h"
#include "core/base/outcome.h"
#include "core/policy/settings.h"
#include "core/wire/problem.h"

namespace codexos::cli {
namespace {

struct ManGroup {
  Group group;
  std::string_view title;
};
constexpr ManGroup kManGroups[] = {
    {Group::tasks, "Tasks"},      {Group::control, "Control of tasks"},
    {Group::changes, "Changes"},  {Group::history, "History"},
    {Group::nouns, "Things"},     {Group::admin, "Administration"},
    {Group::system, "The system"}};

/// Text for mdoc: no line begins with a control character, no backslash is taken as an escape.
std::string plain(std::string_view s) {
  std::string out;
  for (size_t i = 0; i < s.size(); ++i) {
    if ((i == 0 || s[i - 1] == '\n') && (s[i] == '.' || s[i] == '\'')) out += "\\&";
    if (s[i] == '\\')
      out += "\\e";
    else if (s[i] == '-')
      out += "\\-";
    else
      out += s[i];
  }
  return out;
}
/// Sentences, each on a line of its own, and lines wrapped: both as mandoc(1) likes it.
std::string prose(std::string_view s) {
  constexpr size_t kWidth = 78;
  std::string out;
  size_t column = 0;
  while (!s.empty()) {
    const size_t space = s.find(' ');
    const std::string word = plain(s.substr(0, space));
    s = space == s.npos ? std::string_view() : s.substr(space + 1);
    const bool sentence = out.ends_with('.');
    if (!out.empty()) {
      const bool wrap = sentence || column + 1 + word.size() > kWidth;
      out += wrap ? '\n' : ' ';
      if (wrap) column = 0;
    }
    out += word;
    column += word.size() + 1;
  }
  return out;
}
/// An argument of a macro.
std::string arg(std::string_view s) {
  std::string out;
  for (const char c : plain(s)) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return "\"" + out + "\"";
}

std::string option_item(const Option& o) {
  std::string out = ".It";
  bool first = true;
  for (const auto n : names_of(o)) {
    out += fmt::format("{} Fl {}", first ? "" : " ,", plain(n.substr(1)));
    first = false;
  }
  if (!o.value.empty()) out += " Ar " + arg(o.value);
  return out + "\n" + plain(o.help) + ".\n";
}

std::string command_section(const Command& c) {
  std::string out = fmt::format(".It Ic {}", c.name);
  if (!c.args.empty()) out += " Ar " + arg(c.args);
  out += "\n" + plain(c.summary) + ".\n";
  if (!c.details.empty()) out += prose(c.details) + "\n";
  std::string options;
  for (const auto& o : c.options)
    if (o.landed == Landed::now) options += option_item(o);
  if (!options.empty()) out += ".Bl -tag -width Ds\n" + options + ".El\n";
  return out;
}

std::string examples() {
  std::string out = ".Sh EXAMPLES\n.Bl -tag -width Ds\n";
  for (const auto& c : commands()) {
    if (c.landed != Landed::now || c.group == Group::hidden) continue;
    for (const auto& e : c.examples)
      if (!e.line.empty()) out += fmt::format(".It Li {}\n{}.\n", arg(e.line), plain(e.does));
  }
  return out + ".El\n";
}

std::string exit_status() {
  std::string out =
      ".Sh EXIT STATUS\n.Ic run , wait , attach\nand\n.Ic exec\nexit with the program's own code, "
      "with 128 + N when signal N ended it,\nand otherwise by cause:\n.Bl -tag -width Ds\n";
  for (const auto& row : kCauses)
    if (row.exit_code >= 0 && !row.name.empty())
      out += fmt::format(".It {}\n{}\n", row.exit_code, row.name);
  out +=
      ".It 125\neverything else in which CodexOS, not the program, is the cause: wrong usage,\n"
      "an unknown task, a refusal.\n";
  out += ".El\n.Pp\nThe other commands exit with 0, or with:\n.Bl -tag -width Ds\n";
  for (const auto& row : wire::kCodes)
    out += fmt::format(".It {}\n{}: {}.\n", row.exit_code, row.name, plain(row.title));
  return out + ".It 6\na check ran and found problems.\n.It 130\ninterrupted.\n.El\n";
}

constexpr std::string_view kHead = R"(.\" SPDX-License-Identifier: Apache-2.0
.\" Printed by `codexos __man` from the table of commands; do not edit.
.Dd November 24, 2026
.Dt CODEXOS 1
.Os
.Sh NAME
.Nm codexos
.Nd run programs and agents isolated, recorded, stoppable and undoable
.Sh SYNOPSIS
.Nm
.Op Ar options
.Ar command
.Op Ar argument ...
.Sh DESCRIPTION
.Nm
runs a program as a task: in namespaces and behind a system call filter of
its own, without network, without the secrets of the home folder, its changes
to the workspace held back until they are taken.
It talks to
.Xr codexosd 8 ,
which it starts on demand.
.Pp
Options that every command takes:
.Bl -tag -width Ds
)";

constexpr std::string_view kEnvironment = R"(.Sh ENVIRONMENT
.Bl -tag -width Ds
.It Ev CODEXOS_HOME
The state folder, an absolute path.
Without it
.Pa ~/.local/state/codexos ,
where ~ is the home in
.Pa /etc/passwd ,
or for root
.Pa /var/lib/codexos .
.It Ev CODEXOS_NO_AUTOSTART
Set to 1: a command that finds no daemon fails instead of starting one.
.It Ev NO_COLOR , CLICOLOR_FORCE
Whether output is coloured.
.It Ev CODEXOS_DAEMON
The daemon's program, if it is not beside this one.
)";

/// Those that policies know.
std::string setting_items() {
  std::string out;
  for (const policy::Setting& s : policy::kSettings)
    out += fmt::format(".It Ev {}\n{}.\n", s.variable, prose(s.help));
  return out + ".El\n";
}

constexpr std::string_view kSeeAlso = R"(.Sh SEE ALSO
.Xr codexos-agent 5 ,
.Xr codexos-models 5 ,
.Xr codexos-policy 5 ,
.Xr codexos-internals 7 ,
.Xr codexosd 8
)";

constexpr std::string_view kLimitsText = R"(.Sh LIMITS
.Fl \-memory
is what all processes of the task have together, with swap and with what they keep in
.Pa /tmp , /var/tmp , /run , /dev/shm
and the home folder.
When it is used up the task is killed (cause
.Li oom ,
exit 137).
There is none unless it is given or a policy says so.
.Fl \-cpu\-time
is that of all its processes together, also those that have ended (cause
.Li time_limit ,
exit 124; TERM, after 10 s KILL).
.Fl \-disk
is what is held back, scratch space and log together (cause
.Li disk ,
exit 125).
Where changes are held back in a copy all of the copy counts; what is written through does not.
.Fl \-pids
ends nobody: no process is made beyond it, and without it beyond 16384.
.Fl \-cpus
slows down.
Changes are kept in each case.
When four fifths of memory, CPU time, disk or processes are used, one event
.Li task.limit
and a line on stderr say so.
.Pp
Memory, processors, CPU time and processes are held by the kernel where the daemon may make cgroups: below
its own, of version 2 when that was delegated to it (as in
.Li systemd-run \-\-user \-p Delegate=yes codexosd \-\-foreground )
or is the root, else of version 1.
Where it may not, the task's process 1 looks at its processes: every 5 to 200 ms, the more often the closer a limit is.
Then
.Fl \-cpus
is not held, which a line on stderr says, and these are not seen: memory that the kernel uses for the task (sockets, pipes,
page tables), CPU time of a process that begins and ends between two looks and that nobody waits for.
Disk is always looked at; not seen is what lies in a folder that its owner may not read, or more than 200 folders deep.
.Ic inspect
and
.Fl \-plan\-only
say what holds each limit.
A policy can demand that a cgroup does
.Pq Xr codexos\-policy 5 ;
without one tasks are then refused.
)";

constexpr std::string_view kIsolation = R"(.Sh ISOLATION
Every task has namespaces of its own
.Pq Cm full ,
or it is refused.
Where there are no user namespaces, in most containers for example,
.Fl \-isolation Cm landlock
starts it without any; nothing else ever does.
It needs Landlock with ABI 6
.Pq Linux 6.12 .
.Pp
Such a task works on a copy of the workspace, at another path, that is held back like any other change.
It reads what it would find with namespaces, where that lies on the host, and writes to its copy, to a
.Ev HOME
and a
.Ev TMPDIR
of its own that go with it, and to what
.Fl \-show Ar PATH : Ns Cm rw
names.
It can neither signal, trace nor look into what is not its own, and has no sockets but
.Xr socketpair 2 .
When it ends, all that it started is ended.
.Pp
It does not have:
.Bl -bullet
.It
a network, its own loopback neither:
.Fl \-net ,
.Fl \-allow ,
.Fl \-publish ,
.Fl \-reach
and agents are refused;
.It
an own view: it sees the host's
.Pa /proc ,
which other processes run and their command lines, and which files exist, with owner, size and times;
.It
another place for what
.Fl \-show
names, or anything covered below it;
.Fl \-write ,
.Fl \-learn
and
.Fl \-seccomp Cm nested
are refused, and so are git work trees whose
.Pa .git
lies elsewhere;
.It
.Pa /tmp , /dev/shm ,
terminals of its own, package caches, System V and POSIX IPC,
.Xr inotify 7 ,
changes of owners and extended attributes;
.It
quotas of its own: its processes count among the user's.
.El
.Pp
A task of root runs as a user that owns nothing but its copy, and may not have
.Fl \-mode Cm direct
or
.Cm read-only .
)";

constexpr std::string_view kCredentials = R"(.Sh CREDENTIALS
A task signs in without having what it signs in with.
.Ss git over https
A secret that is bound to header
.Li authorization
and to hosts is what
.Xr git 1
signs in with at these hosts, by itself:
.Bd -literal -offset indent
gh auth token | codexos secret set gh \-\-host github.com
codexos run \-\-secret gh \-\- git clone https://github.com/me/private.git
.Ed
.Pp
The task finds a credential helper for each host and port in
.Pa ~/.config/git/config ,
which says the placeholder; helpers of other hosts are as they were.
The user name is what the URL says, else
.Li x\-access\-token ,
or what
.Li credential.URL.username
of the repository says.
Git's URLs cannot say every rule: of
.Li *.HOST
four levels below it are meant, of a range of more than 16 ports 443 alone.
A secret that is bound to methods needs GET and POST.
Where that file is the host's own
.Pq Fl \-show No of its folder
nothing is written, and the task's notes say so.
.Ss Keys of an SSH agent
.Bd -literal -offset indent
codexos run \-\-ssh\-key ~/.ssh/id_ed25519=github.com \-\- git push
.Ed
.Pp
The key is named by its file, public or private, or by its comment in
.Xr ssh\-agent 1 .
.Li HOST:PORT
is another port than 22; the host becomes a rule of
.Fl \-allow ,
which
.Li ,private
may follow.
The task finds an agent
.Pq Ev SSH_AUTH_SOCK
that has this key alone, and in
.Pa ~/.ssh/known_hosts
the lines by which you know the host: it must be known to you.
That agent has yours sign, when
.Xr ssh 1
(OpenSSH 8.9 or newer, inside) has shown that the session is with a key of that host, and when what is to be signed is the
sign\-in of that very session.
It signs no commits, is not forwarded, and changes nothing in your agent, which may ask you each time
.Pq Li ssh\-add \-c .
Each signature is an event
.Li secret.used ,
each refusal an event
.Li denied .
Certificates, of hosts or users, are not supported.
)";

constexpr std::string_view kSecretsText = R"(.Sh SECRETS
A task that is run with
.Fl \-secret
has a placeholder.
With
.Fl \-secret\-file
and
.Fl \-secret\-value
it has the value itself, and may print it, send it and write it into the workspace.
Who runs it, and whoever is attached, sees its output as it is.
What is kept of the task has stars in place of the value, as many as it has bytes: the log, and with it
.Ic logs
and what
.Ic attach
repeats; events,
.Ic why ,
the reason of its end; its exchanges with models.
The end of its output that may be the beginning of a value is in none of them until more came, or the end.
.Pp
A value is found as it is, on a terminal, in base64, hexadecimal, percent-encoded, and escaped for JSON or HTML, however its
output is cut; of several lines also each line of 16 bytes and more; of more than 4 KiB as it is and in base64 alone.
It is not found when the program compressed, encrypted, reversed or took it apart, nor when it has less than 8 bytes.
Changes of the workspace and the arguments of the command are kept as they are.
.Pp
The values are those that the task was given, whatever becomes of the secret.
After
.Ic secret lock
the daemon knows them no more: then the log is kept as always, and names that the task looks up and its exchanges with
models are withheld until
.Ic secret unlock .
)";

constexpr std::string_view kCaveats = R"(.Sh CAVEATS
Held-back changes lie in an overlay, which a program can tell from a plain folder in these ways:
.Bl -bullet
.It
A folder that was there before is renamed as
.Xr mv 1
does it: a second tree takes the new name, then the old one is removed.
Programs that stand in the folder, or hold it open, stay in the old one.
With
.Dv RENAME_EXCHANGE
such a folder is refused
.Pq Er EINVAL .
A folder of another owner, or with files of another, is refused as before
.Pq Er EXDEV .
.It
A file that was there before gets another inode number when it is first written to or linked, and is parted
from its other names when it has several.
.Xr git 1
compares the number and is told to copy instead; only
.Li git clone \-\-local ,
with the option written out, then gives up.
.It
.Xr rename 2 ,
.Xr link 2
and
.Xr landlock_restrict_self 2
are looked at by a process of the task named
.Li codexos-seams .
A program that wants a seccomp listener of its own gets
.Er EBUSY ,
and one that traces those calls by seccomp (proot, strace \-\-seccomp\-bpf) does not see them.
Neither is so with
.Fl \-seccomp Cm nested ,
where folders that were there before cannot be renamed by
.Xr rename 2 .
.El
.Pp
Where there can be no overlay (something is mounted inside the workspace, the state folder lies on an overlay or
a network file system, the kernel refuses one), the task works on a copy of the workspace and its notes say so.
Blocks are shared where the file system can; else at most 4 GiB are copied, before the program starts.
Sockets and devices are not in the copy, and what was changed is shown when the task has ended.
)";

}  // namespace

Result<int> print_man(Context&, const Invocation&) {
  std::string out(kHead);
  for (const auto& o : global_options()) out += option_item(o);
  out += ".El\n.Sh COMMANDS\n";
  for (const auto& g : kManGroups) {
    std::string rows;
    for (const auto& c : commands())
      if (c.group == g.group && c.landed == Landed::now) rows += command_section(c);
    if (!rows.empty()) out += fmt::format(".Ss {}\n.Bl -tag -width Ds\n", g.title) + rows + ".El\n";
  }
  out += kEnvironment;
  out += setting_items();
  out += exit_status() + examples();
  out += kLimitsText;
  out += kSeeAlso;
  out += kIsolation;
  out += kCredentials;
  out += kSecretsText;
  out += kCaveats;
  CODEXOS_TRY(print(out));
  return 0;
}

}  // namespace codexos::cli
