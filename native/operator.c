// Custom operators of ONNX Runtime. anemone.Gemm16: Y = alpha * op(A) * op(B) + C, matrices or batches of them that broadcast, C
// optional; A and B are float32 or bfloat16, each by itself, C and Y float32. anemone.Gemm16Pack: a matrix B as Gemm16 lays it out, for a
// loop that multiplies with it in each turn; Gemm16 takes it instead of B where its attribute `columns` says how many op(B) has.
#include "gemm16.h"
#include "ort.h"
#include <stdlib.h>

table api;

typedef struct {
  int64_t trans_a, trans_b;
  // Of a packed operand; 0 where it is none.
  int64_t columns;
  float alpha;
} kernel;

// With a packed operand, whose only axis says nothing.
static const char *shape_with_packed(const kernel *x, const shape *a, const shape *b, shape *y) {
  if (a->rank < 2 || x->trans_a) return "Gemm16 takes rows for a packed operand";
  if (b->rank != 1 || (size_t)b->size[0] * 4 != gemm16_packed_bytes(at(a, 1), x->columns))
    return "Gemm16's packed operand is of another size";
  *y = *a;
  y->size[y->rank - 1] = x->columns;
  return 0;
}

// The shape of the product; what is wrong, or null.
static const char *shape_of(const kernel *x, const shape *a, const shape *b, shape *y) {
  if (x->columns) return shape_with_packed(x, a, b, y);
  if (a->rank < 2 || b->rank < 2) return "Gemm16 takes matrices";
  int64_t inner_a = at(a, x->trans_a ? 2 : 1), inner_b = at(b, x->trans_b ? 1 : 2);
  if (inner_a != inner_b) return "the inner sizes of Gemm16's operands differ";
  y->rank = a->rank > b->rank ? a->rank : b->rank;
  for (size_t i = 3; i <= y->rank; i++) {
    int64_t p = at(a, i), q = at(b, i);
    if (p != q && p != 1 && q != 1) return "Gemm16's batches do not broadcast";
    y->size[y->rank - i] = p == 1 ? q : p;
  }
  y->size[y->rank - 2] = at(a, x->trans_a ? 1 : 2);
  y->size[y->rank - 1] = at(b, x->trans_b ? 2 : 1);
  return 0;
}

static int is_operand(const shape *s) { return s->type == FLOAT || s->type == BFLOAT16; }

// A matrix of `columns` that is written row by row, as it is or transposed.
static operand rows_of(const void *data, int type, int64_t rows, int64_t columns, int64_t transposed) {
  operand x = {data, type == BFLOAT16, transposed ? 1 : columns, transposed ? rows : 1};
  return x;
}

static int64_t product_of(const int64_t *sizes, size_t count) {
  int64_t result = 1;
  for (size_t i = 0; i < count; i++) result *= sizes[i];
  return result;
}

// Which matrix of an operand belongs to matrix `index` of the result.
static int64_t matrix_of(const shape *s, const shape *y, int64_t index) {
  int64_t result = 0, step = 1;
  for (size_t i = 3; i <= y->rank; i++) {
    int64_t size = at(s, i), place = index % at(y, i);
    index /= at(y, i);
    if (size > 1) result += place * step;
    step *= size;
  }
  return result;
}

static status compute(void *data, void *context) {
  const kernel *x = data;
  size_t inputs;
  shape a, b, c, y;
  void *pa, *pb, *pc = 0;
  float *py;
  status failed;
  TRY(CALL(INPUT_COUNT, (void *, size_t *))(context, &inputs));
  TRY(input(context, 0, &a, &pa));
  TRY(input(context, 1, &b, &pb));
  if (inputs > 2) TRY(input(context, 2, &c, &pc));
  if (!is_operand(&a) || !is_operand(&b)) return failure("Gemm16 takes float32 and bfloat16");
  if (x->columns && b.type != FLOAT) return failure("Gemm16's packed operand is called float32");
  const char *wrong = shape_of(x, &a, &b, &y);
  if (wrong) return failure(wrong);
  TRY(output(context, 0, &y, &py));
  product p = {.m = at(&y, 2), .n = at(&y, 1), .k = at(&a, x->trans_a ? 2 : 1), .alpha = x->alpha, .c = py};
  p.a = rows_of(pa, a.type, p.m, p.k, x->trans_a), p.b = rows_of(pb, b.type, p.k, p.n, x->trans_b);
  if (x->columns) p.packed = pb;
  int64_t count = product_of(y.size, y.rank - 2);
  pool threads = {context, run_parallel};
  if (pc) {
    if (y.rank != 2 || c.rank > 2 || (at(&c, 1) != 1 && at(&c, 1) != p.n) || (at(&c, 2) != 1 && at(&c, 2) != p.m))
      return failure("Gemm16's summand does not broadcast to its product");
    p.d = pc, p.drs = at(&c, 2) == 1 ? 0 : at(&c, 1), p.dcs = at(&c, 1) == 1 ? 0 : 1;
  }
  // A batch of rows with one matrix is one product.
  if (!x->trans_a && (x->columns || product_of(b.size, b.rank - 2) == 1)) p.m *= count, count = count > 0;
  if (count == 1) return gemm16(&p, &threads) ? failure("Gemm16 found no memory") : 0;
  if (count <= 0) return 0;
  product *all = malloc(sizeof(product) * (size_t)count);
  if (!all) return failure("Gemm16 found no memory");
  for (int64_t i = 0; i < count; i++) {
    all[i] = p;
    all[i].a = gemm16_from(p.a, matrix_of(&a, &y, i) * p.m * p.k);
    all[i].b = gemm16_from(p.b, matrix_of(&b, &y, i) * p.k * p.n);
    all[i].c += i * p.m * p.n;
  }
  int none = gemm16_many(all, (size_t)count, &threads);
  free(all);
  return none ? failure("Gemm16 found no memory") : 0;
}

