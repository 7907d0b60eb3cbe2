#include "loader/project.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "loader/settings.h"
#include "loader/watch.h"

namespace etesian {
namespace {

/// A file read this soon after its last change may change again without a new time stamp.
constexpr Duration kClockStep = std::chrono::milliseconds(50);

/// One name of the dags folder and what was read there.
struct Record {
  std::vector<Diagnostic> entry_problems;
  std::optional<ReadFile> read;
  bool is_settled = true;  ///< False: too fresh to trust its signs.
};

bool is_same(const LoadedFile& a, const LoadedFile& b) {
  const Dag* x = a.loaded.dag.get();
  const Dag* y = b.loaded.dag.get();
  if ((x == nullptr) != (y == nullptr)) return false;
  if (x == y && x != nullptr) return true;
  return a.loaded.id == b.loaded.id && a.loaded.diagnostics == b.loaded.diagnostics &&
         (x == nullptr ||
          (x->version() == y->version() && x->definition().source == y->definition().source));
}

}  // namespace

struct Repository::State {
  LoadOptions options;
  Layout layout;
  Project project;
  DagFileContext context;
  std::map<std::string, Record> records;
  std::vector<std::pair<std::string, FileSign>> shared_signs;  ///< etesian.yaml and its calendars.
  bool is_shared_settled = true;
  std::vector<Diagnostic> settings_diagnostics, folder_problems;
  std::unique_ptr<FolderWatch> watch;  ///< Null for a project that is read once.

  bool are_signs_old(const std::vector<std::pair<std::string, FileSign>>& signs) const {
    return std::all_of(signs.begin(), signs.end(),
                       [](const auto& s) { return sign_of(s.first) == s.second; });
  }

  static bool are_settled(const std::vector<std::pair<std::string, FileSign>>& signs,
                          Instant read_at) {
    const std::int64_t limit =
        std::chrono::nanoseconds((read_at - kClockStep).time_since_epoch()).count();
    return std::all_of(signs.begin(), signs.end(),
                       [&](const auto& s) { return s.second.changed_ns < limit; });
  }

  void read_shared() {
    const Instant now = SystemClock().now();
    settings_diagnostics.clear();
    project.settings = read_settings(layout, options, settings_diagnostics);
    context = context_of(layout, project.settings, options);
    const std::string file = layout.root + "/etesian.yaml";
    shared_signs = {{file, sign_of(file)}};
    for (const auto& [name, path] : project.settings.calendars)
      shared_signs.emplace_back(layout.root + "/" + path, sign_of(layout.root + "/" + path));
    is_shared_settled = are_settled(shared_signs, now);
  }

  void read_name(const std::string& name) {
    const Instant now = SystemClock().now();
    Record record;
    const auto entry = find_dag(layout, name, record.entry_problems);
    if (entry) {
      record.read = read_dag_file(*entry, context, options);
      record.is_settled = are_settled(record.read->signs, now);
      if (watch)
        for (const std::string& folder : record.read->folders) watch->add(folder, name);
    } else if (watch) {
      const std::string folder = layout.dags_folder + "/" + name;
      if (sign_of(folder).inode != 0) watch->add(folder, name);
    }
    records[name] = std::move(record);
  }

  bool is_changed(const std::string& name) const {
    const auto record = records.find(name);
    if (record == records.end() || !record->second.read || !record->second.is_settled) return true;
    return !are_signs_old(record->second.read->signs);
  }

  /// Of a folder that cannot be read now: those that are known.
  std::set<std::string> names_on_disk() {
    const auto names = dag_names(layout);
    folder_problems.clear();
    if (names) return {names->begin(), names->end()};
    Diagnostic problem;
    problem.file = layout.dags_folder.substr(layout.dags_folder.rfind('/') + 1);
    problem.message = names.error().message;
    folder_problems.push_back(std::move(problem));
    std::set<std::string> known;
    for (const auto& [name, record] : records) known.insert(name);
    return known;
  }

  /// Lays the records out as the project; what they share is checked anew.
  void assemble() {
    project.root = layout.root;
    project.dags_folder = layout.dags_folder;
    project.files.clear();
    project.diagnostics = settings_diagnostics;
    project.diagnostics.insert(project.diagnostics.end(), folder_problems.begin(),
                               folder_problems.end());
    for (const auto& [name, record] : records) {
      project.diagnostics.insert(project.diagnostics.end(), record.entry_problems.begin(),
                                 record.entry_problems.end());
      if (record.read) project.files.push_back(record.read->file);
    }
    for (Diagnostic& d : check_between(project.files, options.now))
      project.diagnostics.push_back(std::move(d));
  }

  void load_all() {
    read_shared();
    records.clear();
    for (const std::string& name : names_on_disk()) read_name(name);
    assemble();
  }

