// `runner variable ...`: what a server gives the jobs of a project.

#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "runner/cli/client_desk.h"
#include "runner/cli/client_json.h"
#include "runner/cli/client_reader.h"
#include "runner/cli/commands.h"
#include "runner/cli/json_writer.h"
#include "runner/cli/messages.h"
#include "runner/cli/table.h"

namespace runner::cli {
namespace {

// What a server takes, and the line break at its end.
constexpr std::size_t kMaxValue = (std::size_t{64} << 10U) + 2;

struct VariableAnswer {
  std::string key, scope, type, description;
  bool masked = false, is_protected = false, raw = false;
};

VariableAnswer variable_of(const nlohmann::json& value) {
  const Reader reader(value, "variable");
  VariableAnswer out;
  for (const char* name : {"key", "environment_scope"}) reader.require(name);
  reader.take("key", out.key);
  reader.take("environment_scope", out.scope);
  reader.take("variable_type", out.type);
  reader.take("description", out.description);
  reader.take("masked", out.masked);
  reader.take("protected", out.is_protected);
  reader.take("raw", out.raw);
  return out;
}

/// What is typed is not shown while this lives. Without signals: one would end us and leave the terminal so.
class HiddenInput {
 public:
  HiddenInput() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios hidden = before_;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO | ISIG);
    changed_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) == 0;
  }
  HiddenInput(const HiddenInput&) = delete;
  HiddenInput& operator=(const HiddenInput&) = delete;
  ~HiddenInput() {
    if (changed_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }

 private:
  termios before_{};
  bool changed_ = false;
};

/// All of standard input; `one_line`: to the end of its first line.
std::string read_input(bool one_line) {
  std::string text(kMaxValue + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(STDIN_FILENO, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("cannot read standard input");
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
    if (one_line && text[size - 1] == '\n') break;
  }
  text.resize(size);
  return text;
}

std::string typed_value(bool file) {
  if (::isatty(STDIN_FILENO) == 0) return read_input(false);
  print_notice(file ? "type the value, which is not shown, and Ctrl-D on a line of its own"
                    : "type the value, which is not shown, and Enter");
  const HiddenInput hidden;
  return read_input(!file);
}

/// Throws Error.
std::string read_value(const VariableOptions& options) {
  if (options.value) return *options.value;
  const bool file = options.type == "file", typed = options.file.empty() || options.file == "-";
  const std::string name = typed ? "standard input" : in_quotes(options.file.native());
  std::optional<std::string> text = typed ? typed_value(file) : read_file(options.file, kMaxValue);
  if (!text) throw Error(ErrorCode::invalid_input, "there is no file " + name);
  if (text->size() > kMaxValue)
    throw Error(ErrorCode::invalid_input, name + " is too long for a variable: 64 KiB at most");
  if (!is_utf8(*text) || text->find('\0') != std::string::npos)
    throw Error(ErrorCode::invalid_input, name + " is no text; encode it, such as by base64");
  if (file) return *std::move(text);
  if (text->ends_with('\n')) text->pop_back();
  if (text->ends_with('\r')) text->pop_back();
  return *std::move(text);
}

std::string body_of(const VariableOptions& options, const std::string& value) {
  std::string body;
  JsonWriter json([&](std::string_view text) { body += text; });
  json.begin_object().member("value", value).member("variable_type", options.type);
  json.member("masked", options.masked);
  if (options.is_protected) json.member("protected", *options.is_protected);
  if (options.raw) json.member("raw", *options.raw);
  if (options.description) json.member("description", *options.description);
  json.end_object().flush();
  return body;
}

std::string scope_text(const std::string& scope) {
  return scope == "*" ? "all jobs" : "jobs of " + in_quotes(printable(scope));
}

/// "masked, protected"; "plain" when there is nothing to say.
std::string kind_text(const VariableAnswer& variable) {
  std::vector<std::string> parts;
  if (variable.type == "file") parts.emplace_back("file");
  if (variable.masked) parts.emplace_back("masked");
  if (variable.is_protected) parts.emplace_back("protected");
  if (variable.raw) parts.emplace_back("raw");
  return parts.empty() ? "plain" : join(parts, ", ");
}

class VariableCommand {
 public:
  explicit VariableCommand(const VariableOptions& options)
      : options_(options),
        desk_(options.common),
        list_("/projects/" + url_encode(options.project) + "/variables"),
        path_(list_ + "/" + url_encode(options.key)) {}

  int run() {
    switch (options_.action) {
      case VariableAction::set:
        return set();
      case VariableAction::remove:
        return remove();
      case VariableAction::list:
        break;
    }
    return list();
  }

 private:
  int set() {
    const std::string value = read_value(options_);
    const std::string scope = options_.scope.value_or("*");
    const std::string body =
        desk_.ask("PUT", path_ + "?environment_scope=" + url_encode(scope), body_of(options_, value));
    if (options_.common.json) {
      say(clean_json(body) + "\n");
      return exit_success;
    }
    const VariableAnswer variable = variable_of(parse_answer(body));
    say("set " + in_quotes(printable(variable.key)) + " of " + in_quotes(printable(options_.project)) +
        " for " + scope_text(variable.scope) + ": " + kind_text(variable) + "\n");
    if (!variable.raw && variable.type != "file" && value.find('$') != std::string::npos)
      print_notice("there is a '$' in it: $NAME is another variable there; --raw leaves it as it is");
    return exit_success;
  }

  int list() {
    std::vector<std::string> items;
    std::vector<VariableAnswer> found;
    desk_.each_page(list_, [&](const std::string& page) {
      const nlohmann::json document = parse_answer(page);
      Reader(document, "list").for_each("items", [&](const nlohmann::json& item) {
        found.push_back(variable_of(item));
      });
      for (std::string& item : clean_items(page)) items.push_back(std::move(item));
      return true;
    });
    if (options_.common.json) {
      say("[" + join(items, ",") + "]\n");
      return exit_success;
    }
    if (options_.common.quiet) {
      for (const VariableAnswer& one : found) say(printable(one.key) + "\n");
      return exit_success;
    }
    if (found.empty()) print_notice("there are no variables; 'runner variable set' makes one");
    std::vector<std::vector<std::string>> rows;
    rows.reserve(found.size());
    for (const VariableAnswer& one : found)
      rows.push_back({one.key, one.scope, kind_text(one), one.description});
    say(table_text(desk_.screen(), {{"KEY"}, {"ENVIRONMENT"}, {"HOW"}, {"DESCRIPTION"}}, rows));
    return exit_success;
  }

  int remove() {
    desk_.ask("DELETE",
              path_ + (options_.scope ? "?environment_scope=" + url_encode(*options_.scope) : std::string()));
    if (options_.common.json) {
      JsonWriter json(say);
      json.begin_object().member("removed", options_.key).end_object().flush();
      say("\n");
    } else {
      say("removed " + in_quotes(printable(options_.key)) + " of " + in_quotes(printable(options_.project)) +
          "\n");
    }
    return exit_success;
  }

  const VariableOptions& options_;
  ClientDesk desk_;
  std::string list_, path_;
};

}  // namespace

int run_variable(const VariableOptions& options) {
  return VariableCommand(options).run();
}

}  // namespace runner::cli
