#pragma once
// docker-compose, or Docker's plugin for it: called to render a file and to make what it describes, and for
// nothing else. Internal to this folder; any thread.

#include <filesystem>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace runner::deployments {

struct ComposeCall {
  std::string project;
  std::filesystem::path file;
  std::vector<std::string> words;                 // "up", "-d" ...
  std::map<std::string, std::string> variables;   // that the file may use
  std::filesystem::path socket;                   // of the engine
  std::filesystem::path home;                     // of ours
  std::function<void(std::string_view)> on_line;  // what it says for people
};

/// Runs it to its end and gives its output. It ends with us, whatever we die of: what it has asked the engine
/// for by then is done, and no more. Throws Error: not_found when there is none, with the mend; invalid_input
/// with its last words when it fails; timeout; cancelled.
std::string run_compose(const ComposeCall& call, const std::stop_token& stop);

}  // namespace runner::deployments
