# SPDX-License-Identifier: Apache-2.0
# Printed by `codexos completion fish` from the table of commands; do not edit.

# The words so far without options: "daemon start abc". Fails after `--`.
function __codexos_words
    set -l words
    set -l value 0
    for w in (commandline -opc)[2..-1]
        if test $value = 1
            set value 0
            continue
        end
        switch $w
            case --
                return 1
            case --tenant --socket --color
                set -q words[1]; or set value 1
            case '-*'
            case '*'
                set -a words $w
        end
    end
    # Its status says how often it joined.
    string join ' ' -- $words
    return 0
end

# They are these.
function __codexos_is
    set -l line (__codexos_words); and test "$line" = "$argv[1]"
end

# They are these, and perhaps more.
function __codexos_at
    set -l line (__codexos_words); or return 1
    string match -q -- "$argv[1]" "$line"; or string match -q -- "$argv[1] *" "$line"
end

function __codexos_ids
    command -q codexos; and codexos __ids $argv 2>/dev/null
end

# What follows `--` is the task's own command line.
function __codexos_payload
    set -l words (commandline -opc)
    contains -- -- $words
end

function __codexos_subcommand
    set -l words (commandline -opc) (commandline -ct)
    set -l at (contains -i -- -- $words)
    complete -C (string join ' ' -- $words[(math $at + 1)..-1])
end

complete -c codexos -f
complete -c codexos -n __codexos_payload -x -a '(__codexos_subcommand)'
complete -c codexos -n 'not __codexos_payload' -l json -d 'print the wire type as JSON; run: one event a line'
complete -c codexos -n 'not __codexos_payload' -l tenant -x -a 'default' -d 'act for this tenant'
complete -c codexos -n 'not __codexos_payload' -l socket -r -F -d 'socket of the daemon, instead of the state folder’s'
complete -c codexos -n 'not __codexos_payload' -s q -l quiet -d 'ids only; run: no closing line'
complete -c codexos -n 'not __codexos_payload' -s v -l verbose -d 'say on stderr what is asked of the daemon'
complete -c codexos -n 'not __codexos_payload' -l color -x -a 'auto always never' -d 'auto, always or never'
complete -c codexos -n 'not __codexos_payload' -s h -l help -d 'show help for the command'
complete -c codexos -n '__codexos_is ""' -a run -d 'run a program or an agent as a task, its changes held back'
complete -c codexos -n '__codexos_is ""' -a ps -d 'list tasks: running, and ended ones whose changes wait'
complete -c codexos -n '__codexos_is ""' -a inspect -d 'show everything that is known about a task'
complete -c codexos -n '__codexos_is ""' -a logs -d 'print a task’s output'
complete -c codexos -n '__codexos_is ""' -a attach -d 'connect this terminal to a running task'
complete -c codexos -n '__codexos_is ""' -a wait -d 'wait for tasks to end; exits with the last one’s code'
complete -c codexos -n '__codexos_is ""' -a stats -d 'print what tasks use now'
complete -c codexos -n '__codexos_is ""' -a events -d 'print the events of a task, or of all'
complete -c codexos -n '__codexos_is ""' -a exec -d 'run one more program inside a running task’s sandbox'
complete -c codexos -n '__codexos_is ""' -a stop -d 'end tasks: TERM, and KILL after a grace time'
complete -c codexos -n '__codexos_is ""' -a kill -d 'send a signal to tasks'
complete -c codexos -n '__codexos_is ""' -a pause -d 'stop the processes of tasks until resume'
complete -c codexos -n '__codexos_is ""' -a net -d 'more commands'
complete -c codexos -n '__codexos_is ""' -a resume -d 'let paused tasks go on'
complete -c codexos -n '__codexos_is ""' -a rm -d 'forget ended tasks, with their logs and held-back changes'
complete -c codexos -n '__codexos_is ""' -a prune -d 'forget ended tasks that have no waiting changes'
complete -c codexos -n '__codexos_is ""' -a diff -d 'show what a task changed in the workspace'
complete -c codexos -n '__codexos_is ""' -a apply -d 'apply a task’s changes to the workspace'
complete -c codexos -n '__codexos_is ""' -a discard -d 'throw a task’s changes away'
complete -c codexos -n '__codexos_is ""' -a undo -d 'take an apply back'
complete -c codexos -n '__codexos_is ""' -a snapshot -d 'more commands'
complete -c codexos -n '__codexos_is ""' -a why -d 'explain what was refused to a task, and what would allow it'
complete -c codexos -n '__codexos_is ""' -a policy -d 'more commands'
complete -c codexos -n '__codexos_is ""' -a agent -d 'more commands'
complete -c codexos -n '__codexos_is ""' -a secret -d 'more commands'
complete -c codexos -n '__codexos_is ""' -a budget -d 'more commands'
complete -c codexos -n '__codexos_is ""' -a usage -d 'show what models used and cost, by task, agent, model or day'
complete -c codexos -n '__codexos_is ""' -a trust -d 'let this project’s .codexos.yaml widen what tasks may do'
complete -c codexos -n '__codexos_is ""' -a status -d 'show the daemon and how many tasks run'
complete -c codexos -n '__codexos_is ""' -a health -d 'check whether tasks can be started; exits 6 when not'
complete -c codexos -n '__codexos_is ""' -a doctor -d 'check what this machine gives to tasks; exits 6 when something is missing'
complete -c codexos -n '__codexos_is ""' -a daemon -d 'more commands'
complete -c codexos -n '__codexos_is ""' -a completion -d 'print the completion script of a shell'
complete -c codexos -n '__codexos_is ""' -a version -d 'print the version of this program and of the daemon'
complete -c codexos -n '__codexos_is ""' -a help -d 'show help'
complete -c codexos -n '__codexos_is net' -x -a 'allow deny ls'
complete -c codexos -n '__codexos_is snapshot' -x -a 'create list restore rm'
complete -c codexos -n '__codexos_is policy' -x -a 'show check suggest test'
complete -c codexos -n '__codexos_is agent' -x -a 'list show check login-share'
complete -c codexos -n '__codexos_is secret' -x -a 'set list show rotate rm status protect unlock lock rekey accept'
complete -c codexos -n '__codexos_is budget' -x -a 'show set raise explain'
complete -c codexos -n '__codexos_is daemon' -x -a 'start stop status'

