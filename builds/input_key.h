#pragma once
// What an image is made of, and the key by which it is known: equal inputs, equal key, and nothing is built.
// Secrets are no inputs. Pure; any thread.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runner::builds {

/// On each image that is built here.
inline constexpr const char* kKeyLabel = "io.runner.key";
inline constexpr const char* kInputsLabel = "io.runner.inputs";

struct BuildInputs {
  std::string context;     // its key
  std::string dockerfile;  // digest of its text
  std::string target;
  std::map<std::string, std::string> args;   // name -> digest of name and value
  std::vector<std::string> platforms;        // as given
  std::map<std::string, std::string> bases;  // image, with its platform when it has one -> digest or id
  bool operator==(const BuildInputs&) const = default;
};

/// Of one argument's value.
std::string argument_digest(std::string_view name, std::string_view value);

/// 64 hexadecimal digits.
std::string input_key(const BuildInputs& inputs);
/// The tag under which a registry has the image of a key: "runner-" and 32 of its digits.
std::string key_tag(std::string_view key);

/// As the label keeps them: JSON. Values of arguments are in it as digests only.
std::string inputs_text(const BuildInputs& inputs);
/// nullopt for what is no such text.
std::optional<BuildInputs> parse_inputs(std::string_view text);

/// For people, a line for each: "base debian:12 moved: sha256:aaaaaaaaaaaa -> sha256:bbbbbbbbbbbb".
std::vector<std::string> changed_inputs(const BuildInputs& before, const BuildInputs& now);

}  // namespace runner::builds
