// anemone.Pointwise: numbers computed number by number from float32 tensors of one shape, booleans of that shape (0 or 1), a row for all rows of the
// last axis, a column (its last axis is 1), and single numbers, by the program in the attribute `program` (see pointwise.h);
// `inputs` and `outputs` say how many there are.
#include "ort.h"
#include "pointwise.h"
#include <stdlib.h>

static int64_t count_of(const shape *s) {
  int64_t count = 1;
  for (size_t axis = 0; axis < s->rank; axis++) count *= s->size[axis];
  return count;
}

// Of the shapes of the inputs, that of the results: the first of most numbers.
static const shape *result_shape(const shape *shapes, int count) {
  const shape *result = shapes;
  for (int i = 1; i < count; i++)
    if (count_of(&shapes[i]) > count_of(result) || (count_of(&shapes[i]) == count_of(result) && shapes[i].rank > result->rank))
      result = &shapes[i];
  return result;
}

// How an input of shape `s` is read; -1 where it does not fit.
static int kind_of(const shape *s, const shape *result) {
  int64_t count = count_of(s), whole = count_of(result), width = at(result, 1);
  if (count == whole) return s->type == BOOL ? BYTES : EACH;
  if (s->type == BOOL) return -1;
  if (count == 1) return SINGLE;
  if (count == width && at(s, 1) == width) return ROW;
  return at(s, 1) == 1 && s->rank == result->rank && count * width == whole ? COLUMN : -1;
}

static status compute(void *data, void *context) {
  const pointwise_program *program = data;
  shape shapes[POINTWISE_INPUTS] = {0};
  pointwise_input inputs[POINTWISE_INPUTS];
  float *outputs[POINTWISE_OUTPUTS];
  status failed;
  for (int i = 0; i < program->inputs; i++) {
    void *numbers;
    TRY(input(context, (size_t)i, &shapes[i], &numbers));
    inputs[i].data = numbers;
  }
  const shape *result = result_shape(shapes, program->inputs);
  for (int i = 0; i < program->inputs; i++) {
    int kind = kind_of(&shapes[i], result);
    if (kind < 0) return failure("Pointwise takes tensors of one shape, rows, columns and single numbers");
    inputs[i].kind = (pointwise_kind)kind;
    inputs[i].width = at(result, 1);
  }
  for (int i = 0; i < program->outputs; i++) TRY(output(context, (size_t)i, result, &outputs[i]));
  pool threads = {context, run_parallel};
  pointwise_run(program, count_of(result), inputs, outputs, &threads);
  return 0;
}

static status create_kernel(const void *op, const void *ort, const void *info, void **made) {
  (void)op, (void)ort;
  int64_t inputs = 0;
  size_t size = 0;
  status failed;
  TRY(CALL(INT_ATTRIBUTE, (const void *, const char *, int64_t *))(info, "inputs", &inputs));
  TRY(CALL(TEXT_ATTRIBUTE, (const void *, const char *, char *, size_t *))(info, "program", 0, &size));
  char *text = calloc(size + 1, 1);
  pointwise_program *program = malloc(sizeof *program);
  failed = text && program ? CALL(TEXT_ATTRIBUTE, (const void *, const char *, char *, size_t *))(info, "program", text, &size)
                           : failure("Pointwise found no memory");
  if (!failed && !pointwise_read(program, (int)inputs, text)) failed = failure("Pointwise cannot read its program");
  free(text);
  if (failed) free(program);
  else *made = program;
  return failed;
}

static status infer(const void *op, void *context) {
  (void)op;
  return infer_all(context, (size_t)int_attribute(context, "outputs"));
}

static const char *name(const void *op) { return (void)op, "Pointwise"; }
static int variadic(const void *op, size_t i) { return (void)op, (void)i, VARIADIC; }
static int any_type(const void *op, size_t i) { return (void)op, (void)i, ANY; }
static int differ(const void *op) { return (void)op, 0; }

static custom_op op = {
  OPERATOR, .name = name, .input_count = one_output, .input_type = any_type, .input_kind = variadic, .inputs_alike = differ,
  .output_kind = variadic, .compute2 = compute, .infer = infer,
};

// Pointwise, for CustomOpDomain_Add. `ort` is the table of ONNX Runtime's C API.
EXPORT void *anemone_pointwise(void *ort) {
  api = ort;
  return &op;
}
