// Options by path, from the checked values.
// SPDX-License-Identifier: Apache-2.0
#include "host/option_reader.h"

#include <algorithm>
#include <boost/json/serialize.hpp>

#include "host/option_values.h"

namespace tenon::host {

int32_t OptionReader::find(const char* path, std::initializer_list<int32_t> types,
                           const boost::json::value** value) const {
  const tenon_option* option = path != nullptr ? find_option(spec_.component->options, path) : nullptr;
  if (option == nullptr) return TENON_E_INVALID;
  if (types.size() > 0 && std::find(types.begin(), types.end(), option->type) == types.end())
    return TENON_E_INVALID;
  *value = find_value(spec_.options, path);
  return *value == nullptr ? TENON_END : TENON_OK;
}

int32_t OptionReader::get_i64(const char* path, int64_t* out) const {
  const boost::json::value* value = nullptr;
  if (int32_t found = find(path, {TENON_T_INT, TENON_T_BYTES}, &value); found != TENON_OK) return found;
  if (!value->is_int64()) return TENON_E_INVALID;
  *out = value->get_int64();
  return TENON_OK;
}

int32_t OptionReader::get_f64(const char* path, double* out) const {
  const boost::json::value* value = nullptr;
  int32_t found = find(path, {TENON_T_FLOAT, TENON_T_DURATION, TENON_T_INT}, &value);
  if (found != TENON_OK) return found;
  if (!value->is_number()) return TENON_E_INVALID;
  *out = value->to_number<double>();
  return TENON_OK;
}

int32_t OptionReader::get_bool(const char* path, int32_t* out) const {
  const boost::json::value* value = nullptr;
  if (int32_t found = find(path, {TENON_T_BOOL}, &value); found != TENON_OK) return found;
  if (!value->is_bool()) return TENON_E_INVALID;
  *out = value->get_bool() ? 1 : 0;
  return TENON_OK;
}

int32_t OptionReader::get_str(const char* path, tenon_str* out) const {
  const boost::json::value* value = nullptr;
  int32_t found = find(path, {TENON_T_STR, TENON_T_ENUM, TENON_T_PATH}, &value);
  if (found != TENON_OK) return found;
  const boost::json::string* text = value->if_string();
  if (text == nullptr) return TENON_E_INVALID;
  *out = {text->data(), text->size()};
  return TENON_OK;
}

int32_t OptionReader::get_json(const char* path, tenon_str* out) const {
  const boost::json::value* value = nullptr;
  if (int32_t found = find(path, {}, &value); found != TENON_OK) return found;
  std::lock_guard lock(mutex_);
  auto [entry, added] = json_.try_emplace(path);
  if (added) entry->second = boost::json::serialize(*value);
  *out = {entry->second.data(), entry->second.size()};
  return TENON_OK;
}

int32_t OptionReader::slot_count(const char* path, uint64_t* out) const {
  const boost::json::value* value = nullptr;
  int32_t found = find(path, {}, &value);
  if (found == TENON_E_INVALID || !(find_option(spec_.component->options, path)->flags & TENON_O_LIST))
    return TENON_E_INVALID;
  if (found == TENON_OK && !value->is_array()) return TENON_E_INVALID;  // the path of an element
  *out = found == TENON_OK ? value->get_array().size() : 0;
  return TENON_OK;
}

}  // namespace tenon::host
