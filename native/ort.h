// What the operators use of ONNX Runtime's C API. Its functions are found by their place in its table, as in the TypeScript of this
// engine, so that no header is needed to build this.
#ifndef ANEMONE_ORT_H
#define ANEMONE_ORT_H
#include "gemm16.h"

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
  DIMENSIONS = 62, TENSOR_INFO = 65, FLOAT_ATTRIBUTE = 85, INT_ATTRIBUTE = 86, TEXT_ATTRIBUTE = 87, INPUT_COUNT = 88, INPUT = 90, OUTPUT = 91,
  RELEASE_STATUS = 93, RELEASE_INFO = 99, INFER_INPUT = 268, INFER_ATTRIBUTE = 269, INFER_OUTPUT = 270,
  READ_ATTRIBUTE = 272, PARALLEL_FOR = 274
};
enum { MOST_AXES = 8, ANY = 0, FLOAT = 1, BOOL = 9, BFLOAT16 = 16, FAIL = 1, OPTIONAL_INPUT = 1, VARIADIC = 2, API_VERSION = 24, INT_KIND = 1, INTS_KIND = 2 };

// Of the library that the sessions are of; set before an operator is made.
extern table api;
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
  size_t rank;
  int64_t size[MOST_AXES];
  int type; // of its elements, if it is an input
} shape;

static inline status failure(const char *text) { return CALL(CREATE_STATUS, (int, const char *))(FAIL, text); }

// Sizes of the axes, from the one past the end back: 1 where there is none.
static inline int64_t at(const shape *s, size_t from_end) { return from_end <= s->rank ? s->size[s->rank - from_end] : 1; }

static inline status dimensions(const void *info, shape *s) {
  status failed = CALL(DIMENSION_COUNT, (const void *, size_t *))(info, &s->rank);
  if (failed) return failed;
  if (s->rank > MOST_AXES) return failure("an operand has more than 8 axes");
  return CALL(DIMENSIONS, (const void *, int64_t *, size_t))(info, s->size, s->rank);
}

// Input `index` of the node that is run; of an optional one that is left out, nothing is said.
static inline status input(void *context, size_t index, shape *s, void **data) {
  const void *value;
  void *info;
  status failed = CALL(INPUT, (void *, size_t, const void **))(context, index, &value);
  if (failed || !value) return failed;
  if ((failed = CALL(TENSOR_INFO, (const void *, void **))(value, &info))) return failed;
  if (!(failed = dimensions(info, s))) failed = CALL(ELEMENT_TYPE, (const void *, int *))(info, &s->type);
  ((void (*)(void *))api[RELEASE_INFO])(info);
  return failed ? failed : CALL(TENSOR_DATA, (const void *, void **))(value, data);
}

// The memory of output `index`.
static inline status output(void *context, size_t index, const shape *y, float **data) {
  void *value;
  status failed = CALL(OUTPUT, (void *, size_t, const int64_t *, size_t, void **))(context, index, y->size, y->rank, &value);
  return failed ? failed : CALL(TENSOR_DATA, (const void *, void **))(value, (void **)data);
}

// For a `pool`; its context is that of the kernel.
static inline void run_parallel(void *context, parallel_fn fn, size_t count, void *data) {
  status failed = CALL(PARALLEL_FOR, (void *, parallel_fn, size_t, size_t, void *))(context, fn, count, 0, data);
  if (!failed) return;
  ((void (*)(void *))api[RELEASE_STATUS])(failed);
  for (size_t i = 0; i < count; i++) fn(data, i);
}

static inline status input_shape(void *context, size_t index, shape *s) {
  void *info = 0;
  status failed = CALL(INFER_INPUT, (void *, size_t, void **))(context, index, &info);
  return failed ? failed : dimensions(info, s);
}

static inline status infer_output(void *context, size_t index, const shape *y) {
  void *info;
  status failed = CALL(CREATE_INFO, (void **))(&info);
  if (failed) return failed;
  if (!(failed = CALL(SET_TYPE, (void *, int))(info, FLOAT)) &&
      !(failed = CALL(SET_DIMENSIONS, (void *, const int64_t *, size_t))(info, y->size, y->rank)))
    failed = CALL(INFER_OUTPUT, (void *, size_t, const void *))(context, index, info);
  ((void (*)(void *))api[RELEASE_INFO])(info);
  return failed;
}

static inline int64_t int_attribute(void *context, const char *name) {
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

// The attribute `sizes` says the shape of the results, where it is the same in all runs: a shape that ONNX Runtime has not inferred looks
// like that of a single number to an operator.
static inline status infer_all(void *context, size_t outputs) {
  shape result = {0};
  const void *sizes = 0;
  size_t read = 0;
  status failed = CALL(INFER_ATTRIBUTE, (void *, const char *, const void **))(context, "sizes", &sizes);
  if (failed || !sizes) {
    if (failed) ((void (*)(void *))api[RELEASE_STATUS])(failed);
    return 0;
  }
  failed = CALL(READ_ATTRIBUTE, (const void *, int, void *, size_t, size_t *))(sizes, INTS_KIND, result.size, sizeof result.size, &read);
  result.rank = read / sizeof *result.size;
  for (size_t i = 0; !failed && i < outputs; i++) failed = infer_output(context, i, &result);
  return failed;
}

static inline status infer_sizes(const void *op, void *context) { return (void)op, infer_all(context, 1); }

static inline int is_known(const shape *s) {
  for (size_t axis = 0; axis < s->rank; axis++) if (s->size[axis] < 0) return 0;
  return 1;
}

// In functions that have a `failed`.
#define TRY(call) if ((failed = (call))) return failed

static inline const char *provider(const void *op) { return (void)op, "CPUExecutionProvider"; }
static inline size_t one_output(const void *op) { return (void)op, 1; }
static inline int one(const void *op) { return (void)op, 1; }
static inline int newest(const void *op) { return (void)op, 2147483647; }
static inline int float_type(const void *op, size_t i) { return (void)op, (void)i, FLOAT; }
static inline int required(const void *op, size_t i) { return (void)op, (void)i, 0; }
static inline size_t no_pairs(int **inputs, int **outputs) { return (void)inputs, (void)outputs, 0; }
static inline void no_release(int *inputs, int *outputs) { (void)inputs, (void)outputs; }

// What the operators have in common: float32 results, at least one, and a kernel that `create_kernel` makes and `free` ends.
#define OPERATOR \
  .version = API_VERSION, .provider = provider, .output_type = float_type, .output_count = one_output, .destroy = free, \
  .input_memory = required, .least_inputs = one, .least_outputs = one, .outputs_alike = one, .create_kernel2 = create_kernel, \
  .start_version = one, .end_version = newest, .may_inplace = no_pairs, .release_inplace = no_release, \
  .alias = no_pairs, .release_alias = no_release

#endif
