// Options by path, from the checked values.
// SPDX-License-Identifier: Apache-2.0
#include "host/option_reader.h"

#include <boost/json/serialize.hpp>

#include "host/option_values.h"

namespace tenon::host {

int32_t OptionReader::find(const char* path, const tenon_option** option,
                           const boost::json::value** value) const {
  if (path == nullptr) return TENON_E_INVALID;
  *option = find_option(spec_.component->options, path);
  if (*option == nullptr) return TENON_E_INVALID;
  *value = find_value(spec_.options, path);
  return *value == nullptr ? TENON_END : TENON_OK;
}

int32_t OptionReader::get_i64(const char* path, int64_t* out) const {
  const tenon_option* option = nullptr;
  const boost::json::value* value = nullptr;
  int32_t found = find(path, &option, &value);
  if (found == TENON_E_INVALID || (option->type != TENON_T_INT && option->type != TENON_T_BYTES))
    return TENON_E_INVALID;
  if (found == TENON_END) return found;
  if (!value->is_int64()) return TENON_E_INVALID;
  *out = value->get_int64();
  return TENON_OK;
}

int32_t OptionReader::get_f64(const char* path, double* out) const {
  const tenon_option* option = nullptr;
  const boost::json::value* value = nullptr;
  int32_t found = find(path, &option, &value);
  if (found == TENON_E_INVALID) return found;
  if (option->type != TENON_T_FLOAT && option->type != TENON_T_DURATION && option->type != TENON_T_INT)
    return TENON_E_INVALID;
  if (found == TENON_END) return found;
  if (!value->is_number()) return TENON_E_INVALID;
  *out = value->is_double() ? value->get_double() : static_cast<double>(value->get_int64());
  return TENON_OK;
}

int32_t OptionReader::get_bool(const char* path, int32_t* out) const {
  const tenon_option* option = nullptr;
  const boost::json::value* value = nullptr;
  int32_t found = find(path, &option, &value);
  if (found == TENON_E_INVALID || option->type != TENON_T_BOOL) return TENON_E_INVALID;
  if (found == TENON_END) return found;
  if (!value->is_bool()) return TENON_E_INVALID;
  *out = value->get_bool() ? 1 : 0;
  return TENON_OK;
}

int32_t OptionReader::get_str(const char* path, tenon_str* out) const {
  const tenon_option* option = nullptr;
  const boost::json::value* value = nullptr;
  int32_t found = find(path, &option, &value);
  if (found == TENON_E_INVALID) return found;
  if (option->type != TENON_T_STR && option->type != TENON_T_ENUM && option->type != TENON_T_PATH)
    return TENON_E_INVALID;
  if (found == TENON_END) return found;
  const boost::json::string* text = value->if_string();
  if (text == nullptr) return TENON_E_INVALID;
  *out = {text->data(), text->size()};
  return TENON_OK;
}

int32_t OptionReader::get_json(const char* path, tenon_str* out) const {
  const tenon_option* option = nullptr;
  const boost::json::value* value = nullptr;
  int32_t found = find(path, &option, &value);
  if (found != TENON_OK) return found;
  std::lock_guard lock(mutex_);
  auto [entry, added] = json_.try_emplace(path);
  if (added) entry->second = boost::json::serialize(*value);
  *out = {entry->second.data(), entry->second.size()};
  return TENON_OK;
}

int32_t OptionReader::slot_count(const char* path, uint64_t* out) const {
  const tenon_option* option = nullptr;
  const boost::json::value* value = nullptr;
  int32_t found = find(path, &option, &value);
  if (found == TENON_E_INVALID || !(option->flags & TENON_O_LIST)) return TENON_E_INVALID;
  if (found == TENON_OK && !value->is_array()) return TENON_E_INVALID;  // the path of an element
  *out = found == TENON_OK ? value->get_array().size() : 0;
  return TENON_OK;
}

}  // namespace tenon::host
