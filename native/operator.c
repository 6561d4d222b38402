// Custom operators of ONNX Runtime. anemone.Gemm16: Y = alpha * op(A) * op(B) + C, matrices or batches of them that broadcast, C
// optional; A and B are float32 or bfloat16, each by itself, C and Y float32. anemone.Gemm16Pack: a matrix B as Gemm16 lays it out, for a loop that multiplies with it in each turn;
// Gemm16 takes it instead of B where its attribute `columns` says how many op(B) has. Functions of ONNX Runtime's C API are found by their place in its table, as in the
// TypeScript of this engine, so that no header is needed to build this.
#include "gemm16.h"
#include <stdlib.h>
#include <string.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

typedef void *status;
typedef const void *const *table;

// Places in OrtApi of onnxruntime_c_api.h, which never change.
enum {
  CREATE_STATUS = 0, TENSOR_DATA = 51, CREATE_INFO = 57, SET_TYPE = 58, SET_DIMENSIONS = 59, ELEMENT_TYPE = 60, DIMENSION_COUNT = 61,
  DIMENSIONS = 62, TENSOR_INFO = 65, FLOAT_ATTRIBUTE = 85, INT_ATTRIBUTE = 86, INPUT_COUNT = 88, INPUT = 90, OUTPUT = 91,
  RELEASE_STATUS = 93, RELEASE_INFO = 99, INFER_INPUT = 268, INFER_ATTRIBUTE = 269, INFER_OUTPUT = 270,
  READ_ATTRIBUTE = 272, PARALLEL_FOR = 274
};
enum { MOST_AXES = 8, ANY = 0, FLOAT = 1, BFLOAT16 = 16, FAIL = 1, OPTIONAL_INPUT = 1, API_VERSION = 24, INT_KIND = 1 };

static table api;
#define CALL(place, types) ((status(*) types)api[place])

// In the order of OrtCustomOp.
typedef struct {
  uint32_t version;
  void *create_kernel;
  const char *(*name)(const void *);
  const char *(*provider)(const void *);
  int (*input_type)(const void *, size_t);
  size_t (*input_count)(const void *);
  int (*output_type)(const void *, size_t);
  size_t (*output_count)(const void *);
  void *compute;
  void (*destroy)(void *);
  int (*input_kind)(const void *, size_t);
  int (*output_kind)(const void *, size_t);
  int (*input_memory)(const void *, size_t);
  int (*least_inputs)(const void *);
  int (*inputs_alike)(const void *);
  int (*least_outputs)(const void *);
  int (*outputs_alike)(const void *);
  status (*create_kernel2)(const void *, const void *, const void *, void **);
  status (*compute2)(void *, void *);
  status (*infer)(const void *, void *);
  int (*start_version)(const void *);
  int (*end_version)(const void *);
  void *may_inplace, *release_inplace, *alias, *release_alias;
} custom_op;

typedef struct {
  int64_t trans_a, trans_b;
  // Of a packed operand; 0 where it is none.
  int64_t columns;
  float alpha;
} kernel;

typedef struct {
  size_t rank;
  int64_t size[MOST_AXES];
} shape;

static status failure(const char *text) { return CALL(CREATE_STATUS, (int, const char *))(FAIL, text); }

// Sizes of the axes, from the one past the end back: 1 where there is none.
static int64_t at(const shape *s, size_t from_end) { return from_end <= s->rank ? s->size[s->rank - from_end] : 1; }

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

static status dimensions(const void *info, shape *s) {
  status failed = CALL(DIMENSION_COUNT, (const void *, size_t *))(info, &s->rank);
  if (failed) return failed;
  if (s->rank > MOST_AXES) return failure("Gemm16 takes at most 8 axes");
  return CALL(DIMENSIONS, (const void *, int64_t *, size_t))(info, s->size, s->rank);
}

// One of the operands, or the summand: input `index` of the node that is run; `type` is that of its elements.
static status input(void *context, size_t index, shape *s, void **data, int *type) {
  const void *value;
  void *info;
  status failed = CALL(INPUT, (void *, size_t, const void **))(context, index, &value);
  if (failed || !value) return failed;
  if ((failed = CALL(TENSOR_INFO, (const void *, void **))(value, &info))) return failed;
  if (!(failed = dimensions(info, s))) failed = CALL(ELEMENT_TYPE, (const void *, int *))(info, type);
  ((void (*)(void *))api[RELEASE_INFO])(info);
  return failed ? failed : CALL(TENSOR_DATA, (const void *, void **))(value, data);
}

// The memory of the one output.
static status output(void *context, const shape *y, float **data) {
  void *value;
  status failed = CALL(OUTPUT, (void *, size_t, const int64_t *, size_t, void **))(context, 0, y->size, y->rank, &value);
  return failed ? failed : CALL(TENSOR_DATA, (const void *, void **))(value, (void **)data);
}

static int is_operand(int type) { return type == FLOAT || type == BFLOAT16; }

// A matrix of `columns` that is written row by row, as it is or transposed.
static operand rows_of(const void *data, int type, int64_t rows, int64_t columns, int64_t transposed) {
  operand x = {data, type == BFLOAT16, transposed ? 1 : columns, transposed ? rows : 1};
  return x;
}