static status create_kernel(const void *op, const void *ort, const void *info, void **made) {
  (void)op, (void)ort;
  kernel *x = calloc(1, sizeof *x);
  if (!x) return failure("Gemm16 found no memory");
  x->alpha = 1;
  // What is left out has its default.
  void (*release)(void *) = (void (*)(void *))api[RELEASE_STATUS];
  status missing[4] = {
    CALL(INT_ATTRIBUTE, (const void *, const char *, int64_t *))(info, "transA", &x->trans_a),
    CALL(INT_ATTRIBUTE, (const void *, const char *, int64_t *))(info, "transB", &x->trans_b),
    CALL(INT_ATTRIBUTE, (const void *, const char *, int64_t *))(info, "columns", &x->columns),
    CALL(FLOAT_ATTRIBUTE, (const void *, const char *, float *))(info, "alpha", &x->alpha),
  };
  for (int i = 0; i < 4; i++) if (missing[i]) release(missing[i]);
  *made = x;
  return 0;
}

// The shape of the result follows from those of the operands: what comes after it can be planned.
static status infer(const void *op, void *context) {
  (void)op;
  kernel x = {int_attribute(context, "transA"), int_attribute(context, "transB"), int_attribute(context, "columns"), 1};
  shape a, b, y;
  status failed;
  TRY(input_shape(context, 0, &a));
  TRY(input_shape(context, 1, &b));
  if (!is_known(&a) || !is_known(&b)) return 0;
  const char *wrong = shape_of(&x, &a, &b, &y);
  return wrong ? failure(wrong) : infer_output(context, 0, &y);
}

// A packed matrix is words of two numbers each, and called float32.
static const char *shape_of_packed(const kernel *x, const shape *b, shape *y) {
  if (b->rank != 2) return "Gemm16Pack takes a matrix";
  y->rank = 1;
  y->size[0] = (int64_t)gemm16_packed_bytes(at(b, x->trans_b ? 1 : 2), at(b, x->trans_b ? 2 : 1)) / 4;
  return 0;
}

static status infer_packed(const void *op, void *context) {
  (void)op;
  kernel x = {.trans_b = int_attribute(context, "transB")};
  shape b, y;
  status failed;
  TRY(input_shape(context, 0, &b));
  if (!is_known(&b)) return 0;
  const char *wrong = shape_of_packed(&x, &b, &y);
  return wrong ? failure(wrong) : infer_output(context, 0, &y);
}

static status pack(void *data, void *context) {
  const kernel *x = data;
  shape b, y;
  void *pb;
  float *py;
  status failed;
  TRY(input(context, 0, &b, &pb));
  if (!is_operand(&b)) return failure("Gemm16Pack takes float32 and bfloat16");
  const char *wrong = shape_of_packed(x, &b, &y);
  if (wrong) return failure(wrong);
  TRY(output(context, 0, &y, &py));
  product p = {.k = at(&b, x->trans_b ? 1 : 2), .n = at(&b, x->trans_b ? 2 : 1)};
  p.b = rows_of(pb, b.type, p.k, p.n, x->trans_b);
  pool threads = {context, run_parallel};
  gemm16_pack(&p, &threads, py);
  return 0;
}

static const char *name(const void *op) { return (void)op, "Gemm16"; }
static const char *packing_name(const void *op) { return (void)op, "Gemm16Pack"; }
static size_t three(const void *op) { return (void)op, 3; }
static size_t one_input(const void *op) { return (void)op, 1; }
// Which it is is asked when the node is run.
static int operand_type(const void *op, size_t i) { return (void)op, i == 2 ? FLOAT : ANY; }
static int kind(const void *op, size_t i) { return (void)op, i == 2 ? OPTIONAL_INPUT : 0; }

static custom_op op = {
  OPERATOR, .name = name, .input_count = three, .input_type = operand_type, .input_kind = kind, .inputs_alike = one,
  .output_kind = required, .compute2 = compute, .infer = infer,
};
static custom_op packing = {
  OPERATOR, .name = packing_name, .input_count = one_input, .input_type = operand_type, .input_kind = required, .inputs_alike = one,
  .output_kind = required, .compute2 = pack, .infer = infer_packed,
};

// Changes whenever what the operators take or give does: a library of another number is not used.
EXPORT int anemone_interface(void) { return 3; }

// Whether this CPU has the instructions; else the operator computes only where `portable` was asked for.
EXPORT int anemone_gemm16_is_fast(void) { return gemm16_is_fast(); }

// Gemm16, for CustomOpDomain_Add. `ort` is the table of ONNX Runtime's C API.
EXPORT void *anemone_gemm16_operator(void *ort, int portable) {
  api = ort;
  gemm16_use_portable(portable);
  return &op;
}

// Gemm16Pack; call the other first.
EXPORT void *anemone_gemm16_packing(void) { return &packing; }
