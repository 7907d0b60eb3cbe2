#include "airflow/parse_cache.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "base/bytes.h"
#include "base/file.h"
#include "base/json.h"

namespace etesian::airflow {
namespace {

constexpr int kFormat = 1;

json::object to_json(const ParseNote& note) {
  json::object versions;
  for (const auto& [id, version] : note.versions) versions[id] = version;
  json::array problems;
  for (const Problem& problem : note.problems)
    problems.push_back(json::object{{"file", problem.file},
                                    {"message", problem.message},
                                    {"line", problem.line},
                                    {"trace", problem.trace}});
  return {{"format", kFormat},
          {"input", note.input},
          {"versions", std::move(versions)},
          {"problems", std::move(problems)},
          {"unstable", json::value_from(note.unstable)}};
}

/// Throws where the shape is another.
ParseNote note_from(const json::object& object) {
  ParseNote note;
  note.input = json::value_to<std::string>(object.at("input"));
  for (const auto& [id, version] : object.at("versions").as_object())
    note.versions[std::string(id)] = json::value_to<std::string>(version);
  for (const json::value& value : object.at("problems").as_array()) {
    const json::object& problem = value.as_object();
    note.problems.push_back({json::value_to<std::string>(problem.at("file")),
                             json::value_to<std::string>(problem.at("message")),
                             json::value_to<int>(problem.at("line")),
                             json::value_to<std::string>(problem.at("trace"))});
  }
  note.unstable = json::value_to<std::vector<std::string>>(object.at("unstable"));
  return note;
}

}  // namespace

ParseCache::ParseCache(std::string folder) : folder_(std::move(folder)) {
  static_cast<void>(make_folders(folder_));
}

std::string ParseCache::place_of(const std::string& bundle, const std::string& path) const {
  return folder_ + "/" + sha256_hex(bundle + "\n" + path).substr(0, 32) + ".json";
}

std::optional<ParseNote> ParseCache::find(const std::string& bundle,
                                          const std::string& path) const {
  const auto text = read_file(place_of(bundle, path));
  if (!text) return std::nullopt;
  const auto value = parse_json(*text);
  if (!value || !value->is_object()) return std::nullopt;
  try {
    const json::object& object = value->get_object();
    if (object.at("format") != kFormat) return std::nullopt;
    return note_from(object);
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

void ParseCache::keep(const std::string& bundle, const std::string& path,
                      const ParseNote& note) const {
  const std::string place = place_of(bundle, path), made = place + ".new";
  const std::string text = json::serialize(to_json(note));
  // Not synced: what a crash tears is read as not there.
  const Fd fd(::open(made.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return;
  const ssize_t n = ::write(fd.get(), text.data(), text.size());
  if (n == static_cast<ssize_t>(text.size()))
    static_cast<void>(std::rename(made.c_str(), place.c_str()));
}

void ParseCache::forget(const std::string& bundle, const std::string& path) const {
  ::unlink(place_of(bundle, path).c_str());
}

}  // namespace etesian::airflow
