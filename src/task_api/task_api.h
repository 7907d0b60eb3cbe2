#pragma once
#include <memory>
#include <string>

#include "engine/engine.h"
#include "http/http.h"

namespace etesian::task_api {

struct Options {
  std::string token_key;  ///< wire/worker_token.h
  int map_length_max = 1024;
};

/// Adds Airflow's Task Execution API (3.3.2, version 2026-06-30) below /execution to a router. Its
/// routes check their own tokens: they are Open to the router's authenticator and answer 401 and
/// 403 themselves. Bodies and error shapes are those of the official server; content type is
/// exactly application/json. What changes something is answered after it is durable.
void add_routes(http::Router& router, Engine& engine, const Options& options);

}  // namespace etesian::task_api
