#pragma once
// What runs on a host reached by ssh: a script for a POSIX shell (dash and busybox's do) with flock, tar,
// sha256sum and setsid. Pure.
//
// It is the argument of the remote command and always the same, so that the list of processes tells nobody
// anything. All values come by standard input: a line with the number of lines that follow, then assignments
// and functions for this one call, then for `prepare` the bytes of the files. Standard input stays open: when
// it ends before the call has, the process group of the call is killed, since sshd lets commands go on when
// their client is gone. Lines to standard error that begin with "runner:" are its answer:
//   runner:error CODE TEXT   runner:busy HOLDER   runner:stale TOKEN DEPLOYMENT   runner:exit CODE
//   runner:timeout   runner:unknown   runner:found   runner:token TOKEN   runner:slot SLOT ID RUNNING
//   runner:prepared yes|no   runner:done
// and its exit status is 75 when busy and 76 when stale.
//
// On the host, below the root:
//   releases/ID, releases/ID.part    current, slots/blue, slots/green    shared/
//   .runner/  lock, token ("TOKEN DEPLOYMENT ENVIRONMENT"), tokens (all there ever were), holder of the lock,
//             running.SLOT (which release was started there), commands/DEPLOYMENT/NAME/ of those that survive

#include <string>
#include <string_view>

namespace runner::deployments {

/// The script, which runs the verb that the request names.
const std::string& ssh_script();

/// A word that is safe in a file name and in a line of words: all but letters, digits, '.', '_' and '-' as
/// %XX.
/// "" gives "%".
std::string as_word(std::string_view text);
std::string from_word(std::string_view word);

/// A line that gives a shell variable its value.
std::string assignment(std::string_view variable, std::string_view value);

}  // namespace runner::deployments
