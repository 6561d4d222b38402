// anemone.Pointwise: numbers computed number by number from float32 tensors of one shape and from single numbers, by the program in
// the attribute `program` (see pointwise.h); `inputs` and `outputs` say how many there are.
#include "ort.h"
#include "pointwise.h"
#include <stdlib.h>

static int64_t count_of(const shape *s) {
  int64_t count = 1;
  for (size_t axis = 0; axis < s->rank; axis++) count *= s->size[axis];
  return count;
}

// Of the shapes of the inputs, that of the results: the first of most numbers; of other sizes may only be single numbers.
static const shape *result_shape(const shape *shapes, int count) {
  const shape *result = shapes;
  for (int i = 1; i < count; i++)
    if (count_of(&shapes[i]) > count_of(result) || (count_of(&shapes[i]) == count_of(result) && shapes[i].rank > result->rank))
      result = &shapes[i];
  for (int i = 0; i < count; i++)
    if (count_of(&shapes[i]) != 1 && count_of(&shapes[i]) != count_of(result)) return 0;
  return result;
}

static status compute(void *data, void *context) {
  const pointwise_program *program = data;
  shape shapes[POINTWISE_INPUTS];
  const float *inputs[POINTWISE_INPUTS];
  char is_single[POINTWISE_INPUTS];
  float *outputs[POINTWISE_OUTPUTS];
  status failed;
  for (int i = 0; i < program->inputs; i++) {
    const void *value;
    float *numbers;
    TRY(CALL(INPUT, (void *, size_t, const void **))(context, (size_t)i, &value));
    TRY(shape_and_data(value, &shapes[i], &numbers));
    inputs[i] = numbers;
    is_single[i] = count_of(&shapes[i]) == 1;
  }
  const shape *result = result_shape(shapes, program->inputs);
  if (!result) return failure("Pointwise takes tensors of one size and single numbers");
  for (int i = 0; i < program->outputs; i++) {
    void *output;
    TRY(CALL(OUTPUT, (void *, size_t, const int64_t *, size_t, void **))(context, (size_t)i, result->size, result->rank, &output));
    TRY(CALL(TENSOR_DATA, (const void *, void **))(output, (void **)&outputs[i]));
  }
  pool threads = {context, run_parallel};
  pointwise_run(program, count_of(result), inputs, is_single, outputs, &threads);
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
  shape shapes[POINTWISE_INPUTS];
  int inputs = (int)int_attribute(context, "inputs"), outputs = (int)int_attribute(context, "outputs");
  status failed;
  if (inputs > POINTWISE_INPUTS) return failure("Pointwise has too many inputs");
  for (int i = 0; i < inputs; i++) {
    TRY(input_shape(context, (size_t)i, &shapes[i]));
    if (!is_known(&shapes[i])) return 0;
  }
  const shape *result = result_shape(shapes, inputs);
  if (!result) return failure("Pointwise takes tensors of one size and single numbers");
  for (int i = 0; i < outputs; i++) TRY(infer_output(context, (size_t)i, result));
  return 0;
}

static const char *name(const void *op) { return (void)op, "Pointwise"; }
static int variadic(const void *op, size_t i) { return (void)op, (void)i, VARIADIC; }

static custom_op op = {
  OPERATOR, .name = name, .input_count = one_output, .input_kind = variadic, .output_kind = variadic, .compute2 = compute, .infer = infer,
};

// Pointwise, for CustomOpDomain_Add. `ort` is the table of ONNX Runtime's C API.
EXPORT void *anemone_pointwise(void *ort) {
  api = ort;
  return &op;
}
