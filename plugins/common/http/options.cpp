// From options to a client's settings.
// SPDX-License-Identifier: Apache-2.0
#include "http/options.h"

#include <cstdlib>
#include <stdexcept>

namespace tenon::http {
namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw Error(TENON_E_INVALID, what);
}

Url url_of(const std::string& option, const std::string& text) {
  try {
    return parse_url(text);
  } catch (const std::invalid_argument& e) {
    refuse("option " + option + ": " + e.what());
  }
}

std::pair<std::string, std::string> header_of(const std::string& text) {
  const size_t colon = text.find(':');
  const bool is_broken = text.find_first_of("\r\n") != std::string::npos;
  if (colon == std::string::npos || colon == 0 || is_broken || text.find_first_of(" \t") < colon)
    refuse("option headers: \"" + text + "\" is no header: give \"Name: value\"");
  const size_t value = text.find_first_not_of(' ', colon + 1);
  return {text.substr(0, colon), value == std::string::npos ? "" : text.substr(value)};
}

// For a message: a proxy's address may have a password in it.
std::string without_user(const std::string& url) {
  const size_t at = url.rfind('@'), scheme = url.find("://");
  if (at == std::string::npos) return url;
  return (scheme == std::string::npos ? "" : url.substr(0, scheme + 3)) + "…" + url.substr(at);
}

std::string proxy_of(Host host, const Url& url) {
  const auto given = host.str_if("proxy");
  const auto found = environment_proxy(url);
  if (!given) {
    if (found)
      host.info("the environment has the proxy " + without_user(*found) +
                ", which is not used: set proxy: environment to use it");
    return {};
  }
  if (*given != "environment") return *given;
  if (!found)
    host.warn("proxy: environment, and the environment has none for " + url.host + ": none is used");
  return found.value_or("");
}

}  // namespace

Endpoint endpoint_of(Host host) {
  Endpoint out;
  out.url = url_of("url", host.str("url"));
  for (const std::string& header : host.strs("headers")) out.headers.push_back(header_of(header));
  if (const auto name = host.str_if("token_env")) {
    const char* token = std::getenv(name->c_str());
    if (token == nullptr || *token == '\0')
      refuse("option token_env: the environment variable " + *name + " is not set");
    out.headers.emplace_back("Authorization", "Bearer " + std::string(token));
  }
  Settings& settings = out.settings;
  settings.timeout = std::chrono::duration<double>(host.f64("timeout"));
  settings.connect_timeout = std::chrono::duration<double>(host.f64("connect_timeout"));
  settings.attempts = static_cast<uint32_t>(host.i64("attempts"));
  settings.backoff = std::chrono::duration<double>(host.f64("backoff"));
  settings.concurrency = static_cast<uint32_t>(host.i64("concurrency"));
  settings.verifies = host.boolean("verify");
  settings.ca_file = host.str_if("ca_file").value_or("");
  settings.proxy = proxy_of(host, out.url);
  if (!settings.proxy.empty()) url_of("proxy", settings.proxy);
  if (out.url.is_tls && !settings.verifies)
    host.warn("verify: false: anybody between here and " + out.url.host + " can answer in its place");
  return out;
}

std::optional<Response> probe(Host host, const Endpoint& endpoint, const std::string& target) {
  if (!host.boolean("probe")) return std::nullopt;
  Settings settings = endpoint.settings;
  settings.attempts = 1;
  settings.timeout = std::min(settings.timeout, std::chrono::duration<double>(10));
  Request request;
  request.method = "GET";
  request.target = target;
  request.headers = endpoint.headers;
  const Result result = Client(endpoint.url, settings).run({request}, [] { return false; }).at(0);
  const uint32_t status = result.response.status;
  if (status == 401 || status == 403)
    refuse("option token_env: the server at " + endpoint.url.authority() + " does not let it in (" +
           result.why + "): give the variable with its token, or set probe: false");
  if (status == 0)
    refuse("option url: nobody answers there (" + result.why +
           "): start the server, correct the address, or set probe: false if it is started later");
  return result.failure == Failure::kNone ? std::optional(result.response) : std::nullopt;
}

void check_endpoint(Host host, Findings& findings) {
  auto check_url = [&](const char* option, const std::string& text) -> std::optional<Url> {
    try {
      return parse_url(text);
    } catch (const std::invalid_argument& e) {
      findings.error(option, e.what());
      return std::nullopt;
    }
  };
  const auto url = check_url("url", host.str("url"));
  if (const auto proxy = host.str_if("proxy"); proxy && *proxy != "environment") check_url("proxy", *proxy);
  for (const char* option : {"ca_file", "verify"})
    if (url && !url->is_tls) findings.no_effect(option, "the url is plain http");
  if (host.f64("timeout") <= 0) findings.error("timeout", "is not positive");
  if (host.f64("connect_timeout") <= 0) findings.error("connect_timeout", "is not positive");
}

}  // namespace tenon::http