static void run_parallel(void *context, parallel_fn fn, size_t count, void *data) {
  status failed = CALL(PARALLEL_FOR, (void *, parallel_fn, size_t, size_t, void *))(context, fn, count, 0, data);
  if (!failed) return;
  ((void (*)(void *))api[RELEASE_STATUS])(failed);
  for (size_t i = 0; i < count; i++) fn(data, i);
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
  int type_a, type_b, type_c = FLOAT;
  status failed;
#define TRY(call) if ((failed = (call))) return failed
  TRY(CALL(INPUT_COUNT, (void *, size_t *))(context, &inputs));
  TRY(input(context, 0, &a, &pa, &type_a));
  TRY(input(context, 1, &b, &pb, &type_b));
  if (inputs > 2) TRY(input(context, 2, &c, &pc, &type_c));
  if (!is_operand(type_a) || !is_operand(type_b)) return failure("Gemm16 takes float32 and bfloat16");
  if (x->columns && type_b != FLOAT) return failure("Gemm16's packed operand is called float32");
  const char *wrong = shape_of(x, &a, &b, &y);
  if (wrong) return failure(wrong);
  TRY(output(context, &y, &py));
  product p = {.m = at(&y, 2), .n = at(&y, 1), .k = at(&a, x->trans_a ? 2 : 1), .alpha = x->alpha, .c = py};
  p.a = rows_of(pa, type_a, p.m, p.k, x->trans_a), p.b = rows_of(pb, type_b, p.k, p.n, x->trans_b);
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

static int64_t int_attribute(void *context, const char *name) {
  const void *attribute = 0;
  int64_t value = 0;
  size_t read = 0;
  void (*release)(void *) = (void (*)(void *))api[RELEASE_STATUS];
  status failed = CALL(INFER_ATTRIBUTE, (void *, const char *, const void **))(context, name, &attribute);
  if (!failed && attribute)
    failed = CALL(READ_ATTRIBUTE, (const void *, int, void *, size_t, size_t *))(attribute, INT_KIND, &value, sizeof value, &read);
  if (failed) release(failed);
  return value;
}

static status input_shape(void *context, size_t index, shape *s) {
  void *info = 0;
  status failed = CALL(INFER_INPUT, (void *, size_t, void **))(context, index, &info);
  return failed ? failed : dimensions(info, s);
}

static status infer_output(void *context, const shape *y) {
  void *info;
  status failed = CALL(CREATE_INFO, (void **))(&info);
  if (failed) return failed;
  if (!(failed = CALL(SET_TYPE, (void *, int))(info, FLOAT)) &&
      !(failed = CALL(SET_DIMENSIONS, (void *, const int64_t *, size_t))(info, y->size, y->rank)))
    failed = CALL(INFER_OUTPUT, (void *, size_t, const void *))(context, 0, info);
  ((void (*)(void *))api[RELEASE_INFO])(info);
  return failed;
}

static int is_known(const shape *s) {
  for (size_t axis = 0; axis < s->rank; axis++) if (s->size[axis] < 0) return 0;
  return 1;
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
  return wrong ? failure(wrong) : infer_output(context, &y);
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
  return wrong ? failure(wrong) : infer_output(context, &y);
}

static status pack(void *data, void *context) {
  const kernel *x = data;
  shape b, y;
  void *pb;
  float *py;
  int type;
  status failed;
  TRY(input(context, 0, &b, &pb, &type));
  if (!is_operand(type)) return failure("Gemm16Pack takes float32 and bfloat16");
  const char *wrong = shape_of_packed(x, &b, &y);
  if (wrong) return failure(wrong);
  TRY(output(context, &y, &py));
  product p = {.k = at(&b, x->trans_b ? 1 : 2), .n = at(&b, x->trans_b ? 2 : 1)};
  p.b = rows_of(pb, type, p.k, p.n, x->trans_b);
  pool threads = {context, run_parallel};
  gemm16_pack(&p, &threads, py);
  return 0;
}

static const char *name(const void *op) { return (void)op, "Gemm16"; }
static const char *packing_name(const void *op) { return (void)op, "Gemm16Pack"; }
static const char *provider(const void *op) { return (void)op, "CPUExecutionProvider"; }
static size_t three(const void *op) { return (void)op, 3; }
static size_t one_input(const void *op) { return (void)op, 1; }
static size_t one_output(const void *op) { return (void)op, 1; }
static int one(const void *op) { return (void)op, 1; }
static int newest(const void *op) { return (void)op, 2147483647; }
static int float_type(const void *op, size_t i) { return (void)op, (void)i, FLOAT; }
// Which it is is asked when the node is run.
static int operand_type(const void *op, size_t i) { return (void)op, i == 2 ? FLOAT : ANY; }
static int kind(const void *op, size_t i) { return (void)op, i == 2 ? OPTIONAL_INPUT : 0; }
static int required(const void *op, size_t i) { return (void)op, (void)i, 0; }
static size_t no_pairs(int **inputs, int **outputs) { return (void)inputs, (void)outputs, 0; }
static void no_release(int *inputs, int *outputs) { (void)inputs, (void)outputs; }

// One float32 output of a kernel that `create_kernel` makes; names, inputs and what is computed differ.
#define OPERATOR \
  .version = API_VERSION, .provider = provider, .input_type = operand_type, .output_type = float_type, .output_count = one_output, \
  .destroy = free, .output_kind = required, .input_memory = required, .least_inputs = one, .inputs_alike = one, \
  .least_outputs = one, .outputs_alike = one, .create_kernel2 = create_kernel, .start_version = one, .end_version = newest, \
  .may_inplace = no_pairs, .release_inplace = no_release, .alias = no_pairs, .release_alias = no_release

static custom_op op = {OPERATOR, .name = name, .input_count = three, .input_kind = kind, .compute2 = compute, .infer = infer};
static custom_op packing = {
  OPERATOR, .name = packing_name, .input_count = one_input, .input_kind = required, .compute2 = pack, .infer = infer_packed,
};

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