# run
complete -c codexos -n '__codexos_at "run"' -s d -l detach -d 'print the task’s id and return'
complete -c codexos -n '__codexos_at "run"' -s i -l interactive -d 'forward stdin also with -d'
complete -c codexos -n '__codexos_at "run"' -s t -l tty -d 'give the program a terminal in any case'
complete -c codexos -n '__codexos_at "run"' -l name -x -d 'name the task'
complete -c codexos -n '__codexos_at "run"' -l label -x -d 'label the task'
complete -c codexos -n '__codexos_at "run"' -s w -l workspace -x -a '(__fish_complete_directories)' -d 'folder to work on (default: git top level)'
complete -c codexos -n '__codexos_at "run"' -l mode -x -a 'overlay direct read-only none' -d 'overlay (default), direct, read-only or none'
complete -c codexos -n '__codexos_at "run"' -l write -r -F -d 'write this path of the workspace through'
complete -c codexos -n '__codexos_at "run"' -l from -x -a '(__codexos_ids)' -d 'start from an earlier task’s changes, or "last"'
complete -c codexos -n '__codexos_at "run"' -s c -d 'the same as --from last'
complete -c codexos -n '__codexos_at "run"' -s e -l env -x -d 'set or pass a variable; GLOB_* passes many'
complete -c codexos -n '__codexos_at "run"' -l env-file -r -F -d 'read variables from a file'
complete -c codexos -n '__codexos_at "run"' -l show -l mount -r -F -d 'show another path'
complete -c codexos -n '__codexos_at "run"' -l net -x -a 'none allow host' -d 'none (only its own loopback), allow or host'
complete -c codexos -n '__codexos_at "run"' -l allow -x -d 'reach a host; *.HOST and CIDR too'
complete -c codexos -n '__codexos_at "run"' -l publish -x -d 'show a port of the task on this loopback'
complete -c codexos -n '__codexos_at "run"' -l reach -x -d 'show a port or socket of the host'
complete -c codexos -n '__codexos_at "run"' -l net-bytes -x -d 'limit of bytes to and from the network'
complete -c codexos -n '__codexos_at "run"' -l isolation -x -a 'full landlock' -d 'full (default), or landlock: no namespaces'
complete -c codexos -n '__codexos_at "run"' -l seccomp -x -a 'default nested' -d 'default, or nested for programs that sandbox'
complete -c codexos -n '__codexos_at "run"' -l profile -x -d 'a named policy of the policy files'
complete -c codexos -n '__codexos_at "run"' -l policy -r -F -d 'obey this policy; options can only narrow it'
complete -c codexos -n '__codexos_at "run"' -l timeout -x -d 'end it after this long (90s, 30m, 1h30m)'
complete -c codexos -n '__codexos_at "run"' -l idle-timeout -x -d 'end it after this long without output'
complete -c codexos -n '__codexos_at "run"' -l memory -x -d 'memory of all its processes together'
complete -c codexos -n '__codexos_at "run"' -l cpus -x -d 'processors: 0.5, 2'
complete -c codexos -n '__codexos_at "run"' -l cpu-time -x -d 'CPU time of all its processes together'
complete -c codexos -n '__codexos_at "run"' -l pids -x -d 'processes and threads'
complete -c codexos -n '__codexos_at "run"' -l disk -x -d 'what it may write: changes, scratch, log'
complete -c codexos -n '__codexos_at "run"' -l apply -d 'apply the changes when the task ends'
complete -c codexos -n '__codexos_at "run"' -l apply-on-success -d 'apply the changes after exit 0'
complete -c codexos -n '__codexos_at "run"' -l allow-protected -d 'with them: also what other programs obey'
complete -c codexos -n '__codexos_at "run"' -l skip-protected -d 'with them: the rest'
complete -c codexos -n '__codexos_at "run"' -l plan-only -d 'print what would run and how, and stop'
complete -c codexos -n '__codexos_at "run"' -l learn -d 'tell what it looks for in vain (slow); see why'
complete -c codexos -n '__codexos_at "run"' -l rm -d 'forget it when it ended and no changes wait'
complete -c codexos -n '__codexos_at "run"' -s a -l agent -r -a '(__codexos_ids agents)' -d 'give an agent (name or file) the job'
complete -c codexos -n '__codexos_at "run"' -l secret -x -d 'let it use a secret by a placeholder'
complete -c codexos -n '__codexos_at "run"' -l secret-file -x -d 'show it a secret as a file'
complete -c codexos -n '__codexos_at "run"' -l secret-value -x -d 'give it a secret itself, in a variable'
complete -c codexos -n '__codexos_at "run"' -l key-for -x -d 'where an agent’s key may go beside its provider'
complete -c codexos -n '__codexos_at "run"' -l ssh-key -x -d 'let it sign in there with a key of your SSH agent'
complete -c codexos -n '__codexos_at "run"' -l models -d 'show it the model gateway, llm.codexos.internal'
complete -c codexos -n '__codexos_at "run"' -l max-tokens -x -d 'tokens that its models may use'
complete -c codexos -n '__codexos_at "run"' -l max-requests -x -d 'requests to models'
complete -c codexos -n '__codexos_at "run"' -l max-cost -x -d 'what its models may cost'

