#pragma once
// One file and everything it includes. Internal to loading.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pipelines/include_item.h"
#include "pipelines/inputs.h"
#include "pipelines/loading.h"
#include "pipelines/merge.h"

namespace runner::pipelines {

inline constexpr std::size_t kMaxIncludedFiles = 150;

class FileLoader {
 public:
  explicit FileLoader(Loading& loading) : loading_(loading), merger_(loading.arena) {}

  /// The body of a file merged over the bodies of its includes; nullptr when reported.
  const Node* load(const std::string& name, const std::string& text, const Origin& origin,
                   const GivenInputs& given, const ComponentFields* component = nullptr);

 private:
  struct Fetched {
    std::string name;  // for messages
    std::string text;
    Origin origin;
    SourceRange where;
    ComponentFields component;  // empty: none
  };
  struct Parsed {
    FileId file = 0;
    std::optional<FileParts> parts;
  };

  const Parsed& parse(const std::string& name, const std::string& text);
  const Node* body_of(const FileParts& parts, const Origin& origin, const GivenInputs& given,
                      const ComponentFields* component);
  bool collect_definitions(const Node& spec, const Origin& origin, InputDefinitions& definitions);
  const Node* load_includes(const Node& include, const Origin& origin);
  bool count(const SourceRange& where);

  std::vector<Fetched> fetch(const IncludeItem& item, const Origin& origin);
  void fetch_local(const IncludeItem& item, const Origin& origin, std::vector<Fetched>& out);
  void fetch_matching(const IncludeItem& item, const std::string& pattern, std::vector<Fetched>& out);
  void fetch_project(const IncludeItem& item, std::vector<Fetched>& out);
  void fetch_remote(const IncludeItem& item, std::vector<Fetched>& out);
  void fetch_component(const IncludeItem& item, std::vector<Fetched>& out);
  void missing(const SourceRange& where, std::string message, std::string help = {});
  bool is_yaml_path(const std::string& path, const SourceRange& where);

  Loading& loading_;
  Merger merger_;
  const Node* without_include(const Node& body);

  std::unordered_map<const Node*, const Node*> without_include_;
  std::map<std::string, Parsed> parsed_;  // the same file may be included many times
};

}  // namespace runner::pipelines
