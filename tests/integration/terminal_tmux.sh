#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A person's session at a terminal emulator of others (tmux), which draws what a task's terminal sends: typing, resizing,
# interrupt, job control, a program that takes the whole screen, detaching, attaching again, and the exit code.
# needs: tmux less
# shellcheck source=tests/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

work
printf 'line %s of the file\n' $(seq 100) >text
t() { tmux -S "$SCRATCH/tmux" -f /dev/null "$@"; }
screen() { t capture-pane -p -t s; }
on_screen() { grep -qE -- "$1" <<<"$(screen)"; }
# What is typed never matches what is waited for: a mark is written with quotes inside, and shown without.
see() { # PATTERN: until the screen shows it
  for _ in $(seq 200); do
    ! on_screen "$1" || return 0
    sleep 0.1
  done
  fail "the screen does not show /$1/:"$'\n'"$(screen)"
}
# Types at a prompt, once it is there: what is typed ahead is drawn twice.
prompts() { grep . <<<"$(screen)" | tail -n 1 | grep -qE '(IN|OUT)SIDE *$'; }
line() {
  wait_until 20 prompts
  t send-keys -t s -l "$1"
  keys Enter
}
# All keys go to the task: the terminal makes no signals of them.
attached() { stty -F "$(t display -p -t s '#{pane_tty}')" -a | grep -q -- '-isig'; }
keys() { t send-keys -t s "$@"; }
# A command that runs until a key ends it.
sleeps() {
  line "sleep $1.$$"
  wait_until 10 eval "[ \"\$(processes_with 'sleep $1.$$')\" -gt 0 ]"
}
says() { line "$1; echo m''ark-$2"; see "mark-$2"; } # COMMAND MARK: its output stands above the mark

t new-session -d -s s -x 100 -y 30 "env PS1='OUTSIDE ' bash --norc --noprofile -i"
started+=("$(t display -p '#{pid}')")
t set -g window-size manual >/dev/null
says 'before=$(stty -g)' before

step 'typing'
line "codexos run -t --name session -e 'PS1=INSIDE ' -- bash --norc --noprofile -i; echo co''de=\$?"
says 'kept=$((6 * 7)); echo "ans""wer $kept"' typed
see 'answer 42'
line 'printf "\303\274 \346\274\242 %s\n" sh""own'
see 'ü 漢 shown'
line 'echo wrogn'
see '^wrogn'
t send-keys -t s -l 'echo lots of words'
keys C-a C-k
says 'echo "only"" this"' edited
see '^only this'

step 'resizing'
says 'stty size' size
see '^30 100'
t resize-window -t s -x 90 -y 25
says 'stty size' resized
see '^25 90'

step 'interrupt'
sleeps 300
keys C-c
says 'echo "status"" $?"' interrupted
see '^status 130'

step 'job control'
sleeps 301
keys C-z
see 'Stopped +sleep 301'
says 'jobs' stopped
line 'fg'
keys C-c
says 'echo "status"" $?"; jobs' continued
see '^status 130'

step 'a program that takes the whole screen, and gives it back'
line 'less text'
see '^line 1 of'
on_screen 'INSIDE' && fail "$(screen)"
keys G
see '^line 100 of'
keys q
says 'true' back
on_screen 'line 100 of' && fail "$(screen)"

step 'detaching leaves it running, and the terminal as it was'
keys 'C-]' d
see '^code=0'
expect_eq "$(field session .state)" running
line '[ "$before" = "$(stty -g)" ] && echo sa""me'
see '^same'

step 'attached again, at another size, it is where it was'
t resize-window -t s -x 80 -y 20
line "clear; codexos attach session; echo co''de=\$?"
wait_until 20 attached
keys Enter
see 'INSIDE *$'
says 'echo "still"" $kept"; stty size' again
see '^still 42'
see '^20 80'

step 'its exit code is that of attach, and of the task'
line 'exit 7'
see '^code=7'
expect_eq "$(field session .exit_code)" 7
line '[ "$before" = "$(stty -g)" ] && echo sa""me-still'
see '^same-still'
line exit
wait_until 10 dead "${started[0]}"
