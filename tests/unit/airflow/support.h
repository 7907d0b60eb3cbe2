#pragma once
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "airflow/host.h"
#include "base/file.h"
#include "base/json.h"

namespace etesian::airflow {

inline constexpr std::chrono::seconds kPatience{60};

/// A fresh folder that goes with the test.
class Folder {
 public:
  Folder() {
    std::string pattern = ::testing::TempDir() + "etesian-airflow-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }
  std::string at(const std::string& name) const { return path_ + "/" + name; }
  std::string read(const std::string& name) const { return *read_file(at(name)); }
  /// As an editor saves: the new file takes the old one's place.
  void write(const std::string& name, std::string_view text) const {
    std::filesystem::create_directories(std::filesystem::path(at(name)).parent_path());
    std::ofstream(at(name) + "~", std::ios::binary) << text;
    std::filesystem::rename(at(name) + "~", at(name));
  }

 private:
  std::string path_;
};

/// What happens on other threads, in order; waits for what is expected next.
class Heard {
 public:
  void add(std::string what) {
    const std::lock_guard lock(mutex_);
    all_.push_back(std::move(what));
    changed_.notify_all();
  }
  /// The next that was not taken yet, or "nothing" when none comes.
  std::string next() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [&] { return taken_ < all_.size(); })) return "nothing";
    return all_[taken_++];
  }
  bool is_empty() {
    const std::lock_guard lock(mutex_);
    return taken_ == all_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> all_;
  std::size_t taken_ = 0;
};

/// Whether it becomes true while patience lasts.
inline bool eventually(const std::function<bool()>& is_true) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!is_true()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // Others need the processor.
  }
  return true;
}

inline std::string python_in_path() {
  const char* path = std::getenv("PATH");
  std::string_view rest = path ? path : "";
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    const std::string candidate = std::string(rest.substr(0, end)) + "/python3";
    if (std::filesystem::exists(candidate)) return candidate;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return "/usr/bin/python3";
}

/// The fake host (fake_host/etesian_airflow): how it behaves, and what it was asked.
class FakeHost {
 public:
  HostOptions options() const {
    HostOptions options;
    options.python = python_in_path();
    options.package_folder = ETESIAN_SOURCE_DIR "/tests/unit/airflow/fake_host";
    options.socket = folder_.at("host.sock");
    options.log_file = folder_.at("host.log");
    options.environment = {{"FAKE_HOST_SCRIPT", folder_.at("script.json")},
                           {"FAKE_HOST_LOG", folder_.at("asked.jsonl")},
                           {"TOKEN", "secret"}};
    options.first_pause = std::chrono::milliseconds(10);
    options.last_pause = std::chrono::milliseconds(100);
    return options;
  }
  /// From its next request or start on.
  void behave(const json::object& script) { folder_.write("script.json", json::serialize(script)); }
  std::vector<json::object> asked() const {
    std::vector<json::object> out;
    std::ifstream file(folder_.at("asked.jsonl"));
    for (std::string line; std::getline(file, line);) out.push_back(json::parse(line).get_object());
    return out;
  }
  int count(std::string_view op) const {
    int n = 0;
    for (const json::object& line : asked()) n += line.at("op").get_string() == op;
    return n;
  }
  const Folder& folder() const { return folder_; }

 private:
  Folder folder_;
};

}  // namespace etesian::airflow
