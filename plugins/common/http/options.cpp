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

std::string proxy_of(Host host, const std::string& at, const Url& url) {
  const auto given = host.str_if((at + "proxy").c_str());
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

Endpoint endpoint_of(Host host, const std::string& at) {
  Endpoint out;
  out.url = url_of(at + "url", host.str((at + "url").c_str()));
  for (const std::string& header : host.strs((at + "headers").c_str()))
    out.headers.push_back(header_of(header));
  if (const auto name = host.str_if((at + "token_env").c_str())) {
    const char* token = std::getenv(name->c_str());
    if (token == nullptr || *token == '\0')
      refuse("option " + at + "token_env: the environment variable " + *name + " is not set");
    out.headers.emplace_back("Authorization", "Bearer " + std::string(token));
  }
  Settings& settings = out.settings;
  settings.timeout = std::chrono::duration<double>(host.f64((at + "timeout").c_str()));
  settings.connect_timeout = std::chrono::duration<double>(host.f64((at + "connect_timeout").c_str()));
  settings.attempts = static_cast<uint32_t>(host.i64((at + "attempts").c_str()));
  settings.backoff = std::chrono::duration<double>(host.f64((at + "backoff").c_str()));
  settings.concurrency = static_cast<uint32_t>(host.i64((at + "concurrency").c_str()));
  settings.verifies = host.boolean((at + "verify").c_str());
  settings.ca_file = host.str_if((at + "ca_file").c_str()).value_or("");
  settings.proxy = proxy_of(host, at, out.url);
  if (!settings.proxy.empty()) url_of(at + "proxy", settings.proxy);
  if (out.url.is_tls && !settings.verifies)
    host.warn("verify: false: anybody between here and " + out.url.host + " can answer in its place");
  return out;
}

std::optional<Response> probe(Host host, const Endpoint& endpoint, const std::string& target,
                              const std::string& at) {
  if (!host.boolean((at + "probe").c_str())) return std::nullopt;
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
    refuse("option " + at + "token_env: the server at " + endpoint.url.authority() + " does not let it in (" +
           result.why + "): give the variable with its token, or set probe: false");
  if (status == 0)
    refuse("option " + at + "url: nobody answers there (" + result.why +
           "): start the server, correct the address, or set probe: false if it is started later");
  return result.failure == Failure::kNone ? std::optional(result.response) : std::nullopt;
}

void check_endpoint(Host host, Findings& findings, const std::string& at) {
  auto check_url = [&](const char* option, const std::string& text) -> std::optional<Url> {
    try {
      return parse_url(text);
    } catch (const std::invalid_argument& e) {
      findings.error((at + option).c_str(), e.what());
      return std::nullopt;
    }
  };
  const auto url = check_url("url", host.str((at + "url").c_str()));
  if (const auto proxy = host.str_if((at + "proxy").c_str()); proxy && *proxy != "environment")
    check_url("proxy", *proxy);
  for (const char* option : {"ca_file", "verify"})
    if (url && !url->is_tls) findings.no_effect((at + option).c_str(), "the url is plain http");
  if (host.f64((at + "timeout").c_str()) <= 0) findings.error((at + "timeout").c_str(), "is not positive");
  if (host.f64((at + "connect_timeout").c_str()) <= 0)
    findings.error((at + "connect_timeout").c_str(), "is not positive");
}

}  // namespace tenon::http