# ps
complete -c codexos -n '__codexos_at "ps"' -s a -l all -d 'also ended tasks without waiting changes'
complete -c codexos -n '__codexos_at "ps"' -s w -l workspace -x -a '(__fish_complete_directories)' -d 'only tasks of this workspace'
complete -c codexos -n '__codexos_at "ps"' -s n -l last -x -d 'at most N tasks, the newest first'
complete -c codexos -n '__codexos_at "ps"' -l no-trunc -d 'do not cut long columns'

# inspect
complete -c codexos -n '__codexos_at "inspect"' -x -a '(__codexos_ids)'

# logs
complete -c codexos -n '__codexos_at "logs"' -s f -l follow -d 'go on until the task ends'
complete -c codexos -n '__codexos_at "logs"' -l tail -x -d 'only the last N lines'
complete -c codexos -n '__codexos_at "logs"' -l stream -x -a 'stdout stderr' -d 'only stdout or stderr'
complete -c codexos -n '__codexos_at "logs"' -l raw -d 'pass every escape sequence to the terminal'
complete -c codexos -n '__codexos_at "logs"' -x -a '(__codexos_ids)'

# attach
complete -c codexos -n '__codexos_at "attach"' -l no-stdin -d 'only watch: forward neither input nor signals'
complete -c codexos -n '__codexos_at "attach"' -x -a '(__codexos_ids)'