  std::vector<FileChange> changes_since(const std::vector<LoadedFile>& before) const {
    std::map<std::string_view, const LoadedFile*> old;
    for (const LoadedFile& file : before) old.emplace(file.relative_file, &file);
    std::vector<FileChange> changes;
    for (const LoadedFile& file : project.files) {
      const auto was = old.find(file.relative_file);
      const LoadedFile* previous = was == old.end() ? nullptr : was->second;
      if (previous) old.erase(was);
      if (previous && is_same(*previous, file)) continue;
      FileChange change;
      change.kind = !file.loaded.dag ? FileChange::Kind::Broken
                    : previous       ? FileChange::Kind::Changed
                                     : FileChange::Kind::Added;
      change.relative_file = file.relative_file;
      change.dag_id = file.loaded.id;
      change.dag = file.loaded.dag;
      change.diagnostics = file.loaded.diagnostics;
      if (previous && previous->loaded.id != file.loaded.id) changes.push_back(removal(*previous));
      if (!file.loaded.dag && change.diagnostics.empty())
        change.diagnostics = of_file(file.relative_file);
      changes.push_back(std::move(change));
    }
    for (const auto& [path, file] : old) changes.push_back(removal(*file));
    return changes;
  }

  static FileChange removal(const LoadedFile& file) {
    return {FileChange::Kind::Removed, file.relative_file, file.loaded.id, nullptr, {}};
  }

  std::vector<Diagnostic> of_file(const std::string& relative) const {
    std::vector<Diagnostic> found;
    for (const Diagnostic& d : project.diagnostics)
      if (d.file == relative) found.push_back(d);
    return found;
  }
};

std::vector<Diagnostic> Project::all_diagnostics() const {
  std::vector<Diagnostic> all = diagnostics;
  for (const LoadedFile& file : files)
    all.insert(all.end(), file.loaded.diagnostics.begin(), file.loaded.diagnostics.end());
  std::stable_sort(all.begin(), all.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return std::tie(a.file, a.line, a.column) < std::tie(b.file, b.line, b.column);
  });
  return all;
}

Project load_project(const std::string& folder, const LoadOptions& options) {
  Repository::State state;
  const auto layout = find_layout(folder);
  if (!layout) {
    Project project;
    Diagnostic problem;
    problem.file = folder;
    problem.message = layout.error().message;
    project.diagnostics.push_back(std::move(problem));
    return project;
  }
  state.options = options;
  state.layout = *layout;
  state.load_all();
  return std::move(state.project);
}

Repository::Repository(std::unique_ptr<State> state) : state_(std::move(state)) {}
Repository::Repository(Repository&&) noexcept = default;
Repository& Repository::operator=(Repository&&) noexcept = default;
Repository::~Repository() = default;

Result<Repository> Repository::open(const std::string& folder, const LoadOptions& options) {
  const auto layout = find_layout(folder);
  if (!layout) return layout.error();
  auto state = std::make_unique<State>();
  state->options = options;
  state->layout = *layout;
  state->watch = std::make_unique<FolderWatch>();
  state->watch->add(layout->dags_folder, "");
  if (layout->root != layout->dags_folder) state->watch->add(layout->root, "/");
  state->load_all();
  return Repository(std::move(state));
}

const Project& Repository::project() const { return state_->project; }
int Repository::wait_fd() const { return state_->watch->fd(); }
bool Repository::is_watching_all() const { return state_->watch->is_watching_all(); }

std::vector<FileChange> Repository::rescan(Scan scan) {
  State& state = *state_;
  const FolderWatch::Noticed noticed = state.watch->take();
  // The project's own folder is watched for etesian.yaml and for a dags folder that is replaced.
  const bool is_whole =
      scan == Scan::Everything || !noticed.is_certain || noticed.owners.contains("/");
  if (is_whole)
    if (auto layout = find_layout(state.layout.root)) {
      state.layout = std::move(*layout);
      state.watch->add(state.layout.dags_folder, "");
    }
  const bool is_shared_new = !state.is_shared_settled || !state.are_signs_old(state.shared_signs);
  std::set<std::string> names;
  if (is_whole || is_shared_new) {
    names = state.names_on_disk();
    for (const auto& [name, record] : state.records) names.insert(name);
  } else {
    names = noticed.owners;
    names.insert(noticed.names.begin(), noticed.names.end());
    for (const auto& [name, record] : state.records)
      if (!record.is_settled) names.insert(name);
  }
  if (is_shared_new) state.read_shared();
  bool is_anything_new = is_shared_new;
  for (const std::string& name : names) {
    if (!is_shared_new && !state.is_changed(name)) continue;
    is_anything_new = true;
    state.read_name(name);
    const Record& record = state.records.at(name);
    if (!record.read && record.entry_problems.empty()) state.records.erase(name);
  }
  if (!is_anything_new) return {};
  std::vector<LoadedFile> before = std::move(state.project.files);
  state.assemble();
  return state.changes_since(before);
}

}  // namespace etesian
