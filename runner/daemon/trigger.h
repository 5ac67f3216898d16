#pragma once
// Why a pipeline is to be made. A value.

#include <map>
#include <string>

namespace runner::daemon {

struct Trigger {
  std::string ref;     // full name
  std::string sha;     // the commit; the mirror has it
  std::string before;  // what the ref was before; "" = it is new
  std::string source = "push";
  std::string started_by;
  std::map<std::string, std::string> variables;
  bool asked = false;  // also for a commit that had one
};

}  // namespace runner::daemon