# wait
complete -c codexos -n '__codexos_at "wait"' -x -a '(__codexos_ids)'

# stats
complete -c codexos -n '__codexos_at "stats"' -x -a '(__codexos_ids)'

# events
complete -c codexos -n '__codexos_at "events"' -s f -l follow -d 'go on until the task ends, or for ever'
complete -c codexos -n '__codexos_at "events"' -l from -x -d 'begin at seq N (without TASK: at ord N)'
complete -c codexos -n '__codexos_at "events"' -x -a '(__codexos_ids)'

# exec
complete -c codexos -n '__codexos_at "exec"' -s i -l interactive -d 'no effect here: stdin is always forwarded'
complete -c codexos -n '__codexos_at "exec"' -s t -l tty -d 'give the program a terminal in any case'
complete -c codexos -n '__codexos_at "exec"' -s e -l env -x -d 'set or pass a variable; GLOB_* passes many'
complete -c codexos -n '__codexos_at "exec"' -l env-file -r -F -d 'read variables from a file'
complete -c codexos -n '__codexos_at "exec"' -s w -l cwd -x -d 'working directory inside the task'
complete -c codexos -n '__codexos_at "exec"' -x -a '(__codexos_ids)'

# stop
complete -c codexos -n '__codexos_at "stop"' -s t -l grace -x -d 'time between TERM and KILL (default 10s)'
complete -c codexos -n '__codexos_at "stop"' -l no-wait -d 'do not wait until it has ended'
complete -c codexos -n '__codexos_at "stop"' -x -a '(__codexos_ids)'

# kill
complete -c codexos -n '__codexos_at "kill"' -s s -l signal -x -a 'HUP INT QUIT KILL USR1 USR2 TERM CONT STOP' -d 'name or number (default KILL)'
complete -c codexos -n '__codexos_at "kill"' -x -a '(__codexos_ids)'

# pause
complete -c codexos -n '__codexos_at "pause"' -x -a '(__codexos_ids)'

# net allow

# net deny

# net ls
complete -c codexos -n '__codexos_at "net ls"' -x -a '(__codexos_ids)'

# resume
complete -c codexos -n '__codexos_at "resume"' -x -a '(__codexos_ids)'

# rm
complete -c codexos -n '__codexos_at "rm"' -s f -l force -d 'also running tasks: they are killed'
complete -c codexos -n '__codexos_at "rm"' -x -a '(__codexos_ids)'

# prune
complete -c codexos -n '__codexos_at "prune"' -l all -d 'also tasks whose changes wait, and the caches'
complete -c codexos -n '__codexos_at "prune"' -l dry-run -d 'only say what would be removed'
complete -c codexos -n '__codexos_at "prune"' -s f -l force -d 'do not ask on a terminal'

# diff
complete -c codexos -n '__codexos_at "diff"' -l stat -d 'changed lines by file'
complete -c codexos -n '__codexos_at "diff"' -l name-status -d 'letter (A, M, D, T, R) and path, a line each'
complete -c codexos -n '__codexos_at "diff"' -l all -d 'expand git’s own files and ignored folders'
complete -c codexos -n '__codexos_at "diff"' -l exit-code -d 'exit with 1 when there are changes'
complete -c codexos -n '__codexos_at "diff"' -l no-pager -d 'without $CODEXOS_PAGER and $PAGER'
complete -c codexos -n '__codexos_at "diff"' -x -a '(__codexos_ids)'

