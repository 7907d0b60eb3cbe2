#include "loader/settings.h"

#include <dirent.h>
#include <fmt/format.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "base/bytes.h"
#include "model/run.h"

namespace etesian {
namespace {

constexpr std::size_t kCalendarBytesMax = 1 << 20;
constexpr std::string_view kSettingsName = "etesian.yaml";

bool is_folder(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}
bool is_there(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}
/// And not only out of our sight.
bool is_absent(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

std::string real_path(const std::string& path) {
  std::array<char, PATH_MAX> buffer{};
  return ::realpath(path.c_str(), buffer.data()) != nullptr ? std::string(buffer.data())
                                                            : std::string();
}

bool is_below(const std::string& path, const std::string& root) {
  return path == root || (path.starts_with(root) && path[root.size()] == '/') || root == "/";
}

void read_pools(Section& section, ProjectSettings& settings) {
  const YamlNode* node = section.get("pools");
  if (!node) return;
  Section pools(*node, "'pools'", section.report());
  for (std::size_t i = 0; node->is_mapping() && i + 1 < node->items.size(); i += 2) {
    const std::string& name = node->items[i].text;
    if (const auto checked = check_id("pool", name); !checked)
      section.report().error(node->items[i],
                             fmt::format("bad name of a pool: {}", shown(node->items[i])));
    else if (const auto slots = pools.whole(name.c_str(), {0, 1'000'000}))
      settings.pools[name] = *slots;
  }
}

void read_calendars(Section& section, const Layout& layout, ProjectSettings& settings) {
  const YamlNode* node = section.get("calendars");
  if (!node) return;
  Section calendars(*node, "'calendars'", section.report());
  for (std::size_t i = 0; node->is_mapping() && i + 1 < node->items.size(); i += 2) {
    const std::string& name = node->items[i].text;
    const auto path = calendars.text(name.c_str());
    if (!path) continue;
    settings.calendars[name] = *path;
    const auto text = read_file(layout.root + "/" + *path, kCalendarBytesMax);
    if (!text)
      section.report().error(node->items[i + 1], fmt::format("no calendar file '{}'", *path),
                             "paths are relative to etesian.yaml");
    else if (const auto days = calendar_days(*text); !days)
      section.report().error(node->items[i + 1], days.error().message);
  }
}

std::optional<std::vector<std::string>> read_names(Section& section, const char* key) {
  if (!section.get(key)) return std::nullopt;
  std::vector<std::string> names;
  for (const YamlNode* node : section.texts(key)) names.push_back(node->text);
  return names;
}

}  // namespace

Result<Layout> find_layout(const std::string& folder) {
  const std::string root = real_path(folder);
  if (root.empty())
    return Error{ErrorCode::NotFound, fmt::format("load '{}': no such folder", folder)};
  if (!is_folder(root))
    return Error{ErrorCode::InvalidInput, fmt::format("load '{}': not a folder", folder)};
  const auto settings_of = [](const std::string& where) {
    return where + "/" + std::string(kSettingsName);
  };
  Layout layout;
  layout.root = root;
  if (is_there(settings_of(root))) {
    layout.settings_file = settings_of(root);
    layout.dags_folder = root + "/dags";
    return layout;
  }
  const std::size_t slash = root.rfind('/');
  const std::string parent = root.substr(0, slash);
  if (root.substr(slash + 1) == "dags" && is_there(settings_of(parent))) {
    layout.root = parent;
    layout.settings_file = settings_of(parent);
    layout.dags_folder = root;
    return layout;
  }
  const bool is_dag_named_dags = is_there(root + "/dags/dag.yaml");
  layout.dags_folder = is_folder(root + "/dags") && !is_dag_named_dags ? root + "/dags" : root;
  return layout;
}

ProjectSettings read_settings(const Layout& layout, const LoadOptions& options,
                              std::vector<Diagnostic>& diagnostics) {
  ProjectSettings settings;
  settings.name = layout.root.substr(layout.root.rfind('/') + 1);
  if (layout.settings_file.empty()) return settings;
  const std::string file(kSettingsName);
  const auto text = read_file(layout.settings_file, options.limits.bytes);
  if (!text) {
    Diagnostic problem;
    problem.file = file;
    problem.message = text.error().message;
    diagnostics.push_back(std::move(problem));
    return settings;
  }
  Report report(file, *text);
  if (text->find_first_not_of(" \t\r\n") == std::string::npos) return settings;
  if (const auto root = parse_yaml(*text, options.limits, report)) {
    Section section(*root, "etesian.yaml", report);
    if (const auto v = section.text("name")) settings.name = *v;
    section.text("description");
    When presets;
    if (const YamlNode* zone = section.get("timezone")) {
      YamlNode mapping;
      mapping.kind = YamlNode::Kind::Mapping;
      YamlNode key;
      key.text = "timezone";
      mapping.items = {key, *zone};
      presets = read_when(mapping, presets, WhenLevel::Project, {}, report);
    }
    read_pools(section, settings);
    read_calendars(section, layout, settings);
    const auto context = context_of(layout, settings, options);
    if (const YamlNode* when = section.get("when"))
      presets = read_when(*when, presets, WhenLevel::Project, context.read_calendar, report);
    settings.when = std::move(presets);
    if (const YamlNode* how = section.get("how"))
      settings.how = read_how(*how, {}, HowLevel::Project, report);
    settings.variables = read_names(section, "variables");
    settings.connections = read_names(section, "connections");
    section.finish();
  }
  for (Diagnostic& d : report.take()) diagnostics.push_back(std::move(d));
  return settings;
}

DagFileContext context_of(const Layout& layout, const ProjectSettings& settings,
                          const LoadOptions& options) {
  DagFileContext context;
  context.when = settings.when;
  context.how = settings.how;
  context.limits = options.limits;
  context.variables = settings.variables;
  context.connections = settings.connections;
  if (!settings.pools.empty()) {
    context.pools.emplace();
    for (const auto& [name, slots] : settings.pools) context.pools->push_back(name);
  }
  const std::string root = layout.root;
  const auto calendars = settings.calendars;
  context.read_calendar = [root, calendars](const std::string& name) -> Result<std::string> {
    const auto named = calendars.find(name);
    const std::string path =
        real_path(root + "/" + (named == calendars.end() ? name : named->second));
    if (path.empty() || !is_below(path, root))
      return Error{ErrorCode::NotFound, fmt::format("no calendar '{}' in the project", name)};
    return read_file(path, kCalendarBytesMax);
  };
  return context;
}

namespace {

Diagnostic entry_problem(const std::string& relative, std::string message, std::string hint) {
  Diagnostic problem;
  problem.file = relative;
  problem.message = std::move(message);
  problem.hint = std::move(hint);
  return problem;
}

/// Links may make files shared within a project, not reach out of it.
bool check_link(const std::string& path, const std::string& relative, const Layout& layout,
                std::vector<Diagnostic>& diagnostics) {
  const std::string real = real_path(path);
  if (real.empty()) {
    diagnostics.push_back(
        entry_problem(relative, "a link that leads nowhere, or in a circle", "remove it"));
    return false;
  }
  if (is_below(real, layout.root)) return true;
  diagnostics.push_back(
      entry_problem(relative, "a link that leads out of the project", "copy the file instead"));
  return false;
}

bool is_yaml(std::string_view name) { return name.ends_with(".yaml") || name.ends_with(".yml"); }

}  // namespace

std::optional<DagPath> find_dag(const Layout& layout, const std::string& name,
                                std::vector<Diagnostic>& diagnostics) {
  if (name.empty() || name[0] == '.' || name == "__pycache__" || name == kSettingsName)
    return std::nullopt;
  DagPath entry;
  entry.path = layout.dags_folder + "/" + name;
  const std::string prefix = layout.dags_folder == layout.root
                                 ? ""
                                 : layout.dags_folder.substr(layout.root.size() + 1) + "/";
  entry.relative = prefix + name;
  struct stat info {};
  if (::lstat(entry.path.c_str(), &info) != 0) return std::nullopt;
  const bool may_be_dag = is_yaml(name) || is_folder(entry.path) || S_ISLNK(info.st_mode);
  if (!may_be_dag) return std::nullopt;
  if (!is_utf8(name)) {
    diagnostics.push_back(entry_problem(prefix + backslash_replaced(name),
                                        "its name is not valid UTF-8", "rename it"));
    return std::nullopt;
  }
  if (S_ISLNK(info.st_mode) && !check_link(entry.path, entry.relative, layout, diagnostics))
    return std::nullopt;
  if (is_folder(entry.path)) {
    entry.folder = entry.path;
    entry.name = name;
    entry.has_bundle = true;
    const bool is_yml = is_absent(entry.path + "/dag.yaml") && is_there(entry.path + "/dag.yml");
    const char* file = is_yml ? "/dag.yml" : "/dag.yaml";
    entry.path += file;
    entry.relative += file;
    if (is_absent(entry.path)) return std::nullopt;
    // One that cannot be looked at is told of when it is read.
    if (::lstat(entry.path.c_str(), &info) != 0) return entry;
    if (S_ISLNK(info.st_mode) && !check_link(entry.path, entry.relative, layout, diagnostics))
      return std::nullopt;
    return entry;
  }
  if (!is_yaml(name)) return std::nullopt;
  entry.folder = layout.dags_folder;
  entry.name = name.substr(0, name.rfind('.'));
  return entry;
}

Result<std::vector<std::string>> dag_names(const Layout& layout) {
  std::vector<std::string> names;
  DIR* const open = ::opendir(layout.dags_folder.c_str());
  if (open == nullptr) {
    if (errno == ENOENT || errno == ENOTDIR) return names;
    return Error{ErrorCode::Denied,
                 "the folder cannot be read: " + std::generic_category().message(errno)};
  }
  while (const dirent* item = ::readdir(open))
    if (item->d_name[0] != '.') names.emplace_back(item->d_name);
  ::closedir(open);
  std::sort(names.begin(), names.end());
  return names;
}

ReadFile read_dag_file(const DagPath& entry, const DagFileContext& base,
                       const LoadOptions& options) {
  ReadFile read;
  read.file.relative_file = entry.relative;
  read.file.loaded.id = entry.name;
  read.signs.emplace_back(entry.path, sign_of(entry.path));
  std::vector<std::string> warnings;
  DagFileContext context = base;
  if (entry.has_bundle) {
    Bundle bundle = read_bundle(entry.folder, options.bundle_limits);
    context.bundle_hash = std::move(bundle.hash);
    read.folders = std::move(bundle.folders);
    warnings = std::move(bundle.warnings);
    std::move(bundle.signs.begin(), bundle.signs.end(), std::back_inserter(read.signs));
  }
  const auto text = read_file(entry.path, options.limits.bytes);
  if (!text) {
    const std::string& message = text.error().message;
    const std::string cause =
        message.substr(message.find("': ") == std::string::npos ? 0 : message.find("': ") + 3);
    read.file.loaded.diagnostics.push_back(
        entry_problem(entry.relative, "the file cannot be read: " + cause, ""));
    return read;
  }
  context.file = entry.relative;
  context.default_id = entry.name;
  context.folder = entry.folder;
  const std::string folder = entry.folder;
  context.look = [&](const std::string& path) {
    const std::string full = folder + "/" + path;
    read.signs.emplace_back(full, sign_of(full));
    return look_at(folder, path);
  };
  const auto find_calendar = base.read_calendar;
  context.read_calendar = [&](const std::string& name) -> Result<std::string> {
    const std::string beside = folder + "/" + name;
    read.signs.emplace_back(beside, sign_of(beside));
    const std::string real = real_path(beside);
    if (!real.empty() && is_below(real, real_path(folder)))
      return read_file(real, kCalendarBytesMax);
    return find_calendar(name);
  };
  read.file.loaded = load_dag(*text, context);
  for (const std::string& warning : warnings) {
    Diagnostic d = entry_problem(entry.relative, warning, "");
    d.severity = Severity::Warning;
    read.file.loaded.diagnostics.push_back(std::move(d));
  }
  return read;
}

}  // namespace etesian
