#pragma once
// The instructions of a Dockerfile as text: directives, comments, continued lines and heredocs are done with.
// Source: the Dockerfile reference ("Parser directives", "Format", "Here-documents"). Internal to this
// folder. Pure.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace runner::builds {

struct DockerfileLine {
  std::size_t number = 0;           // of its first line, from 1
  std::string text;                 // continued lines put together
  std::vector<std::size_t> places;  // of each byte of `text` in the file
};

struct DockerfileText {
  std::string syntax;  // of the directive; "" = none
  char escape = '\\';
  std::vector<DockerfileLine> lines;
};

/// `name` is what messages call the file. Throws Error{invalid_input} "NAME:LINE: ...".
DockerfileText read_dockerfile_lines(std::string_view file, std::string_view name);

/// A word of an instruction, quotes and all.
struct DockerfileWord {
  std::size_t begin = 0, end = 0;  // in DockerfileLine::text
};
std::vector<DockerfileWord> words_of(const DockerfileLine& line, char escape);

[[noreturn]] void throw_at(std::string_view name, std::size_t line, std::string_view what);

}  // namespace runner::builds