# apply
complete -c codexos -n '__codexos_at "apply"' -s n -l dry-run -d 'only say what would be done'
complete -c codexos -n '__codexos_at "apply"' -l on-conflict -x -a 'fail ours theirs merge' -d 'fail (default), ours, theirs or merge'
complete -c codexos -n '__codexos_at "apply"' -l allow-protected -d 'also files that other programs execute or obey'
complete -c codexos -n '__codexos_at "apply"' -l skip-protected -d 'leave those out, and what is never applied'
complete -c codexos -n '__codexos_at "apply"' -l commit -x -d 'commit what was applied, without running hooks'
complete -c codexos -n '__codexos_at "apply"' -x -a '(__codexos_ids)'

# discard
complete -c codexos -n '__codexos_at "discard"' -x -a '(__codexos_ids)'

# undo
complete -c codexos -n '__codexos_at "undo"' -s n -l dry-run -d 'only say what would be done'
complete -c codexos -n '__codexos_at "undo"' -l on-conflict -x -a 'fail ours theirs merge' -d 'fail (default), ours, theirs or merge'
complete -c codexos -n '__codexos_at "undo"' -x -a '(__codexos_ids)'

# snapshot create
complete -c codexos -n '__codexos_at "snapshot create"' -l name -x -d 'name it (default: the next number)'
complete -c codexos -n '__codexos_at "snapshot create"' -x -a '(__codexos_ids)'

# snapshot list
complete -c codexos -n '__codexos_at "snapshot list"' -x -a '(__codexos_ids)'

# snapshot restore

# snapshot rm

# why
complete -c codexos -n '__codexos_at "why"' -x -a '(__codexos_ids)'

# policy show
complete -c codexos -n '__codexos_at "policy show"' -s w -l workspace -x -a '(__fish_complete_directories)' -d 'folder to work on (default: git top level)'
complete -c codexos -n '__codexos_at "policy show"' -l profile -x -d 'with this profile'
complete -c codexos -n '__codexos_at "policy show"' -l policy -r -F -d 'with this policy'
complete -c codexos -n '__codexos_at "policy show"' -x -a '(__codexos_ids)'

# policy check
complete -c codexos -n '__codexos_at "policy check"' -r -F

# policy suggest
complete -c codexos -n '__codexos_at "policy suggest"' -x -a '(__codexos_ids)'

# policy test
complete -c codexos -n '__codexos_at "policy test"' -s w -l workspace -x -a '(__fish_complete_directories)' -d 'folder to work on (default: git top level)'
complete -c codexos -n '__codexos_at "policy test"' -l profile -x -d 'with this profile'
complete -c codexos -n '__codexos_at "policy test"' -l reach -x -d 'only ask: may a task reach it?'
complete -c codexos -n '__codexos_at "policy test"' -l read -r -F -d 'only ask: does a task find it?'
complete -c codexos -n '__codexos_at "policy test"' -l write -r -F -d 'only ask: may a task write to it?'
complete -c codexos -n '__codexos_at "policy test"' -s e -l env -x -d 'only ask: is it passed on?'
complete -c codexos -n '__codexos_at "policy test"' -l apply -r -F -d 'only ask: is it applied without consent?'
complete -c codexos -n '__codexos_at "policy test"' -r -F

# agent list

# agent show
complete -c codexos -n '__codexos_at "agent show"' -r -a '(__codexos_ids agents)'

# agent check
complete -c codexos -n '__codexos_at "agent check"' -r -a '(__codexos_ids agents)'

# agent login-share
complete -c codexos -n '__codexos_at "agent login-share"' -s l -l list -d 'list logins, and which are shared'
complete -c codexos -n '__codexos_at "agent login-share"' -l revoke -d 'share it no more'
complete -c codexos -n '__codexos_at "agent login-share"' -r -a '(__codexos_ids agents)'

