#include "tests/cache/stores.h"

#include <algorithm>
#include <set>

#include "runner/database/row.h"
#include "runner/database/sqlite.h"
#include "runner/database/sqlite_connection.h"
#include "tests/cache/trees.h"

namespace runner::cache::testing {
namespace fs = std::filesystem;

EntryName name_of(std::string key) {
  return {Space::cache, "project", std::move(key)};
}

HeldEntry commit_tree(LayerStore& store, const EntryName& name, const Files& files) {
  Draft draft = store.begin();
  for (const auto& [path, content] : files) put(draft.tree() / path, content);
  NewEntry entry;
  entry.name = name;
  return store.commit(entry, std::move(draft));
}

std::vector<std::string> names_below(const fs::path& directory) {
  std::vector<std::string> names;
  if (!fs::exists(directory)) return names;
  for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

void edit_index(const fs::path& root, const std::string& sql) {
  database::SqliteConnection connection((root / "index.db").string());
  connection.script("PRAGMA busy_timeout = 5000");
  connection.script(sql);
}

std::int64_t count_rows(const fs::path& root, const std::string& table) {
  database::SqliteConnection connection((root / "index.db").string());
  return database::as_integer(connection.query("SELECT COUNT(*) FROM " + table, {}).at(0)[0]);
}

std::vector<std::string> leaks_of(const fs::path& root) {
  database::SqliteConnection connection((root / "index.db").string());
  std::set<std::string> known;
  for (const database::Row& row : connection.query("SELECT name, place FROM layers", {})) {
    const std::string place = database::as_text(row[1]);
    known.insert(place);
    // Its name was exchanged with that of its digest, and nobody wrote that down.
    if (fs::is_symlink(root / place))
      known.insert(("new" / fs::read_symlink(root / place)).lexically_normal());
    known.insert("new/" + database::as_text(row[0]));
  }
  const auto is_mark = [](const std::string& folder, const std::string& name) {
    return folder == "sync" && (name == "lock" || name.ends_with(".wanted") || name.ends_with(".working") ||
                                name.ends_with(".done"));
  };
  std::vector<std::string> leaks;
  for (const std::string& folder : names_below(root)) {
    if (folder.starts_with("index.db") || folder == "reserve") continue;
    for (const std::string& name : names_below(root / folder)) {
      if (!known.contains(folder + "/" + name) && !is_mark(folder, name))
        leaks.push_back(folder + "/" + name);
    }
  }
  return leaks;
}

}  // namespace runner::cache::testing
