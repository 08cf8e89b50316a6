// Matrices and the constructors of sympy.
// SPDX-License-Identifier: Apache-2.0
#include "math_answer/parser_impl.h"

namespace tenon::math_answer {

NodeId Parser::matrix() {
  Deeper deeper(*this);
  const std::string name = take().text;
  const bool is_matrix = name == "pmatrix" || name == "bmatrix" || name == "matrix" || name == "array" ||
                         name == "vmatrix" || name == "Bmatrix" || name == "smallmatrix" || name == "Vmatrix";
  const bool is_cases = name == "cases";
  if (!is_matrix && !is_cases) fail("not known: the environment " + name);
  const Inside inside(*this);
  std::vector<NodeId> cells;
  size_t columns = 0, row_start = 0;
  while (!at(T::kEnd_)) {
    if (at(T::kEnd)) fail("the matrix is not closed");
    cells.push_back(element());
    if (is_cases) {
      while (at(T::kComma) || at(T::kAmpersand)) {
        take();
        if (!at(T::kRow) && !at(T::kEnd_) && !at(T::kComma) && !at(T::kAmpersand)) cells.push_back(element());
      }
      // A value and its condition belong together.
      if (cells.size() - row_start > 1) {
        const std::vector<NodeId> row(cells.begin() + static_cast<ptrdiff_t>(row_start), cells.end());
        cells.resize(row_start);
        cells.push_back(tree_.add(Kind::kTuple, row));
      }
    }
    if (accept(T::kAmpersand)) continue;
    const size_t width = cells.size() - row_start;
    if (columns != 0 && width != columns && !is_cases) fail("rows of different length");
    columns = width;
    row_start = cells.size();
    if (!accept(T::kRow) && !at(T::kEnd_)) fail("a matrix with something odd in it");
  }
  if (take().text != name) fail("the matrix ends as another");
  if (cells.empty()) fail("an empty matrix");
  if (row_start != cells.size()) fail("a row that ends with nothing");
  if (is_cases) return tree_.add(Kind::kList, cells);
  if (columns > 255) throw LimitError("more than 255 columns");
  if (name == "vmatrix" && columns <= 4 && cells.size() == columns * columns)
    return determinant(cells, columns);
  const NodeId value = tree_.add(Kind::kMatrix, cells, static_cast<uint8_t>(columns));
  return name == "vmatrix" ? made(Function::kDet, {value}) : value;
}

NodeId Parser::transposed(NodeId matrix) {
  const std::vector<NodeId> cells(tree_.children(matrix).begin(), tree_.children(matrix).end());
  const size_t columns = tree_[matrix].sub, rows = cells.size() / columns;
  if (rows > 255) throw LimitError("more than 255 columns");
  std::vector<NodeId> turned;
  for (size_t c = 0; c < columns; ++c)
    for (size_t r = 0; r < rows; ++r) turned.push_back(cells[r * columns + c]);
  return tree_.add(Kind::kMatrix, turned, static_cast<uint8_t>(rows));
}

// By the first row, of up to four rows.
NodeId Parser::determinant(std::span<const NodeId> cells, size_t n) {
  if (n == 1) return cells[0];
  std::vector<NodeId> terms;
  for (size_t column = 0; column < n; ++column) {
    std::vector<NodeId> minor;
    for (size_t k = n; k < n * n; ++k)
      if (k % n != column) minor.push_back(cells[k]);
    const NodeId term = tree_.add(Kind::kMul, {cells[column], determinant(minor, n - 1)});
    terms.push_back(column % 2 == 0 ? term : tree_.add(Kind::kNegate, {term}));
  }
  return tree_.add(Kind::kAdd, terms);
}

NodeId Parser::matrix_of_lists(NodeId list) {
  std::vector<NodeId> cells;
  size_t columns = 0;
  const auto rows = tree_.children(list);
  for (NodeId row : std::vector<NodeId>(rows.begin(), rows.end())) {
    const bool nested =
        tree_.is(row, Kind::kBracketed) || tree_.is(row, Kind::kInterval) || tree_.is(row, Kind::kTuple);
    const size_t before = cells.size();
    if (nested) {
      const auto inner = tree_.children(row);
      cells.insert(cells.end(), inner.begin(), inner.end());
    } else {
      cells.push_back(row);
    }
    if (columns != 0 && cells.size() - before != columns) fail("rows of different length");
    columns = cells.size() - before;
  }
  if (columns > 255) throw LimitError("more than 255 columns");
  return tree_.add(Kind::kMatrix, cells, static_cast<uint8_t>(columns));
}

// Python's set([1, 2]), set((1, 2)) and set({1, 2}).
NodeId Parser::set_of(std::span<const NodeId> arguments) {
  if (arguments.empty()) return tree_.add(Kind::kNamedSet, {}, static_cast<uint8_t>(NamedSet::kEmpty));
  if (arguments.size() > 1) fail("a set takes one argument");
  const NodeId inside = arguments[0];
  const Kind kind = tree_.kind(inside);
  const bool closed = kind == Kind::kInterval && tree_[inside].sub == 3;
  if (kind != Kind::kBracketed && kind != Kind::kTuple && kind != Kind::kSet && !closed)
    return kind == Kind::kNamedSet ? inside : tree_.add(Kind::kSet, {inside});
  const auto elements = tree_.children(inside);
  return tree_.add(Kind::kSet, std::vector<NodeId>(elements.begin(), elements.end()));
}

// sympy's constructors.
NodeId Parser::call() {
  Deeper deeper(*this);
  const Token constructor = take();
  const std::string_view name = constructor.text;
  std::string ends;  // Interval.open, Interval.Lopen, Interval.Ropen
  if (name == "Interval" && at(T::kUnknown) && peek().text == "." && peek(1).kind == T::kWord) {
    take();
    ends = take().text;
  }
  if (!at(T::kLParen)) fail(constructor.text + " without arguments");
  take();
  const Inside inside(*this);
  const std::vector<NodeId> all = elements(T::kRParen, T::kRParen);
  expect(T::kRParen, "the arguments are not closed");
  if (name == "FiniteSet")
    return all.empty() ? tree_.add(Kind::kNamedSet, {}, static_cast<uint8_t>(NamedSet::kEmpty))
                       : tree_.add(Kind::kSet, all);
  if (name == "set") return set_of(all);
  if (all.empty()) fail(constructor.text + " without arguments");
  if (const auto value = operator_call(name, all)) return *value;
  if (name == "Tuple") return all.size() == 1 ? all[0] : tree_.add(Kind::kTuple, all);
  if (name == "Union") return all.size() == 1 ? all[0] : tree_.add(Kind::kUnion, all);
  if (name == "Matrix") return matrix_of_lists(all[0]);
  if (all.size() == 1 && (name == "Integer" || name == "Rational" || name == "Float")) return all[0];
  if (all.size() != 2) fail(constructor.text + " takes two arguments");
  if (name == "Rational") return tree_.add(Kind::kDivide, all);
  if (name == "Pow") return tree_.add(Kind::kPower, all);
  if (name == "Eq") return tree_.add(Kind::kRelation, all, static_cast<uint8_t>(Relation::kEqual));
  if (name == "Interval" && (ends == "open" || ends == "Lopen" || ends == "Ropen" || ends.empty()))
    return tree_.add(Kind::kInterval, all, ends.empty() ? 3 : ends == "Lopen" ? 2 : ends == "Ropen" ? 1 : 0);
  fail("not known: " + constructor.text);
}

}  // namespace tenon::math_answer
