#include "builds/dockerfile.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "builds/dockerfile_lines.h"
#include "registry/manifest.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::builds {
namespace {

using Values = std::map<std::string, std::string>;

struct Stage {
  std::string name;                 // lower case; "" = none
  std::size_t line = 0, begin = 0;  // of its FROM, the latter in bytes of the file
  std::vector<std::size_t> needs;   // other stages
  std::vector<ImageUse> images;
  std::vector<std::size_t> fetches;
  bool mounts_secrets = false;
};

/// "linux/arm/v7" as the variables that every Dockerfile may use.
void add_platform(Values& values, const std::string& prefix, std::string_view platform) {
  const auto parts = split(platform, '/');
  const auto part = [&](std::size_t i) { return i < parts.size() ? std::string(parts[i]) : std::string(); };
  values[prefix + "PLATFORM"] = platform;
  values[prefix + "OS"] = part(0);
  values[prefix + "ARCH"] = part(1);
  values[prefix + "VARIANT"] = part(2);
}

class Facts {
 public:
  Facts(std::string_view file, const DockerfileQuestion& question)
      : size_(file.size()), question_(question), text_(read_dockerfile_lines(file, question.name)) {
    const std::string here = registry::this_platform().text();
    add_platform(globals_, "BUILD", here);
    add_platform(globals_, "TARGET", question.platform.empty() ? here : question.platform);
  }

  DockerfileFacts find() {
    for (const DockerfileLine& line : text_.lines) take(line);
    if (stages_.empty()) throw_at(question_.name, 1, "there is no FROM; a Dockerfile begins with one");
    DockerfileFacts facts;
    facts.syntax = text_.syntax;
    facts.escape = text_.escape;
    const std::size_t target = target_stage();
    facts.end = target + 1 < stages_.size() ? stages_[target + 1].begin : size_;
    const std::vector<bool> needed = needed_stages(target);
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      if (!needed[i]) continue;
      const Stage& stage = stages_[i];
      facts.images.insert(facts.images.end(), stage.images.begin(), stage.images.end());
      facts.fetches.insert(facts.fetches.end(), stage.fetches.begin(), stage.fetches.end());
      facts.mounts_secrets = facts.mounts_secrets || stage.mounts_secrets;
    }
    return facts;
  }

 private:
  static std::string_view text(const DockerfileLine& line, const DockerfileWord& word) {
    return std::string_view(line.text).substr(word.begin, word.end - word.begin);
  }

  std::string filled(const DockerfileLine& line, std::string_view word) const {
    try {
      return fill_in(word, globals_, text_.escape);
    } catch (const Error& error) {
      throw_at(question_.name, line.number, error.what());
    }
  }

  void take(const DockerfileLine& line) {
    const auto words = words_of(line, text_.escape);
    if (words.empty()) return;
    const std::string instruction = to_lower(text(line, words[0]));
    if (instruction == "from") {
      take_from(line, words);
    } else if (stages_.empty()) {
      if (instruction != "arg")
        throw_at(question_.name, line.number,
                 in_quotes(to_utf8(text(line, words[0]))) + " stands before the first FROM; only ARG may");
      take_arg(line, words);
    } else if (instruction == "copy" || instruction == "add") {
      take_copy(line, words, instruction == "add");
    } else if (instruction == "run") {
      take_run(line, words);
    }
  }

  void take_arg(const DockerfileLine& line, const std::vector<DockerfileWord>& words) {
    for (std::size_t i = 1; i < words.size(); ++i) {
      const std::string_view word = text(line, words[i]);
      const std::size_t equals = std::min(word.find('='), word.size());
      const std::string name(word.substr(0, equals));
      const auto given = question_.args.find(name);
      if (given != question_.args.end())
        globals_[name] = given->second;
      else if (equals < word.size())
        globals_[name] = filled(line, word.substr(equals + 1));
    }
  }

  void take_from(const DockerfileLine& line, const std::vector<DockerfileWord>& words) {
    std::size_t i = 1;
    std::string platform;
    for (; i < words.size() && text(line, words[i]).starts_with("--"); ++i) {
      constexpr std::string_view kPlatform = "--platform=";
      const std::string_view flag = text(line, words[i]);
      if (flag.starts_with(kPlatform)) platform = filled(line, flag.substr(kPlatform.size()));
    }
    const bool has_name = i + 3 == words.size() && to_lower(text(line, words[i + 1])) == "as";
    if (i >= words.size() || (i + 1 != words.size() && !has_name))
      throw_at(question_.name, line.number, "FROM is written 'FROM IMAGE' or 'FROM IMAGE AS NAME'");
    std::string image = filled(line, text(line, words[i]));
    if (image.empty())
      throw_at(question_.name, line.number,
               in_quotes(to_utf8(text(line, words[i]))) +
                   " is empty once arguments are filled in; give the ARG a default before the first FROM, or "
                   "a value in 'args'");
    Stage stage;
    stage.line = line.number;
    stage.begin = line.places[words[0].begin];
    const auto base = stage_of(image, false);
    if (has_name) stage.name = to_lower(text(line, words[i + 2]));
    if (base)
      stage.needs.push_back(*base);
    else if (to_lower(image) != "scratch")
      stage.images.push_back(use(line, std::move(image), words[i], std::move(platform)));
    stages_.push_back(std::move(stage));
  }

