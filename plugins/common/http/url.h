// Addresses of HTTP servers.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace tenon::http {

struct Url {
  bool is_tls = false;
  std::string host;    // without the brackets of an IPv6 address
  std::string port;    // "80" and "443" where it is left out
  std::string target;  // path and query, at least "/"

  std::string authority() const;  // as the header Host has it
};

// Reads "http://host[:port][/path][?query]" and https. Throws std::invalid_argument that says what is wrong; user names and passwords in it are
// refused: they would end up in logs.
Url parse_url(std::string_view text);

}  // namespace tenon::http
