// Programs over vectors, interpreted a block at a time. Only operations that IEEE 754 rounds exactly are in it, so that the bits
// are those of the operators one after the other, with any width of registers.
#include "pointwise.h"
#include "cpu.h"
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 512, TASK = 32 * BLOCK, LINE = 16 };

int pointwise_read(pointwise_program *program, int inputs, const char *text) {
  memset(program, 0, sizeof *program);
  program->inputs = inputs;
  if (inputs > POINTWISE_INPUTS) return 0;
  for (char *end; *text && *text != '='; text = end + (*end == '\n')) {
    if (program->steps == POINTWISE_STEPS || !strchr("+-*/rnai", *text)) return 0;
    int known = inputs + program->steps;
    pointwise_step *step = &program->step[program->steps++];
    step->symbol = *text;
    step->a = (int)strtol(text + 1, &end, 10);
    step->b = (int)strtol(end, &end, 10);
    if (step->a < 0 || step->a >= known || step->b < 0 || step->b >= known) return 0;
  }
  if (*text++ != '=') return 0;
  for (char *end; *text; text = end) {
    long output = strtol(text, &end, 10);
    if (end == text) break;
    // An input is no output: it could be written over before it is read.
    if (program->outputs == POINTWISE_OUTPUTS || output < inputs || output >= inputs + program->steps) return 0;
    program->output[program->outputs++] = (int)output;
  }
  return program->steps > 0 && program->outputs > 0;
}

typedef struct {
  const pointwise_program *program;
  ptrdiff_t n;
  const pointwise_input *inputs;
  float *const *outputs;
} task;

#define ALL(expression) for (int i = 0; i < n; i++) y[i] = expression

INLINE void compute(char symbol, const float *a, const float *b, float *restrict y, int n) {
  switch (symbol) {
    case '+': ALL(a[i] + b[i]); break;
    case '-': ALL(a[i] - b[i]); break;
    case '*': ALL(a[i] * b[i]); break;
    case '/': ALL(a[i] / b[i]); break;
    case 'r': ALL(__builtin_sqrtf(a[i])); break;
    case 'n': ALL(-a[i]); break;
    case 'a': ALL(__builtin_fabsf(a[i])); break;
    default: memcpy(y, a, (size_t)n * sizeof *y);
  }
}

INLINE void fill(float *to, float value, ptrdiff_t n) {
  for (ptrdiff_t i = 0; i < n; i++) to[i] = value;
}

// The numbers of an input for the results `at` to `at + n`: where they lie, or copied to `to`.
INLINE const float *numbers_of(const pointwise_input *input, ptrdiff_t at, int n, float *to) {
  const float *x = input->data;
  const unsigned char *bytes = input->data;
  ptrdiff_t width = input->width;
  switch (input->kind) {
    case EACH: return x + at;
    case SINGLE: fill(to, *x, n); break;
    case BYTES: for (int i = 0; i < n; i++) to[i] = bytes[at + i]; break;
    case ROW:
      for (ptrdiff_t i = 0, from = at % width, count; i < n; i += count, from = 0) {
        count = least(width - from, n - i);
        memcpy(to + i, x + from, (size_t)count * sizeof *x);
      }
      break;
    case COLUMN:
      for (ptrdiff_t i = 0, count; i < n; i += count) {
        count = least(width - (at + i) % width, n - i);
        fill(to + i, x[(at + i) / width], count);
      }
  }
  return to;
}

INLINE void compute_part(const task *t, size_t index) {
  const pointwise_program *p = t->program;
  __attribute__((aligned(64))) float copies[POINTWISE_INPUTS][BLOCK], results[POINTWISE_STEPS][BLOCK];
  const float *registers[POINTWISE_INPUTS + POINTWISE_STEPS];
  ptrdiff_t from = (ptrdiff_t)index * TASK, to = least(from + TASK, t->n);
  for (int i = 0; i < p->inputs; i++)
    if (t->inputs[i].kind == SINGLE) registers[i] = numbers_of(&t->inputs[i], 0, BLOCK, copies[i]);
  for (int i = 0; i < p->steps; i++) registers[p->inputs + i] = results[i];
  for (ptrdiff_t at = from; at < to; at += BLOCK) {
    int n = (int)least(BLOCK, to - at);
    for (int i = 0; i < p->inputs; i++) {
      const pointwise_input *input = &t->inputs[i];
      if (input->kind != SINGLE) registers[i] = numbers_of(input, at, n, copies[i]);
      // The next block, while this one is computed.
      if (input->kind == EACH && at + 2 * BLOCK <= t->n)
        for (int j = 0; j < BLOCK; j += LINE) __builtin_prefetch(registers[i] + BLOCK + j);
    }
    for (int i = 0; i < p->steps; i++) {
      const pointwise_step *step = &p->step[i];
      const float *a = registers[step->a], *b = registers[step->b];
      if (n == BLOCK) compute(step->symbol, a, b, results[i], BLOCK);
      else compute(step->symbol, a, b, results[i], n);
    }
    // All of the block has been read by now.
    for (int i = 0; i < p->outputs; i++)
      memcpy(t->outputs[i] + at, registers[p->output[i]], (size_t)n * sizeof(float));
  }
}

static void any(void *data, size_t index) { compute_part(data, index); }
OF_AVX2 static void avx2(void *data, size_t index) { compute_part(data, index); }
OF_AVX512 static void avx512(void *data, size_t index) { compute_part(data, index); }
static const parallel_fn forms[] = {any, avx2, avx512};

void pointwise_run(const pointwise_program *program, ptrdiff_t n, const pointwise_input *inputs, float *const *outputs,
                   const pool *threads) {
  task t = {program, n, inputs, outputs};
  run_calls(forms, rounded_up(n, TASK), &t, threads);
}
