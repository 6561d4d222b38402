// Numbers computed number by number from vectors and single numbers, block by block: what is between the first operation and the last
// stays in the cache.
#ifndef ANEMONE_POINTWISE_H
#define ANEMONE_POINTWISE_H
#include "gemm16.h"

enum { POINTWISE_INPUTS = 32, POINTWISE_OUTPUTS = 16, POINTWISE_STEPS = 64 };

// Registers: the inputs come first, then the result of each step.
typedef struct {
  char symbol; // + - * / as they read, r square root, n negative, a absolute value, i the same
  int a, b;
} pointwise_step;

typedef struct {
  int inputs, steps, outputs;
  pointwise_step step[POINTWISE_STEPS];
  int output[POINTWISE_OUTPUTS]; // registers
} pointwise_program;

// Reads `inputs` and lines "symbol a b" and, last, "= register register …"; 0 where it is none.
int pointwise_read(pointwise_program *program, int inputs, const char *text);
// How an input is read for number i of the results: at i, at 0, at i % width (a row for all rows), at i / width (a number for each
// row), and at i of bytes that are 0 or 1.
typedef enum { EACH, SINGLE, ROW, COLUMN, BYTES } pointwise_kind;

typedef struct {
  pointwise_kind kind;
  ptrdiff_t width;
  const void *data;
} pointwise_input;

// Computes `n` numbers. An output may lie where an input of the kind EACH does.
void pointwise_run(const pointwise_program *program, ptrdiff_t n, const pointwise_input *inputs, float *const *outputs,
                   const pool *threads);
#endif
