#pragma once
// What an image says of itself. Source: OCI image spec 1.1, "Pre-Defined Annotation Keys". Pure.

#include <map>
#include <string>

#include "builds/build_request.h"

namespace runner::builds {

/// Those of the request, and over them what is known of the commit: "org.opencontainers.image.revision",
/// "...source", "...version", "...created".
std::map<std::string, std::string> oci_labels(const BuildRequest& request);

}  // namespace runner::builds
