#include "airflow/catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>

#include "base/bytes.h"
#include "base/file.h"

namespace etesian::airflow {
namespace {

constexpr std::size_t kReadMax = 256UL << 20;
constexpr std::uint64_t kDataMax = 1 << 20;
/// Twice the coarsest clock tick of a file system that is in use (FAT aside).
constexpr std::int64_t kFreshNs = 20'000'000;

std::int64_t wall_clock_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

bool is_below(const std::string& path, const std::string& folder) {
  return folder.empty() ||
         (path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/');
}

}  // namespace

void Catalog::read(const TreeFile& file, Known& known) const {
  known = Known();
  known.mark = file.mark;
  known.is_fresh =
      std::max(file.mark.modified_ns, file.mark.changed_ns) > wall_clock_ns() - kFreshNs;
  if (file.kind == TreeFile::Kind::Data && file.mark.size > kDataMax) {
    known.hash = fmt::format("{} {}", file.mark.size, file.mark.modified_ns);
    return;
  }
  const auto text = read_file(bundle_.folder + "/" + file.path, kReadMax);
  if (!text) {
    known.unreadable = text.error().message;
    known.may_hold_dags = true;
    return;
  }
  known.hash = sha256_hex(*text);
  if (file.kind == TreeFile::Kind::Python) {
    known.may_hold_dags = might_hold_dags(*text);
    known.imports = imports_of(*text);
  } else {
    known.may_hold_dags = file.kind == TreeFile::Kind::Zip && text->starts_with("PK");
  }
}

bool Catalog::is_dag_file(const TreeFile& file, const Known& known) const {
  return file.kind != TreeFile::Kind::Data && !file.is_ignored && known.may_hold_dags;
}

Catalog::Look Catalog::look() {
  Tree tree = look_at(bundle_);
  Look look;
  look.places = std::move(tree.places);
  if (std::find(tree.unreadable.begin(), tree.unreadable.end(), "") != tree.unreadable.end()) {
    look.problem = "read folder '" + bundle_.folder + "': it is not there, or not for us";
    look.files = last_;
    return look;
  }
  // Out of sight is not gone.
  for (const TreeFile& file : last_tree_)
    for (const std::string& folder : tree.unreadable)
      if (is_below(file.path, folder)) tree.files.push_back(file);
  std::sort(tree.files.begin(), tree.files.end(),
            [](const TreeFile& a, const TreeFile& b) { return a.path < b.path; });
  std::map<std::string, Known> known;
  for (const TreeFile& file : tree.files) {
    const auto before = known_.find(file.path);
    Known& now = known[file.path];
    if (before != known_.end() && before->second.mark == file.mark && !before->second.is_fresh)
      now = std::move(before->second);
    else
      read(file, now);
  }
  known_ = std::move(known);
  last_tree_ = std::move(tree.files);
  last_ = with_inputs(last_tree_);
  look.files = last_;
  return look;
}

std::vector<DagFile> Catalog::with_inputs(const std::vector<TreeFile>& files) const {
  ImportGraph graph(bundle_.folder);
  std::vector<const TreeFile*> modules;
  std::string around;
  for (const TreeFile& file : files) {
    const Known& known = known_.at(file.path);
    if (!is_dag_file(file, known)) around += fmt::format("{} {}\n", file.path, known.hash);
    if (file.kind != TreeFile::Kind::Python) continue;
    graph.add(file.path, known.imports);
    modules.push_back(&file);
  }
  const std::string shared = fmt::format("{}\n{}\n{}\n{}", environment_key_, bundle_.name,
                                         bundle_.folder, sha256_hex(around));
  std::vector<DagFile> out;
  std::size_t module = 0;
  for (const TreeFile& file : files) {
    const Known& known = known_.at(file.path);
    const bool is_module = file.kind == TreeFile::Kind::Python;
    const std::size_t own = is_module ? module++ : 0;
    if (!is_dag_file(file, known)) continue;
    std::string input = fmt::format("{}\n{}\n{}\n", shared, file.path, known.hash);
    if (is_module)
      for (const std::size_t other : graph.reach(own)) {
        const TreeFile& imported = *modules[other];
        if (is_dag_file(imported, known_.at(imported.path)))
          input += fmt::format("{} {}\n", imported.path, known_.at(imported.path).hash);
      }
    out.push_back(
        {file.path, known.hash, sha256_hex(input), file.mark.modified_ns, known.unreadable});
  }
  return out;
}

}  // namespace etesian::airflow