  static ImageUse use(const DockerfileLine& line, std::string image, DockerfileWord word,
                      std::string platform = {}) {
    return {std::move(image), std::move(platform), line.places[word.begin], line.places[word.end - 1] + 1,
            line.number};
  }

  void take_copy(const DockerfileLine& line, const std::vector<DockerfileWord>& words, bool add) {
    constexpr std::string_view kFrom = "--from=";
    for (std::size_t i = 1; i < words.size(); ++i) {
      const std::string_view word = text(line, words[i]);
      if (!add && word.starts_with(kFrom)) take_other(line, {words[i].begin + kFrom.size(), words[i].end});
      if (add && i + 1 < words.size() && lies_elsewhere(word)) {
        stages_.back().fetches.push_back(line.number);
        return;
      }
    }
  }

  static bool lies_elsewhere(std::string_view source) {
    if (source.starts_with('"')) source.remove_prefix(1);
    return source.starts_with("http://") || source.starts_with("https://") || source.starts_with("git@") ||
           source.starts_with("ssh://");
  }

  // Flags come first: what follows them is the command's.
  void take_run(const DockerfileLine& line, const std::vector<DockerfileWord>& words) {
    constexpr std::string_view kMount = "--mount=";
    for (std::size_t i = 1; i < words.size() && text(line, words[i]).starts_with("--"); ++i) {
      const std::string_view word = text(line, words[i]);
      if (!word.starts_with(kMount)) continue;
      std::size_t begin = words[i].begin + kMount.size();
      for (const std::string_view field : split(word.substr(kMount.size()), ',')) {
        constexpr std::string_view kFrom = "from=";
        if (field.starts_with(kFrom)) take_other(line, {begin + kFrom.size(), begin + field.size()});
        if (field == "type=secret") stages_.back().mounts_secrets = true;
        begin += field.size() + 1;
      }
    }
  }

  // A stage by name or number, or an image.
  void take_other(const DockerfileLine& line, DockerfileWord word) {
    if (word.begin >= word.end)
      throw_at(question_.name, line.number, "'from=' names neither a stage nor an image");
    std::string name(text(line, word));
    // Engines differ in whether they fill it in; what they make of it is not known here.
    if (name.find_first_of("$\"'") != std::string::npos) return;
    Stage& stage = stages_.back();
    if (const auto other = stage_of(name, true))
      stage.needs.push_back(*other);
    else
      stage.images.push_back(use(line, std::move(name), word));
  }

  std::optional<std::size_t> stage_of(const std::string& word, bool by_number) const {
    const std::string name = to_lower(word);
    for (std::size_t i = stages_.size(); i-- > 0;)
      if (!name.empty() && stages_[i].name == name) return i;
    const auto number = parse_integer(name);
    if (by_number && number && *number >= 0 && static_cast<std::size_t>(*number) < stages_.size())
      return static_cast<std::size_t>(*number);
    return std::nullopt;
  }

  std::size_t target_stage() const {
    if (question_.target.empty()) return stages_.size() - 1;
    const auto found = stage_of(question_.target, true);
    if (!found) refuse_target();
    return *found;
  }

  std::vector<bool> needed_stages(std::size_t target) const {
    std::vector<bool> needed(stages_.size(), false);
    needed[target] = true;
    // A stage needs only earlier ones.
    for (std::size_t i = target + 1; i-- > 0;)
      if (needed[i])
        for (const std::size_t other : stages_[i].needs) needed[other] = true;
    return needed;
  }

  [[noreturn]] void refuse_target() const {
    std::vector<std::string> names;
    for (const Stage& stage : stages_)
      if (!stage.name.empty()) names.push_back(in_quotes(to_utf8(stage.name)));
    throw_at(question_.name, stages_.back().line,
             "there is no stage " + in_quotes(to_utf8(question_.target)) +
                 (names.empty() ? "; no stage has a name" : "; there are " + join(names, ", ")));
  }

  std::size_t size_;
  const DockerfileQuestion& question_;
  DockerfileText text_;
  Values globals_;
  std::vector<Stage> stages_;
};

}  // namespace

DockerfileFacts read_dockerfile(std::string_view file, const DockerfileQuestion& question) {
  return Facts(file, question).find();
}

std::string with_images(std::string_view file, const std::vector<ImageUse>& uses,
                        const std::vector<std::string>& images) {
  std::string out;
  std::size_t at = 0;
  for (std::size_t i = 0; i < uses.size(); ++i) {
    if (images[i].empty()) continue;
    out += file.substr(at, uses[i].begin - at);
    out += images[i];
    at = uses[i].end;
  }
  return out + std::string(file.substr(at));
}

}  // namespace runner::builds
