// Reading of addresses.
// SPDX-License-Identifier: Apache-2.0
#include "http/url.h"

#include <algorithm>
#include <stdexcept>

namespace tenon::http {
namespace {

[[noreturn]] void refuse(std::string_view url, const char* what) {
  throw std::invalid_argument("\"" + std::string(url) + "\" " + what);
}

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5 &&
         text.find_first_not_of("0123456789") == std::string_view::npos &&
         std::stoul(std::string(text)) > 0 && std::stoul(std::string(text)) < 65536;
}

}  // namespace

std::string Url::authority() const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == (is_tls ? "443" : "80") ? name : name + ":" + port;
}

Url parse_url(std::string_view text) {
  Url url;
  std::string_view rest = text;
  if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
    url.is_tls = true;
  } else {
    refuse(text, "is no address: it begins with http:// or https://");
  }
  if (std::any_of(text.begin(), text.end(), [](char c) { return c <= ' ' || c == '\x7F'; }))
    refuse(text, "has white space or control characters in it");
  const size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  std::string_view authority = rest.substr(0, end);
  url.target = rest.substr(end, rest.find('#') - end);
  if (!url.target.starts_with('/')) url.target.insert(0, "/");
  if (authority.find('@') != std::string_view::npos)
    throw std::invalid_argument(
        "an address has a user name or a password in it: a server's token is given by token_env, and proxies "
        "that ask for one "
        "are not supported");
  if (authority.starts_with('[')) {
    const size_t close = authority.find(']');
    if (close == std::string_view::npos) refuse(text, "has a [ without ]");
    url.host = authority.substr(1, close - 1);
    authority.remove_prefix(close + 1);
    if (!authority.empty() && authority[0] != ':') refuse(text, "has something between ] and the port");
  } else {
    const size_t colon = authority.find(':');
    url.host = authority.substr(0, colon);
    authority = colon == std::string_view::npos ? std::string_view() : authority.substr(colon);
  }
  if (url.host.empty()) refuse(text, "has no host");
  url.port = authority.empty() ? (url.is_tls ? "443" : "80") : std::string(authority.substr(1));
  if (!is_port(url.port)) refuse(text, "has a port that is none (1 to 65535)");
  return url;
}

}  // namespace tenon::http