# secret set
complete -c codexos -n '__codexos_at "secret set"' -l file -r -F -d 'read the value from there instead of stdin'
complete -c codexos -n '__codexos_at "secret set"' -l host -x -d 'put it into requests to this host, by TLS'
complete -c codexos -n '__codexos_at "secret set"' -l header -x -d 'the header that it may stand in'
complete -c codexos -n '__codexos_at "secret set"' -l method -x -d 'only into requests of this method'
complete -c codexos -n '__codexos_at "secret set"' -l path -x -d 'only into requests whose path begins so'
complete -c codexos -n '__codexos_at "secret set"' -l env -x -d 'the variable that holds the placeholder'

# secret list

# secret show
complete -c codexos -n '__codexos_at "secret show"' -l reveal -d 'print the value itself'

# secret rotate
complete -c codexos -n '__codexos_at "secret rotate"' -l file -r -F -d 'read it from there instead of stdin'

# secret rm

# secret status

# secret protect
complete -c codexos -n '__codexos_at "secret protect"' -l passphrase -d 'by a passphrase, asked for after each start'
complete -c codexos -n '__codexos_at "secret protect"' -l key-file -d 'by a file beside the database (the default)'
complete -c codexos -n '__codexos_at "secret protect"' -l credential -d 'by a systemd credential, codexos-master-key'
complete -c codexos -n '__codexos_at "secret protect"' -l file -r -F -d 'read the passphrase from there instead of stdin'

# secret unlock
complete -c codexos -n '__codexos_at "secret unlock"' -l file -r -F -d 'read it from there instead of stdin'

# secret lock

# secret rekey

# secret accept

# budget show

# budget set
complete -c codexos -n '__codexos_at "budget set"' -l period -x -a 'total day month' -d 'total (default), day or month (UTC)'
complete -c codexos -n '__codexos_at "budget set"' -l max-tokens -x -d 'tokens in both directions together'
complete -c codexos -n '__codexos_at "budget set"' -l max-requests -x -d 'requests to models'
complete -c codexos -n '__codexos_at "budget set"' -l max-cost -x -d 'cost in US dollars: 2, 0.25'
complete -c codexos -n '__codexos_at "budget set"' -l soft -x -d 'tell from here on (default 80)'
complete -c codexos -n '__codexos_at "budget set"' -l none -d 'no such budget any more'

# budget raise
complete -c codexos -n '__codexos_at "budget raise"' -l max-tokens -x -d 'tokens in both directions together'
complete -c codexos -n '__codexos_at "budget raise"' -l max-requests -x -d 'requests to models'
complete -c codexos -n '__codexos_at "budget raise"' -l max-cost -x -d 'cost in US dollars: 2, 0.25'
complete -c codexos -n '__codexos_at "budget raise"' -x -a '(__codexos_ids)'

# budget explain
complete -c codexos -n '__codexos_at "budget explain"' -x -a '(__codexos_ids)'

# usage
complete -c codexos -n '__codexos_at "usage"' -l by -x -a 'task agent model day' -d 'task, agent, model or day (default)'
complete -c codexos -n '__codexos_at "usage"' -l days -x -d 'only today and the N-1 days before it (UTC)'

# trust
complete -c codexos -n '__codexos_at "trust"' -s n -l dry-run -d 'only say what it would widen'
complete -c codexos -n '__codexos_at "trust"' -s l -l list -d 'list what is trusted'
complete -c codexos -n '__codexos_at "trust"' -l revoke -d 'trust it no more'
complete -c codexos -n '__codexos_at "trust"' -x -a '(__fish_complete_directories)'

# status

# health

# doctor
complete -c codexos -n '__codexos_at "doctor"' -l fix -d 'do what is safe, then look again'

# daemon start

# daemon stop

# daemon status

# completion
complete -c codexos -n '__codexos_at "completion"' -x -a 'bash zsh fish'

# version

# help
complete -c codexos -n '__codexos_at "help"' -x -a 'run ps inspect logs attach wait stats events exec stop kill pause net resume rm prune diff apply discard undo snapshot why policy agent secret budget usage trust status health doctor daemon completion version help'
