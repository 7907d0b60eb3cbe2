#include "airflow/tree.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <set>

#include "airflow/ignore.h"
#include "base/file.h"
#include "base/log.h"

namespace etesian::airflow {
namespace {

constexpr std::size_t kFilesMax = 200'000;
constexpr std::size_t kDepthMax = 64;
constexpr const char* kIgnoreFile = ".airflowignore";
constexpr std::array kOfTools{"__pycache__", ".git",          ".hg",  ".svn",        ".mypy_cache",
                              ".ruff_cache", ".pytest_cache", ".tox", "node_modules"};
constexpr std::array kDataEndings{".yaml", ".yml", ".json", ".toml", ".ini", ".cfg"};

bool is_of_tools(std::string_view name) {
  return std::find(kOfTools.begin(), kOfTools.end(), name) != kOfTools.end();
}

/// How to treat a file of that name; false: not at all.
bool kind_of(std::string_view name, TreeFile::Kind& kind) {
  if (name.ends_with(".py"))
    kind = TreeFile::Kind::Python;
  else if (name.ends_with(".zip"))
    kind = TreeFile::Kind::Zip;
  else if (std::any_of(kDataEndings.begin(), kDataEndings.end(),
                       [&](const char* ending) { return name.ends_with(ending); }))
    kind = TreeFile::Kind::Data;
  else
    return false;
  return name != "etesian.yaml";
}

std::int64_t nanoseconds(const timespec& time) {
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

TreeFile::Mark mark_of(const struct stat& info) {
  return {info.st_dev, info.st_ino, static_cast<std::uint64_t>(info.st_size),
          nanoseconds(info.st_mtim), nanoseconds(info.st_ctim)};
}

struct Entry {
  std::string name;
  bool is_link = false;
};

class Walk {
 public:
  explicit Walk(const Bundle& bundle) : bundle_(bundle) {}
  Tree run();

 private:
  /// A folder to look into, with the rules of those above it.
  struct Folder {
    std::string path;  ///< Relative; "" is the bundle.
    IgnoreRules rules;
    bool is_ignored = false;
    std::size_t depth = 0;
  };
  void look_into(Folder folder);
  void look_at_entry(const Folder& folder, const Entry& entry);
  void add_folder(const Folder& above, const std::string& path, const Entry& entry);
  void add_file(const std::string& path, const Entry& entry, const struct stat& info,
                bool is_ignored);
  bool read_entries(const std::string& path, std::vector<Entry>& entries);
  std::string absolute(const std::string& path) const {
    return path.empty() ? bundle_.folder : bundle_.folder + "/" + path;
  }
  void watch_links_to(const std::string& path);

  const Bundle& bundle_;
  Tree tree_;
  std::set<std::pair<dev_t, ino_t>> seen_;
  std::vector<Folder> linked_;  ///< Folders behind links come last: a real path is the better name.
};

Tree Walk::run() {
  watch_links_to(bundle_.folder);
  struct stat info {};
  if (::stat(bundle_.folder.c_str(), &info) == 0) seen_.emplace(info.st_dev, info.st_ino);
  look_into({});
  while (!linked_.empty()) {
    Folder next = std::move(linked_.front());
    linked_.erase(linked_.begin());
    if (::stat(absolute(next.path).c_str(), &info) == 0 &&
        seen_.emplace(info.st_dev, info.st_ino).second)
      look_into(std::move(next));
  }
  std::sort(tree_.files.begin(), tree_.files.end(),
            [](const TreeFile& a, const TreeFile& b) { return a.path < b.path; });
  return std::move(tree_);
}

void Walk::look_into(Folder folder) {
  std::vector<Entry> entries;
  if (!read_entries(folder.path, entries)) return;
  const auto has = [&](std::string_view name) {
    return std::any_of(entries.begin(), entries.end(),
                       [&](const Entry& entry) { return entry.name == name; });
  };
  if (!folder.path.empty() && has("pyvenv.cfg")) return;
  tree_.places.push_back({absolute(folder.path), ""});
  if (has(kIgnoreFile) && !folder.is_ignored)
    if (const auto text = read_file(absolute(folder.path) + "/" + kIgnoreFile))
      folder.rules.add(*text, folder.path);
  for (const Entry& entry : entries) look_at_entry(folder, entry);
}

bool Walk::read_entries(const std::string& path, std::vector<Entry>& entries) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(absolute(path).c_str()), ::closedir);
  if (!folder) {
    if (path.empty() || (errno != ENOENT && errno != ENOTDIR)) tree_.unreadable.push_back(path);
    return false;
  }
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name(entry->d_name);
    if (name != "." && name != "..")
      entries.push_back({std::string(name), entry->d_type == DT_LNK});
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return true;
}

void Walk::look_at_entry(const Folder& folder, const Entry& entry) {
  if (tree_.files.size() >= kFilesMax) return;
  const std::string path = folder.path.empty() ? entry.name : folder.path + "/" + entry.name;
  struct stat info {};
  if (::stat(absolute(path).c_str(), &info) != 0) return;
  if (S_ISDIR(info.st_mode)) {
    if (is_of_tools(entry.name) || folder.depth >= kDepthMax) return;
    if (!entry.is_link && !seen_.emplace(info.st_dev, info.st_ino).second) return;
    add_folder(folder, path, entry);
  } else if (S_ISREG(info.st_mode)) {
    add_file(path, entry, info, folder.is_ignored || folder.rules.ignores(path, false));
  }
}

void Walk::add_folder(const Folder& above, const std::string& path, const Entry& entry) {
  const auto& natives = bundle_.native_folders;
  if (std::find(natives.begin(), natives.end(), absolute(path)) != natives.end()) return;
  Folder next{path, above.rules, above.is_ignored || above.rules.ignores(path, true),
              above.depth + 1};
  // What is ignored may hold helper modules; a hidden folder that is ignored has no business here.
  if (next.is_ignored && entry.name.starts_with('.')) return;
  if (entry.is_link) {
    watch_links_to(absolute(path));
    linked_.push_back(std::move(next));
  } else {
    look_into(std::move(next));
  }
}

void Walk::add_file(const std::string& path, const Entry& entry, const struct stat& info,
                    bool is_ignored) {
  TreeFile file;
  if (!kind_of(entry.name, file.kind)) return;
  file.path = path;
  file.is_ignored = is_ignored;
  file.mark = mark_of(info);
  tree_.files.push_back(std::move(file));
  if (!entry.is_link) return;
  watch_links_to(absolute(path));
  std::error_code failed;
  const std::filesystem::path target = std::filesystem::canonical(absolute(path), failed);
  if (!failed) tree_.places.push_back({target.parent_path().string(), target.filename().string()});
}

/// A link on the way may be pointed elsewhere (as git-sync and Kubernetes do): then it is its own
/// folder that changes.
void Walk::watch_links_to(const std::string& path) {
  std::filesystem::path part;
  std::error_code failed;
  for (const auto& name : std::filesystem::path(path)) {
    part /= name;
    if (std::filesystem::is_symlink(part, failed))
      tree_.places.push_back({part.parent_path().string(), part.filename().string()});
  }
}

bool contains(std::string_view text, std::string_view word) {
  return std::search(text.begin(), text.end(), word.begin(), word.end(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
         }) != text.end();
}

}  // namespace

Tree look_at(const Bundle& bundle) { return Walk(bundle).run(); }

bool might_hold_dags(std::string_view text) {
  return contains(text, "airflow") && (contains(text, "dag") || contains(text, "asset"));
}

bool has_airflow_files(const Bundle& bundle) {
  for (const TreeFile& file : look_at(bundle).files) {
    if (file.is_ignored || file.kind == TreeFile::Kind::Data) continue;
    const auto text = read_file(bundle.folder + "/" + file.path);
    if (text &&
        (file.kind == TreeFile::Kind::Zip ? text->starts_with("PK") : might_hold_dags(*text)))
      return true;
  }
  return false;
}

}  // namespace etesian::airflow
