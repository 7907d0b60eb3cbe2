#include "agent/cgroup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <sstream>
#include <system_error>

#include "base/file.h"

namespace etesian::agent {
namespace {

constexpr int kPeriodUs = 100'000;

/// Parents below which groups are made: this process's own groups. `unified` when version 2 holds
/// the controllers.
struct Parents {
  std::string memory, cpu, unified;
};

bool is_writable_folder(const std::string& path) {
  return ::access((path + "/cgroup.procs").c_str(), W_OK) == 0;
}

Parents find_parents() {
  Parents out;
  const auto text = read_file("/proc/self/cgroup", 1 << 16);
  std::istringstream lines(text ? *text : std::string());
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    for (const std::string_view one : {"memory", "cpu"}) {
      const bool is_named =
          ("," + controllers + ",").find("," + std::string(one) + ",") != std::string::npos;
      const std::string folder = "/sys/fs/cgroup/" + controllers + path;
      if (is_named && is_writable_folder(folder)) (one == "memory" ? out.memory : out.cpu) = folder;
    }
    const std::string folder = "/sys/fs/cgroup" + path;
    const auto subtree = controllers.empty() ? read_file(folder + "/cgroup.subtree_control", 4096)
                                             : Result<std::string>(std::string());
    const bool has_controllers = subtree && subtree->find("memory") != std::string::npos;
    if (has_controllers && is_writable_folder(folder)) out.unified = folder;
  }
  return out;
}

const Parents& parents() {
  static const Parents found = find_parents();
  return found;
}

bool write_value(const std::string& path, const std::string& value) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return fd && ::write(fd.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size());
}

std::uint64_t number_after(const std::string& path, const std::string& word) {
  const auto text = read_file(path, 4096);
  if (!text) return 0;
  const std::size_t at = ("\n" + *text).find("\n" + word + " ");
  return at == std::string::npos ? 0
                                 : std::strtoull(text->c_str() + at + word.size() + 1, nullptr, 10);
}

}  // namespace

bool Cgroup::is_available() {
  return !parents().unified.empty() || !parents().memory.empty() || !parents().cpu.empty();
}

Cgroup Cgroup::make(const std::string& name, const wire::StartTry& launch, std::string& problem) {
  Cgroup out;
  const auto add = [&](const std::string& parent) {
    const std::string folder = parent + "/etesian-" + name;
    if (parent.empty() || (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST))
      return std::string();
    return out.folders_.emplace_back(folder);
  };
  const bool is_v2 = !parents().unified.empty();
  const std::string unified = is_v2 ? add(parents().unified) : std::string();
  const auto quota = static_cast<std::int64_t>(launch.cpu * kPeriodUs);
  if (launch.memory_bytes != 0) {
    const std::string folder = is_v2 ? unified : add(parents().memory);
    const char* const file = is_v2 ? "/memory.max" : "/memory.limit_in_bytes";
    if (folder.empty() || !write_value(folder + file, std::to_string(launch.memory_bytes)))
      problem += "the memory limit cannot be set on this host; ";
    if (!folder.empty() && is_v2) write_value(folder + "/memory.swap.max", "0");
  }
  if (launch.cpu > 0) {
    const std::string folder = is_v2 ? unified : add(parents().cpu);
    const bool is_set =
        !folder.empty() &&
        (is_v2 ? write_value(folder + "/cpu.max", fmt::format("{} {}", quota, kPeriodUs))
               : write_value(folder + "/cpu.cfs_quota_us", std::to_string(quota)));
    if (!is_set) problem += "the cpu limit cannot be set on this host; ";
  }
  return out;
}

Cgroup Cgroup::find(const std::string& name) {
  Cgroup out;
  for (const std::string& parent : {parents().unified, parents().memory, parents().cpu}) {
    const std::string folder = parent + "/etesian-" + name;
    if (!parent.empty() && is_writable_folder(folder)) out.folders_.push_back(folder);
  }
  return out;
}

std::vector<std::string> Cgroup::procs_files() const {
  std::vector<std::string> out;
  for (const std::string& folder : folders_) out.push_back(folder + "/cgroup.procs");
  return out;
}

std::vector<int> Cgroup::processes() const {
  std::vector<int> out;
  for (const std::string& folder : folders_) {
    const auto text = read_file(folder + "/cgroup.procs", 1 << 20);
    std::istringstream numbers(text ? *text : std::string());
    for (int pid = 0; numbers >> pid;) out.push_back(pid);
  }
  return out;
}

std::uint64_t Cgroup::oom_kills() const {
  std::uint64_t sum = 0;
  for (const std::string& folder : folders_)
    sum += number_after(folder + "/memory.events", "oom_kill") +
           number_after(folder + "/memory.oom_control", "oom_kill");
  return sum;
}

void Cgroup::remove() const {
  for (const std::string& folder : folders_) ::rmdir(folder.c_str());
}

}  // namespace etesian::agent
