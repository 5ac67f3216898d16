#pragma once
// The pieces of the script of ssh_script.h, in their order. Internal to this folder.

#include <string_view>

namespace runner::deployments {

extern const std::string_view kCommonOfScript;    // the request, the lifeline, the lock, the fence
extern const std::string_view kReleasesOfScript;  // releases, and which one a slot holds
extern const std::string_view kServicesOfScript;  // what runs in a slot
extern const std::string_view kCommandsOfScript;  // commands, and those that survive

}  // namespace runner::deployments
